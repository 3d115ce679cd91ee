#include <string>
#include <utility>

#include "cuda/backend.hpp"
#include "cuda/ops/adam.hpp"
#include "cuda/ops/bpr.hpp"
#include "cuda/ops/l2_penalty.hpp"
#include "cuda/ops/propagate.hpp"
#include "cuda/ops/sgd.hpp"
#include "host/backend/checks.hpp"
#include "tern/error.hpp"

// The ops of a training step: checked, turned into tasks, launched. Nothing here waits.

namespace tern::cuda {
namespace {

RowsView rows_view(const RowSet* rows) {
  return rows == nullptr ? RowsView() : storage(*rows).view;
}

std::int64_t* fault_counter(const Counter* fault) {
  return fault == nullptr ? nullptr : storage(*fault).value.data();
}

BatchView batch_view(const TripletsStorage& state) {
  BatchView batch{
      .state = state.state.data(), .triplets = state.window.data(), .batch_size = state.batch_size};
  for (int side = 0; side < 2; ++side) {
    const SidePlan& plan = state.plans[side];
    batch.sides[side] = {plan.rows.data(), plan.starts.data(), plan.occurrences.data(),
                         plan.set->view.capacity};
  }
  return batch;
}

}  // namespace

float* CudaBackend::grow(Workspace& workspace, std::int64_t size, const char* op) {
  const bool capturing = recording_ != nullptr && recording_->capturing();
  if (workspace.values.size() < size) {
    if (capturing) {
      throw ShapeError(std::string(op) +
                       ": a recorded step asks for larger matrices than its first run.");
    }
    if (workspace.recorded) workspace.outgrown.push_back(std::move(workspace.values));
    workspace.values = DeviceArray<float>();  // the old one first
    workspace.values = DeviceArray<float>(size, pool_memory());
  }
  workspace.recorded = workspace.recorded || capturing;
  return workspace.values.data();
}

void CudaBackend::propagate(const Graph& graph, Side to, const Matrix& x, Matrix& y,
                            const PropagateOptions& options) {
  const Range range("propagate");
  check_propagate(graph, to, x, y, options);
  GraphStorage& parts = storage(graph);
  const DeviceScope scope = use_device();
  Direction& rows = parts.direction(to);
  const bool normalized = options.normalization == Normalization::kDegree;
  PropagateTask task{
      .csr = parts.csr(to),
      .to_scale = normalized ? rows.scale.data() : nullptr,
      .from_scale = normalized ? parts.direction(opposite(to)).scale.data() : nullptr,
      .x = read_only_view(x),
      .y = view(y),
      .to = rows_view(options.to),
      .scale = static_cast<float>(options.scale),
      .segments = rows.segments.data(),
      .num_segments = static_cast<std::int32_t>(rows.segments.size()),
      .split = rows.split.data(),
      .num_split = static_cast<std::int32_t>(rows.split.size())};
  task.partials = grow(rows.partials, partials_size(rows.slots, task.x.stride), "propagate");
  if (options.from != nullptr) task.from_marks = rows_view(options.from).marks;
  if (options.addend != nullptr) task.addend = view(*options.addend).data;
  if (options.addend_rows != nullptr) task.addend_marks = rows_view(options.addend_rows).marks;
  launch_propagate(queue(), task);
}

void CudaBackend::bpr(Triplets& triplets, const Matrix& users, const Matrix& items,
                      Matrix& grad_users, Matrix& grad_items, Matrix& losses) {
  const Range range("bpr");
  check_bpr(triplets, users, items, grad_users, grad_items, losses);
  const TripletsStorage& state = storage(triplets);
  check_sampled("bpr", state.sampled);
  const DeviceScope scope = use_device();
  const BprTask task{.batch = batch_view(state),
                     .users = read_only_view(users),
                     .items = read_only_view(items),
                     .grad_users = view(grad_users),
                     .grad_items = view(grad_items),
                     .losses = view(losses),
                     .weights = state.weights.data(),
                     .terms = state.terms.data()};
  state.fused ? launch_bpr_fused(queue(), task) : launch_bpr(queue(), task);
}

void CudaBackend::l2_penalty(Triplets& triplets, double lambda, const Matrix& users,
                             const Matrix& items, Matrix& grad_users, Matrix& grad_items,
                             Matrix& losses) {
  const Range range("l2_penalty");
  check_l2_penalty(triplets, lambda, users, items, grad_users, grad_items, losses);
  const TripletsStorage& state = storage(triplets);
  check_sampled("l2_penalty", state.sampled);
  const DeviceScope scope = use_device();
  const L2PenaltyTask task{.batch = batch_view(state),
                           .lambda = lambda,
                           .values = {read_only_view(users), read_only_view(items)},
                           .gradients = {view(grad_users), view(grad_items)},
                           .losses = view(losses),
                           .terms = state.terms.data()};
  state.fused ? launch_l2_penalty_fused(queue(), task) : launch_l2_penalty(queue(), task);
}

void CudaBackend::adam(const AdamOptions& options, const Counter& step, const Matrix& gradient,
                       Matrix& parameter, AdamState& state, const RowSet* rows, Counter* fault) {
  const Range range("adam");
  check_adam(options, step, gradient, parameter, state, rows, fault);
  const DeviceScope scope = use_device();
  const MatrixView<float> p = view(parameter);
  launch_adam(queue(), {.learning_rate = options.learning_rate,
                        .beta1 = options.beta1,
                        .beta2 = options.beta2,
                        .epsilon = static_cast<float>(options.epsilon),
                        .weight_decay = static_cast<float>(options.weight_decay),
                        .step = storage(step).value.data(),
                        .gradient = view(gradient).data,
                        .parameter = p.data,
                        .first_moment = view(state.first_moment).data,
                        .second_moment = view(state.second_moment).data,
                        .rows = p.rows,
                        .cols = p.cols,
                        .stride = p.stride,
                        .only = rows_view(rows),
                        .fault = fault_counter(fault)});
}

void CudaBackend::sgd(const SgdOptions& options, const Counter& step, const Matrix& gradient,
                      Matrix& parameter, SgdState& state, const RowSet* rows, Counter* fault) {
  const Range range("sgd");
  check_sgd(options, step, gradient, parameter, state, rows, fault);
  const DeviceScope scope = use_device();
  const MatrixView<float> p = view(parameter);
  launch_sgd(queue(), {.learning_rate = finite_factor(options.learning_rate),
                       .momentum = static_cast<float>(options.momentum),
                       .weight_decay = finite_factor(options.weight_decay),
                       .gradient = view(gradient).data,
                       .parameter = p.data,
                       .velocity = options.momentum == 0.0 ? nullptr : view(state.velocity).data,
                       .rows = p.rows,
                       .stride = p.stride,
                       .only = rows_view(rows),
                       .step = storage(step).value.data(),
                       .fault = fault_counter(fault)});
}

}  // namespace tern::cuda
