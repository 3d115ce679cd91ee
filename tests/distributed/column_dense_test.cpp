// Dense layers and dropout by several ranks, which are threads here: against the formulas in f64, the draws
// of one rank, and the bytes that they exchange.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "host/distributed/column_backend.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"
#include "tests/distributed/ranks_in_threads.hpp"
#include "tests/support/dense_oracle.hpp"
#include "tests/support/matrices.hpp"

namespace tern::test {
namespace {

using distributed::ColumnBackend;
using distributed::columns_of;
using distributed::Communicator;
using Write = DenseTermGradients::Write;
using ::testing::Each;

constexpr double kEpsilon = 0x1p-24;

/// Up to three terms a sum, with and without each other part; all widths can be shared by three ranks.
std::vector<LayerShape> shared_layers() {
  std::vector<LayerShape> all{
      {.rows = 40, .cols = 24, .inner = {.widths = {24}}},
      {.rows = 700,
       .cols = 40,
       .inner = {.widths = {24, 64}, .addend = true, .bias = true},
       .outer = {.widths = {40}, .bias = true}},
      {.rows = 1500,
       .cols = 64,
       .inner = {.widths = {40, 24, 100}, .bias = true},
       .outer = {.widths = {64, 33}, .addend = true, .bias = true}},
      {.rows = 33, .cols = 100, .inner = {.addend = true, .bias = true}, .outer = {.widths = {40}}},
  };
  for (std::size_t i = 0; i < 3; ++i) {
    all.push_back(all[i]);
    all.back().batch_norm = false;
    all.back().activation = i == 1 ? Activation::kRelu : Activation::kNone;
  }
  return all;
}

TEST(ColumnDense, MatchesTheFormulas) {
  for (const LayerShape& shape : shared_layers()) {
    const LayerValues values = random_layer(shape, 1);
    for (const Write add : {Write::kOverwrite, Write::kAdd}) {
      const auto trained = expect_layer(shape, values, DenseMode::kTraining, kEpsilon, add);
      const auto evaluated = expect_layer(shape, values, DenseMode::kEvaluation, kEpsilon, add);
      for (const int ranks : {1, 2, 3}) {
        std::vector<std::string> findings(static_cast<std::size_t>(ranks));
        const auto failures = run_ranks(ranks, [&](Communicator& communicator) {
          ColumnBackend backend(communicator, 1);
          std::string& finding = findings[static_cast<std::size_t>(communicator.rank())];
          LoadedLayer layer(backend, shape, values);
          layer.add = add;
          layer.poison_gradients();
          layer.forward(DenseMode::kTraining);
          layer.backward(layer.gradients());
          finding = matches(layer.outputs(), trained, kEpsilon).message();
          LoadedLayer embedded(backend, shape, values);
          embedded.forward(DenseMode::kEvaluation);
          finding += matches(embedded.outputs(), evaluated, kEpsilon).message();
        });
        EXPECT_THAT(failures, Each(""));
        EXPECT_THAT(findings, Each("")) << shape.describe() << ", " << ranks << " ranks";
      }
    }
  }
}

/// Every input is gathered in each pass, and its gradient goes the other way: 4 bytes an element.
TEST(ColumnDense, ExchangesInputsAndTheirGradients) {
  for (const LayerShape& shape : shared_layers()) {
    const LayerValues values = random_layer(shape, 1);
    for (const int ranks : {1, 2, 3}) {
      const auto failures = run_ranks(ranks, [&](Communicator& communicator) {
        ColumnBackend backend(communicator, 1);
        LoadedLayer layer(backend, shape, values);
        std::int64_t own = 0;  // columns of inputs
        std::int64_t others = 0;
        for (const SumShape* sum : {&shape.inner, &shape.outer}) {
          for (const std::int64_t width : sum->widths) {
            const std::int64_t mine = columns_of(width, communicator.rank(), ranks).size();
            own += mine;
            others += width - mine;
          }
        }
        const std::int64_t gather = 4 * shape.rows * own * (ranks - 1);
        const distributed::Traffic start = communicator.traffic();
        backend.linear_relu_batchnorm(layer.layer(), DenseMode::kTraining, layer.state, layer.z);
        const distributed::Traffic half = communicator.traffic();
        EXPECT_EQ(half.sent - start.sent, gather);
        EXPECT_EQ(half.received - start.received, 4 * shape.rows * others);
        layer.backward(layer.gradients());
        const distributed::Traffic end = communicator.traffic();
        EXPECT_EQ(end.sent - half.sent, gather + 4 * shape.rows * others);
        EXPECT_EQ(end.received - half.received, 4 * shape.rows * others + gather);
      });
      EXPECT_THAT(failures, Each(""));
    }
  }
}

/// More rows than go at a time, so that the last piece is a shorter one.
TEST(ColumnDense, ExchangesTablesOfAnyHeightInPieces) {
  constexpr std::int64_t kRows = 40'001;
  constexpr std::int64_t kWidth = 40;
  const auto value = [](std::int64_t row, std::int64_t col) {
    return static_cast<float>((row * kWidth + col) % 1009);
  };
  const auto failures = run_ranks(3, [&](Communicator& communicator) {
    distributed::ColumnExchange exchange(communicator);
    const auto mine = exchange.columns(kWidth, communicator.rank());
    std::vector<float> own(static_cast<std::size_t>(kRows * mine.size()));
    const MatrixView<float> part{own.data(), kRows, mine.size(), mine.size()};
    for (std::int64_t r = 0; r < kRows; ++r) {
      for (std::int64_t c = 0; c < part.cols; ++c) part(r, c) = value(r, mine.begin + c);
    }
    std::vector<float> all(static_cast<std::size_t>(kRows * 48));
    const MatrixView<float> whole{all.data(), kRows, kWidth, 48};
    exchange.gather<float>({own.data(), kRows, mine.size(), mine.size()}, whole);
    for (std::int64_t r = 0; r < kRows; ++r) {
      for (std::int64_t c = 0; c < kWidth; ++c) ASSERT_EQ(whole(r, c), value(r, c)) << r;
    }
    exchange.reduce({all.data(), kRows, kWidth, 48}, part, Write::kAdd);
    for (std::int64_t r = 0; r < kRows; ++r) {
      for (std::int64_t c = 0; c < part.cols; ++c) {
        ASSERT_EQ(part(r, c), 4 * value(r, mine.begin + c)) << r;
      }
    }
  });
  EXPECT_THAT(failures, Each(""));
}

TEST(ColumnDense, DropsTheSameElementsAsOneRank) {
  using Unit = DropoutOptions::Unit;
  const auto alone = make_cpu_backend(1);
  for (const Unit unit : {Unit::kElement, Unit::kRow}) {
    for (const std::int64_t width : {24, 40, 50, 67, 100}) {
      const DropoutOptions options{.probability = 0.3, .unit = unit, .seed = Seed{7}, .place = 3};
      const Values values = random_values(301 * width, 1);
      const auto drop = [&](Backend& backend) {
        Matrix matrix = make_matrix(backend, 301, width, values);
        backend.dropout(options, backend.make_counter(5), matrix);
        return values_of(backend, matrix);
      };
      const Values expected = drop(*alone);
      for (const int ranks : {1, 2, 3}) {
        const auto failures = run_ranks(ranks, [&](Communicator& communicator) {
          ColumnBackend backend(communicator, 2);
          EXPECT_EQ(drop(backend), expected) << width << " columns, " << ranks << " ranks";
        });
        EXPECT_THAT(failures, Each(""));
      }
    }
  }
}

TEST(ColumnDense, RefusesWhatItCannotShare) {
  const auto failures = run_ranks(3, [&](Communicator& communicator) {
    ColumnBackend backend(communicator, 1);
    EXPECT_THROW(backend.make_dense_state(9, 16), ConfigError);
    EXPECT_EQ(backend.make_dense_state(9, 24).cols(), 24);
    Matrix replicated = backend.allocate(9, 24, {.replicated = true});
    EXPECT_THROW(backend.dropout({.probability = 0.5}, backend.make_counter(0), replicated),
                 ShapeError);
    communicator.barrier();
  });
  EXPECT_THAT(failures, Each(""));
}

}  // namespace
}  // namespace tern::test
