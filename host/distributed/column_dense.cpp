// The dense layers of gcmc, whose weights mix columns, and dropout. A rank has the columns of a weight that
// make its own columns of the result:
//
//   forward   gathers each input whole, (N, F), and computes its own columns of z
//   backward  gathers the inputs again for its own columns of ∂weight; computes its part of ∂input, which
//             is a sum over all columns of z, as a whole table, and gets its own columns of the sum
//
// ReLU, batch normalisation and biases work on columns alone. Inputs are gathered again, not kept: a layer
// has three of them, and kept they would not shrink with the number of ranks, as all else does.

#include <memory>
#include <utility>

#include "host/backend/checks.hpp"
#include "host/cpu/backend.hpp"
#include "host/distributed/column_backend.hpp"
#include "host/distributed/column_storage.hpp"
#include "tern/error.hpp"

namespace tern::distributed {
namespace {

DenseState& own_state(const DenseState& state) {
  return storage_of<ColumnDenseState>(state, "ranks", "state").part;
}

MatrixView<const float> const_view(const Matrix& matrix) {
  const MatrixView<float> v = cpu::view(matrix);
  return {v.data, v.rows, v.cols, v.stride};
}

/// Whether the backward pass reads the input of a term.
bool reads_input(const DenseSumGradients& gradients, std::size_t term) {
  return term < gradients.terms.size() && gradients.terms[term].weight != nullptr;
}

}  // namespace

const Matrix& ColumnBackend::whole_input(const Matrix& input, WholeTables::Lease& lease) {
  if (!is_split(input) || communicator_.size() == 1) return part(input);
  Matrix& whole = lease.make(input.rows(), input.cols());
  exchange_.gather<float>(const_view(part(input)), cpu::view(whole));
  return whole;
}

template <class Reads>
DenseSum ColumnBackend::part_of(const DenseSum& sum, WholeTables::Lease& lease,
                                const Reads& reads) {
  DenseSum own;
  for (std::size_t t = 0; t < sum.terms.size(); ++t) {
    const auto& [input, weight] = sum.terms[t];
    const Matrix& whole =
        reads(t) ? whole_input(*input, lease) : lease.make(input->rows(), input->cols());
    own.terms.push_back({&whole, &part(*weight)});
  }
  if (sum.addend != nullptr) own.addend = &part(*sum.addend);
  if (sum.bias != nullptr) own.bias = &part(*sum.bias);
  return own;
}

std::optional<BatchNorm> ColumnBackend::part_of(const std::optional<BatchNorm>& norm) {
  if (!norm) return norm;
  BatchNorm own = *norm;
  own.scale = &part(*norm->scale);
  own.shift = &part(*norm->shift);
  own.running_mean = &part(*norm->running_mean);
  own.running_variance = &part(*norm->running_variance);
  return own;
}

DenseState ColumnBackend::make_dense_state(std::int64_t rows, std::int64_t cols) {
  check_make_dense_state(rows, cols);
  expect_enough_columns("the width of a layer", cols, communicator_.size());
  DenseState own = inner_->make_dense_state(rows, columns(cols).size());
  return {std::make_unique<ColumnDenseState>(std::move(own)), rows, cols};
}

void ColumnBackend::linear_relu_batchnorm(const DenseLayer& layer, DenseMode mode,
                                          DenseState& state, Matrix& z) {
  check_linear_relu_batchnorm(layer, mode, state, z);
  WholeTables::Lease lease(whole_tables_);
  const auto all = [](std::size_t) { return true; };
  const DenseLayer own{.inner = part_of(layer.inner, lease, all),
                       .outer = part_of(layer.outer, lease, all),
                       .activation = layer.activation,
                       .batch_norm = part_of(layer.batch_norm)};
  inner_->linear_relu_batchnorm(own, mode, own_state(state), part(z));
}

void ColumnBackend::linear_relu_batchnorm_backward(const DenseLayer& layer, DenseState& state,
                                                   const Matrix& grad_z,
                                                   const DenseGradients& gradients) {
  check_linear_relu_batchnorm_backward(layer, state, grad_z, gradients);
  WholeTables::Lease lease(whole_tables_);
  const auto part_of_layer = [&](const DenseSum& sum, const DenseSumGradients& of) {
    return part_of(sum, lease, [&](std::size_t t) { return reads_input(of, t); });
  };
  const DenseLayer own{.inner = part_of_layer(layer.inner, gradients.inner),
                       .outer = part_of_layer(layer.outer, gradients.outer),
                       .activation = layer.activation,
                       .batch_norm = part_of(layer.batch_norm)};
  const auto part_or_null = [this](Matrix* matrix) {
    return matrix == nullptr ? nullptr : &part(*matrix);
  };
  const bool alone = communicator_.size() == 1;
  const auto part_of_gradients = [&](const DenseSumGradients& of) {
    DenseSumGradients parts{.addend = part_or_null(of.addend), .bias = part_or_null(of.bias)};
    for (const DenseTermGradients& term : of.terms) {
      DenseTermGradients& own_term = parts.terms.emplace_back(term);
      own_term.weight = part_or_null(term.weight);
      own_term.input = part_or_null(term.input);
      if (term.input == nullptr || alone) continue;
      if (!is_split(*term.input)) {
        throw ShapeError("linear_relu_batchnorm_backward: found a replicated gradient of an input");
      }
      own_term.input = &lease.make(term.input->rows(), term.input->cols());
      own_term.input_write = DenseTermGradients::Write::kOverwrite;
    }
    return parts;
  };
  const DenseGradients parts{.inner = part_of_gradients(gradients.inner),
                             .outer = part_of_gradients(gradients.outer),
                             .scale = part_or_null(gradients.scale),
                             .shift = part_or_null(gradients.shift)};
  inner_->linear_relu_batchnorm_backward(own, own_state(state), part(grad_z), parts);
  if (alone) return;
  const auto reduce = [&](const DenseSumGradients& to, const DenseSumGradients& from) {
    for (std::size_t t = 0; t < to.terms.size(); ++t) {
      const DenseTermGradients& term = to.terms[t];
      if (term.input == nullptr) continue;
      exchange_.reduce(const_view(*from.terms[t].input), cpu::view(part(*term.input)),
                       term.input_write);
    }
  };
  reduce(gradients.inner, parts.inner);
  reduce(gradients.outer, parts.outer);
}

void ColumnBackend::dropout(const DropoutOptions& options, const Counter& step, Matrix& values) {
  begin_whole_rows("dropout", values);
  inner_->dropout(options, own_counter(step), part(values));
}

}  // namespace tern::distributed
