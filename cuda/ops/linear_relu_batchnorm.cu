// linear_relu_batchnorm and linear_relu_batchnorm_backward: z = BN(f(f(inner) + outer)), the dense
// layer of a GC-MC encoder, and its gradients. Equations, shapes and sources: Backend and
// DenseLayer.
//
// The products run in cuBLASLt, between the passes of linear_relu_batchnorm_forward.cu and
// linear_relu_batchnorm_backward.cu. All sums have one order: bitwise reproducible.
//
// Passes (one read or write of N×C floats each; N = 1M, C = 64: 256 MB, 60 µs at 4.3 TB/s) beyond
// what the products read and write:
//
//                                      forward                       backward
//   one sum, normalised     3: statistics read,           5: sums read 2, gradient reads 2,
//                              output reads, writes z        writes ∂
//   two sums, normalised    5: statistics read 2,         6: the same, two ∂ written
//                              write a; output as above
//   one sum, ReLU alone     2: output reads, writes z     3: gradient reads 2, writes ∂
//   two sums, ReLU alone    4: read 2, write a and z      4: the same, two ∂ written
//   linear, one sum         0: bias by epilogue           1: grad_z read, only for a bias
//
// In evaluation a layer without normalisation takes as many passes, a normalised one 2 or 3.
//
// Left out on purpose: cuBLASLt's ReLU epilogue on the inner sum would save two sums one pass of
// five (the outer product would add to its result), but its documentation says max(x, 0) and does
// not say that NaN stays NaN, which the op promises. BGRADA would save nothing, since the gradients
// of biases come with the pass that computes ∂. The mask of the inner ReLU is no array of its own:
// it is the sign bit of a.
//
// Every pass is bound by memory: some ten flops for each 4 bytes. Loads and stores are plain: if a
// matrix fits the L2 cache, the next pass finds it there.

#include "cuda/ops/linear_relu_batchnorm.hpp"

#include <algorithm>
#include <utility>

#include "cuda/backend.hpp"
#include "cuda/ops/fill.hpp"
#include "host/backend/checks.hpp"
#include "tern/error.hpp"

namespace tern::cuda {
namespace {

constexpr const char* kOp = "linear_relu_batchnorm";
/// The parts of a product begin on multiples of this many floats, 256 bytes, as ProductArrays
/// needs.
constexpr std::int64_t kAlignment = 64;

const float* data_of(const Matrix* matrix) {
  return matrix == nullptr ? nullptr : view(*matrix).data;
}
float* data_of(Matrix* matrix) {
  return matrix == nullptr ? nullptr : view(*matrix).data;
}

/// A term without inner columns has nothing to multiply.
bool is_product(const DenseTerm& term) {
  return term.input->cols() > 0;
}
bool has_products(const DenseSum& sum) {
  return std::ranges::any_of(sum.terms, is_product);
}
bool is_linear(const DenseLayer& layer) {
  return layer.activation == Activation::kNone && !layer.batch_norm.has_value();
}

DenseNorm make_norm(const DenseLayer& layer, const DenseStateStorage& saved) {
  if (!layer.batch_norm.has_value()) return {};
  return {.mean = saved.mean(),
          .inverse_deviation = saved.inverse_deviation(),
          .scale = data_of(layer.batch_norm->scale),
          .shift = data_of(layer.batch_norm->shift)};
}

/// The layer's values, from its sums without biases.
DenseValues make_values(const DenseLayer& layer, const float* inner, const float* outer) {
  return {.form = layer.outer.empty() ? DenseForm::kSum : DenseForm::kSums,
          .relu = layer.activation == Activation::kRelu,
          .inner = inner,
          .inner_bias = data_of(layer.inner.bias),
          .outer = outer,
          .outer_bias = data_of(layer.outer.bias)};
}

/// The layer's values, as a forward pass in training saved them.
DenseValues saved_values(const DenseLayer& layer, const DenseStateStorage& saved) {
  if (layer.outer.empty()) {
    const bool multiplied = has_products(layer.inner);
    return make_values(layer, multiplied ? saved.values.data() : data_of(layer.inner.addend),
                       nullptr);
  }
  return {.form = DenseForm::kSaved,
          .relu = layer.activation == Activation::kRelu,
          .inner = saved.values.data()};
}

bool wants_products(const DenseSumGradients& gradients) {
  return std::ranges::any_of(gradients.terms, [](const DenseTermGradients& term) {
    return term.input != nullptr || term.weight != nullptr;
  });
}

}  // namespace

/// out (N, C) = left (N, F) · right (F, C) + addend + bias, or with rightᵀ for a right (C, F). No
/// size is zero.
struct CudaBackend::RowProduct {
  MatrixView<const float> left;
  MatrixView<const float> right;  // as stored
  Transposed transposed = Transposed::kNo;
  MatrixView<float> out;
  const float* addend = nullptr;  // of out's shape
  const float* bias = nullptr;

  ProductShape shape(std::int64_t rows) const {
    return {.rows = rows,
            .cols = out.cols,
            .depth = left.cols,
            .left = {.stride = left.stride},
            .right = {.transposed = transposed, .stride = right.stride},
            .out = {.stride = out.stride},
            .with_bias = bias != nullptr};
  }
};

/// The library, made when first needed. While a step is being captured, only products that were
/// computed before are allowed: choosing an algorithm could load code, or allocate.
Matmul& CudaBackend::matmul(const ProductShape& shape) {
  if (recording_ != nullptr && recording_->capturing() &&
      (matmul_ == nullptr || !matmul_->knows(shape))) {
    throw ShapeError(std::string(kOp) +
                     ": a recorded step needs other products than its first run");
  }
  const Queue now = queue();  // a product comes after what waits, also if the library is there
  if (matmul_ == nullptr) matmul_ = std::make_unique<Matmul>(pool_memory(), now);
  return *matmul_;
}

void CudaBackend::multiply_rows(const RowProduct& product) {
  const std::int64_t rows = product.out.rows;
  for (std::int64_t first = 0; first < rows; first += Matmul::kMaxRows) {
    const ProductShape shape = product.shape(std::min(Matmul::kMaxRows, rows - first));
    const std::int64_t at = first * product.out.stride;
    matmul(shape).run(shape, {.left = product.left.row(first),
                              .right = product.right.data,
                              .out = product.out.data + at,
                              .addend = product.addend == nullptr ? nullptr : product.addend + at,
                              .bias = product.bias});
  }
}

/// out (F, C) = inputᵀ (F, N) · gradient (N, C): the rows are split, the parts added up in order.
void CudaBackend::multiply_weight(const Matrix& input, const float* gradient, Matrix& out) {
  const MatrixView<const float> x = read_only_view(input);
  const MatrixView<float> to = view(out);
  const WeightCuts cuts = cut_weight_rows(x.rows, x.cols, to.cols, Matmul::kMaxRows);
  const std::int64_t size = to.rows * to.stride;
  const std::int64_t step = ceil_div(size, kAlignment) * kAlignment;
  float* parts = cuts.splits == 1 ? to.data : grow(dense_.products, cuts.splits * step, kOp);
  const auto run = [&](std::int64_t first, std::int64_t count, std::int64_t rows) {
    const bool several = count > 1;
    const ProductShape shape{.rows = x.cols,
                             .cols = to.cols,
                             .depth = rows,
                             .left = {.transposed = Transposed::kYes,
                                      .stride = x.stride,
                                      .step = several ? rows * x.stride : 0},
                             .right = {.stride = to.stride, .step = several ? rows * to.stride : 0},
                             .out = {.stride = to.stride, .step = several ? step : 0},
                             .batch = static_cast<std::int32_t>(count)};
    const std::int64_t row = first * cuts.split_rows;
    matmul(shape).run(
        shape,
        {.left = x.row(row), .right = gradient + row * to.stride, .out = parts + first * step});
  };
  const std::int64_t whole = x.rows / cuts.split_rows;
  if (whole > 0) run(0, whole, cuts.split_rows);
  if (whole < cuts.splits) run(whole, 1, x.rows - whole * cuts.split_rows);
  if (cuts.splits == 1) return;
  launch_dense_merge(queue(), {.partials = parts,
                               .parts = cuts.splits,
                               .step = step,
                               .size = size,
                               .cols = to.cols,
                               .stride = to.stride,
                               .out = {to.data}});
}

/// Computes the sum without its bias and returns where it is: in `to` if there are products; else
/// it is the addend, or null.
const float* CudaBackend::sum_products(const DenseSum& sum, const MatrixView<float>& to) {
  const float* added = data_of(sum.addend);
  for (const DenseTerm& term : sum.terms) {
    if (!is_product(term)) continue;
    multiply_rows({.left = read_only_view(*term.input),
                   .right = read_only_view(*term.weight),
                   .out = to,
                   .addend = added});
    added = to.data;
  }
  return added;
}

/// z = the sum. The last product adds the bias in its epilogue, if the library has one for it.
void CudaBackend::linear(const DenseSum& sum, Matrix& z) {
  const MatrixView<float> to = view(z);
  const auto last = std::find_if(sum.terms.rbegin(), sum.terms.rend(), is_product);
  const float* added = data_of(sum.addend);
  const float* bias = data_of(sum.bias);
  for (const DenseTerm& term : sum.terms) {
    if (!is_product(term)) continue;
    RowProduct product{.left = read_only_view(*term.input),
                       .right = read_only_view(*term.weight),
                       .out = to,
                       .addend = added};
    if (&term == &*last && bias != nullptr) {
      product.bias = bias;
      const ProductShape whole = product.shape(std::min(Matmul::kMaxRows, to.rows));
      const ProductShape rest = product.shape(to.rows % Matmul::kMaxRows);
      const bool fused =
          matmul(whole).serves(whole) && (rest.rows == 0 || matmul(rest).serves(rest));
      if (fused) {
        bias = nullptr;
      } else {
        product.bias = nullptr;
      }
    }
    multiply_rows(product);
    added = to.data;
  }
  if (added == to.data && bias == nullptr) return;
  launch_dense_output(queue(), {.rows = cut_dense_rows(to.rows, to.stride),
                                .values = {.inner = added, .inner_bias = bias},
                                .norm = {},
                                .z = to.data});
}

DenseState CudaBackend::make_dense_state(std::int64_t rows, std::int64_t cols) {
  expect_not_recording("make_dense_state");
  check_make_dense_state(rows, cols);
  expect_all_columns("make_dense_state");
  check_allocate(rows, cols, sizeof(float));
  check_allocate(rows, padded(cols), sizeof(float));
  const DeviceScope scope = use_device();
  return {std::make_unique<DenseStateStorage>(rows, cols, pool_memory()), rows, cols};
}

void CudaBackend::linear_relu_batchnorm(const DenseLayer& layer, DenseMode mode, DenseState& state,
                                        Matrix& z) {
  const Range range(kOp);
  check_linear_relu_batchnorm(layer, mode, state, z);
  const DeviceScope scope = use_device();
  const MatrixView<float> out = view(z);
  if (out.rows == 0 || out.cols == 0) return;
  if (is_linear(layer) && layer.outer.empty()) {
    linear(layer.inner, z);
    refresh_copies({&z});
    return;
  }

  DenseStateStorage& saved = storage(state);
  const MatrixView<float> kept{saved.values.data(), out.rows, out.cols, out.stride};
  const bool training = mode == DenseMode::kTraining;
  // z is free until the end: it holds the sum that need not be kept.
  const float* inner = sum_products(layer.inner, training ? kept : out);
  const float* outer = sum_products(layer.outer, training ? out : kept);
  const DenseRows rows = cut_dense_rows(out.rows, out.stride);
  DenseOutputTask task{.rows = rows,
                       .values = make_values(layer, inner, outer),
                       .norm = make_norm(layer, saved),
                       .z = out.data};
  if (layer.batch_norm.has_value() && training) {
    const BatchNorm& norm = *layer.batch_norm;
    launch_dense_statistics(queue(),
                            {.rows = rows,
                             .values = task.values,
                             .saved = kept.data,
                             .partials = grow(dense_.partials, dense_partials_size(rows), kOp),
                             .mean = saved.mean(),
                             .inverse_deviation = saved.inverse_deviation(),
                             .running_mean = data_of(norm.running_mean),
                             .running_variance = data_of(norm.running_variance),
                             .cols = out.cols,
                             .epsilon = norm.epsilon,
                             .momentum = norm.momentum});
    task.values = saved_values(layer, saved);
  } else if (layer.batch_norm.has_value()) {
    launch_dense_running(queue(), {.running_mean = data_of(layer.batch_norm->running_mean),
                                   .running_variance = data_of(layer.batch_norm->running_variance),
                                   .mean = saved.mean(),
                                   .inverse_deviation = saved.inverse_deviation(),
                                   .cols = out.cols,
                                   .epsilon = layer.batch_norm->epsilon});
  } else if (training) {
    task.saved = kept.data;
  }
  launch_dense_output(queue(), task);
  refresh_copies({&z});
  if (layer.batch_norm.has_value()) {
    refresh_copies({layer.batch_norm->running_mean, layer.batch_norm->running_variance});
  }
}

/// The gradients of a sum's inputs and weights, from `gradient` (N, C), that of the sum.
void CudaBackend::differentiate(const DenseSum& sum, const DenseSumGradients& gradients,
                                const float* gradient, const DenseState& state) {
  const std::int64_t rows = state.rows();
  const std::int64_t cols = state.cols();
  const bool empty = rows == 0 || cols == 0;
  for (std::size_t t = 0; t < gradients.terms.size(); ++t) {
    const DenseTerm& term = sum.terms[t];
    const DenseTermGradients& wanted = gradients.terms[t];
    if (!is_product(term)) continue;
    if (wanted.weight != nullptr) {
      if (empty) {
        launch_fill(queue(), view(*wanted.weight), 0.0F);
      } else {
        multiply_weight(*term.input, gradient, *wanted.weight);
      }
    }
    if (wanted.input == nullptr) continue;
    const bool adds = wanted.input_write == DenseTermGradients::Write::kAdd;
    const MatrixView<float> out = view(*wanted.input);
    if (!empty) {
      multiply_rows({.left = {gradient, rows, cols, padded(cols)},
                     .right = read_only_view(*term.weight),
                     .transposed = Transposed::kYes,
                     .out = out,
                     .addend = adds ? out.data : nullptr});
    } else if (!adds) {
      launch_fill(queue(), out, 0.0F);
    }
  }
}

void CudaBackend::linear_relu_batchnorm_backward(const DenseLayer& layer, DenseState& state,
                                                 const Matrix& grad_z,
                                                 const DenseGradients& gradients) {
  const Range range("linear_relu_batchnorm_backward");
  check_linear_relu_batchnorm_backward(layer, state, grad_z, gradients);
  const DeviceScope scope = use_device();
  const DenseStateStorage& saved = storage(state);
  const MatrixView<const float> in = read_only_view(grad_z);
  if (in.rows == 0 || in.cols == 0) {
    for (Matrix* bias : {gradients.inner.bias, gradients.outer.bias}) {
      if (bias != nullptr) launch_fill(queue(), view(*bias), 0.0F);
    }
  }
  // Where the gradient of a sum goes: to the caller's matrix, or to a workspace if only the
  // products need it. In a linear layer it equals grad_z and is not written at all.
  const auto place_of = [&](const DenseSumGradients& sum, Workspace& workspace) -> float* {
    if (sum.addend != nullptr) return data_of(sum.addend);
    if (is_linear(layer) || !wants_products(sum)) return nullptr;
    return grow(workspace, in.rows * in.stride, kOp);
  };
  DenseGradientTask task{.rows = cut_dense_rows(in.rows, in.stride),
                         .values = saved_values(layer, saved),
                         .norm = make_norm(layer, saved),
                         .cols = in.cols,
                         .grad_z = in.data,
                         .grad_scale = data_of(gradients.scale),
                         .grad_shift = data_of(gradients.shift),
                         .grad_inner_bias = data_of(gradients.inner.bias),
                         .grad_outer_bias = data_of(gradients.outer.bias),
                         .grad_inner = place_of(gradients.inner, dense_.gradients[0]),
                         .grad_outer = place_of(gradients.outer, dense_.gradients[1])};
  if (in.rows > 0 && in.cols > 0) {
    task.partials = grow(dense_.partials, dense_partials_size(task.rows), kOp);
    if (layer.batch_norm.has_value()) {
      float* columns = grow(dense_.columns, 2 * in.stride, kOp);
      if (task.grad_scale == nullptr) task.grad_scale = columns;
      if (task.grad_shift == nullptr) task.grad_shift = columns + in.stride;
    }
    launch_dense_gradient(queue(), task);
  }
  differentiate(layer.outer, gradients.outer, task.grad_outer ? task.grad_outer : in.data, state);
  differentiate(layer.inner, gradients.inner, task.grad_inner ? task.grad_inner : in.data, state);
  refresh_copies({gradients.scale, gradients.shift});
  for (const DenseSumGradients* sum : {&gradients.inner, &gradients.outer}) {
    refresh_copies({sum->addend, sum->bias});
    for (const DenseTermGradients& term : sum->terms) refresh_copies({term.input, term.weight});
  }
}

}  // namespace tern::cuda
