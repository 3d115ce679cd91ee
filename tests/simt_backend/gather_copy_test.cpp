// The bf16 copies of matrices: what no result shows.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string>

#include "cuda/backend.hpp"
#include "tests/simt_backend/simt_backend.hpp"
#include "tests/support/graphs.hpp"
#include "tests/support/matrices.hpp"

namespace tern::test {
namespace {

constexpr MatrixOptions kRounded{.gather = GatherPrecision::kBf16};

/// Whether the copy holds the rounded elements, and zeros in its padding and in the row after the last.
/// The memory of an emulated device is the host's.
testing::AssertionResult is_whole(Backend& backend, const Matrix& matrix) {
  backend.synchronize();
  const MatrixView<float> values = cuda::view(matrix);
  const cuda::GatherCopyView copy = cuda::copy_view(matrix);
  const std::int64_t stride = copy.vectors * cuda::kCopyUnit;
  for (std::int64_t r = 0; r <= values.rows; ++r) {
    for (std::int64_t c = 0; c < stride; ++c) {
      const Bf16 found = copy.values[r * stride + c];
      const Bf16 expected = r < values.rows && c < values.cols ? to_bf16(values(r, c)) : 0;
      if (found != expected) {
        return testing::AssertionFailure()
               << "element (" << r << ", " << c << ") is " << found << ", expected " << expected;
      }
    }
  }
  return testing::AssertionSuccess();
}

TEST(SimtGatherCopy, KeepsItsZerosWhateverAnOpWrites) {
  const Interactions interactions = random_interactions(30, 20, 0.3, 1);
  for (const SimtOptions& form : {kPlainSimt, kLateSimt}) {
    const auto owned = make_simt_backend(form);
    Backend& backend = *owned;
    const Graph graph = backend.make_graph(interactions);
    const RowSet some = backend.make_row_set(30, random_rows(30, 4, 0.4));
    const Counter step = backend.make_counter(1);
    for (const std::int64_t width : {1, 3, 4, 5, 8, 12, 31, 33, 130}) {
      Matrix users = make_matrix(backend, 30, width, random_values(30 * width, 1), kRounded);
      const auto expect_whole = [&](const char* what) {
        EXPECT_TRUE(is_whole(backend, users)) << what << ", D " << width;
      };
      expect_whole("upload");
      const Matrix items = make_matrix(backend, 20, width, random_values(20 * width, 2), kRounded);
      const Matrix gradient = make_matrix(backend, 30, width, random_values(30 * width, 3));
      backend.fill(users, NAN);
      expect_whole("fill");
      backend.propagate(graph, Side::kUser, items, users);
      expect_whole("propagate");
      backend.propagate(graph, Side::kUser, items, users, {.to = &some, .scale = 1e30});
      expect_whole("propagate to rows");
      // Without ε an element of the padding would be 0 / 0.
      AdamState adam{backend.allocate(30, width), backend.allocate(30, width)};
      const AdamOptions options{.epsilon = 0, .weight_decay = 0.1};
      backend.adam(options, step, gradient, users, adam);
      expect_whole("adam");
      adam.row_steps = backend.make_row_steps(30);
      backend.adam(options, step, gradient, users, adam, &some);
      expect_whole("adam of rows");
      backend.adam_catch_up(options, step, users, adam);
      expect_whole("adam_catch_up");
      SgdState sgd{backend.allocate(30, width)};
      backend.sgd({.momentum = 0.9, .weight_decay = 0.1}, step, gradient, users, sgd);
      expect_whole("sgd");
      backend.sgd({.momentum = 0.9}, step, gradient, users, sgd, &some);
      expect_whole("sgd of rows");
    }
  }
}

TEST(SimtGatherCopy, IsAbsentIfItIsNotAskedFor) {
  const auto backend = make_simt_backend();
  EXPECT_EQ(cuda::copy_view(backend->allocate(3, 8)).values, nullptr);
  EXPECT_NE(cuda::copy_view(backend->allocate(3, 8, kRounded)).values, nullptr);
}

}  // namespace
}  // namespace tern::test
