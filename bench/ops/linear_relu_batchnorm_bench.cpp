// linear_relu_batchnorm: the layer of a GC-MC encoder in training, N nodes of a side, forward and
// backward with all gradients; beside it the same layer as separate operations.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "bench/ops/dense_tables.hpp"
#include "bench/support/case.hpp"
#include "bench/support/compare.hpp"
#include "bench/support/once.hpp"
#include "bench/variants/cpu/dense_unfused.hpp"

namespace tern::bench {
namespace {

enum class Pass : std::uint8_t { kForward, kBackward };

std::shared_ptr<DenseValues> values_of(const Workload& w, Side side) {
  return std::make_shared<DenseValues>(w.nodes(side), w.width());
}

Cost cost_of(const DenseValues& values, Pass pass) {
  return pass == Pass::kForward ? dense_forward_cost(values.rows, 2 * values.cols, values.cols)
                                : dense_backward_cost(values.rows, 2 * values.cols, values.cols);
}

/// The results of a pass by their names.
template <class Results, class Check>
void for_results(Pass pass, Results& of, const Check& check) {
  if (pass == Pass::kForward) {
    check("z", of.z);
    return;
  }
  check("gradient of x", of.grad_x);
  check("gradient of h", of.grad_h);
  check("gradient of W1", of.grad_w1);
  check("gradient of W3", of.grad_w3);
  check("gradient of b1", of.grad_b1);
  check("gradient of b3", of.grad_b3);
  check("gradient of scale", of.grad_scale);
  check("gradient of shift", of.grad_shift);
}

/// The results of the reference, one matrix after the other.
std::vector<std::vector<double>> expected_results(Workload& w, const DenseValues& values,
                                                  Pass pass) {
  DenseTables tables(w.reference(), values);
  tables.forward(w.reference());
  if (pass == Pass::kBackward) tables.backward(w.reference());
  std::vector<std::vector<double>> all;
  for_results(pass, tables, [&](const char*, const Matrix& matrix) {
    all.emplace_back(static_cast<std::size_t>(matrix.size()));
    w.reference().download(matrix, all.back());
  });
  return all;
}

std::string full_name(const char* result) {
  return std::string("linear_relu_batchnorm, ") + result;
}

PreparedCase prepare(Workload& w, Side side, Pass pass) {
  const auto values = values_of(w, side);
  auto tables = std::make_shared<DenseTables>(w.backend(), *values);
  PreparedCase ready;
  ready.cost = cost_of(*values, pass);
  if (pass == Pass::kForward) {
    ready.run = [&w, tables] { tables->forward(w.backend()); };
  } else {
    tables->forward(w.backend());
    ready.run = [&w, tables] { tables->backward(w.backend()); };
  }
  ready.reset = [&w, tables, pass] {
    for_results(pass, *tables,
                [&](const char*, Matrix& matrix) { w.backend().fill(matrix, kPoison); });
  };
  const auto expected = once([&w, values, pass] { return expected_results(w, *values, pass); });
  ready.verify = [&w, tables, pass, expected] {
    auto next = expected().begin();
    for_results(pass, *tables, [&](const char* name, const Matrix& matrix) {
      std::vector<float> found(static_cast<std::size_t>(matrix.size()));
      w.backend().download(matrix, found);
      expect_equal(full_name(name), found, *next++, matrix.cols());
    });
  };
  return ready;
}

PreparedCase prepare_unfused(Workload& w, Side side, Pass pass) {
  const auto values = values_of(w, side);
  auto layer = std::make_shared<UnfusedLayer>(*values, w.threads());
  PreparedCase ready;
  ready.cost = cost_of(*values, pass);
  if (pass == Pass::kForward) {
    ready.run = [layer, values] { layer->forward(); };
  } else {
    layer->forward();
    ready.run = [layer, values] { layer->backward(); };
  }
  ready.reset = [layer, pass] {
    for_results(pass, *layer, [](const char*, std::vector<float>& values) {
      std::ranges::fill(values, static_cast<float>(kPoison));
    });
  };
  const auto expected = once([&w, values, pass] { return expected_results(w, *values, pass); });
  ready.verify = [layer, values, pass, expected] {
    auto next = expected().begin();
    for_results(pass, *layer, [&](const char* name, const std::vector<float>& found) {
      expect_equal(full_name(name), found, *next++, values->cols);
    });
  };
  return ready;
}

}  // namespace

void add_linear_relu_batchnorm_cases(Cases& cases, DeviceKind device) {
  for (const Side side : {Side::kUser, Side::kItem}) {
    for (const Pass pass : {Pass::kForward, Pass::kBackward}) {
      const std::string variant = std::string(side == Side::kUser ? "users_" : "items_") +
                                  (pass == Pass::kForward ? "forward" : "backward");
      cases.push_back({"linear_relu_batchnorm", variant, "tern", Bound::kProduct,
                       [=](Workload& w) { return prepare(w, side, pass); }});
      if (device == DeviceKind::kCuda) continue;
      cases.push_back({"linear_relu_batchnorm", variant, "unfused", Bound::kProduct,
                       [=](Workload& w) { return prepare_unfused(w, side, pass); }});
    }
  }
}

}  // namespace tern::bench
