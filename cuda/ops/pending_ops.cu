#include "cuda/ops/pending_ops.hpp"

#include <utility>

#include "cuda/backend.hpp"
#include "cuda/ops/gather_copy.hpp"

namespace tern::cuda {
namespace {

/// Whether a propagation reads an array, other than rows of x by their ids.
bool reads_array(const PropagateTask& task, const float* array) {
  return task.x.data == array || task.addend == array || task.to_scale == array ||
         task.from_scale == array;
}

bool is_empty(const PropagateTask& task) {
  return task.y.rows == 0 || task.y.stride == 0;
}

}  // namespace

bool PendingOps::accepts(const PropagateTask& task) const {
  if (count_ != 1 || penalty_ || adams_[0].parameter != nullptr) return false;
  const PropagateTask& waiting = tasks_[0];
  // One direction of one graph has one workspace of partial sums.
  return waiting.csr.offsets != task.csr.offsets && !is_empty(waiting) && !is_empty(task) &&
         waiting.x.stride == task.x.stride &&
         (waiting.from_marks == nullptr) == (task.from_marks == nullptr) &&
         (waiting.x_copy.values == nullptr) == (task.x_copy.values == nullptr) &&
         waiting.y.data != task.y.data && !reads_array(waiting, task.y.data) &&
         !reads_array(task, waiting.y.data);
}

void PendingOps::add(const PropagateTask& task) {
  tasks_[count_++] = task;
}

int PendingOps::source_of(const float* array) const {
  for (int i = 0; i < count_; ++i) {
    if (tasks_[i].y.data == array && tasks_[i].to.every() && finishes_rows(tasks_[i].y.stride)) {
      return i;
    }
  }
  return -1;
}

/// Whether a propagation that waits reads or writes an array.
bool PendingOps::touches(const float* array) const {
  for (int i = 0; i < count_; ++i) {
    if (tasks_[i].y.data == array || reads_array(tasks_[i], array)) return true;
  }
  return false;
}

bool PendingOps::take(const L2PenaltyTask& task) {
  if (count_ != 2 || penalty_ || adams_[0].parameter != nullptr || adams_[1].parameter != nullptr) {
    return false;
  }
  for (int side = 0; side < 2; ++side) {
    if (source_of(task.gradients[side].data) < 0 || touches(task.values[side].data)) return false;
  }
  if (task.lambda == 0.0) return false;
  penalty_ = task;
  return true;
}

/// The side whose gradient this is, one of the penalty's two.
int PendingOps::penalized_side(const float* gradient) const {
  return penalty_->gradients[0].data == gradient ? 0 : 1;
}

bool PendingOps::take(const IncrementTask& task) {
  if (!penalty_ || increment_.counter != nullptr || uses(task.counter)) return false;
  increment_ = task;
  return true;
}

bool PendingOps::take(const AdamTask& task) {
  const int source = source_of(task.gradient);
  if (source < 0 || !task.only.every() || adams_[source].parameter != nullptr) return false;
  for (const float* array : {task.parameter, task.first_moment, task.second_moment}) {
    if (touches(array)) return false;
    for (const AdamTask& other : adams_) {
      if (array == other.parameter || array == other.first_moment || array == other.second_moment) {
        return false;
      }
    }
  }
  if (penalty_) {
    if (penalty_->values[penalized_side(task.gradient)].data != task.parameter) return false;
  }
  adams_[source] = task;
  return true;
}

bool PendingOps::uses(const std::int64_t* counter) const {
  return increment_.counter == counter || adams_[0].step == counter || adams_[1].step == counter;
}

/// Whether each propagation has its step of Adam.
bool PendingOps::updates_all() const {
  for (int i = 0; i < count_; ++i) {
    if (adams_[i].parameter == nullptr) return false;
  }
  return true;
}

/// The penalty and the step of Adam that propagation `task` makes in its launch.
RowUpdate PendingOps::update_of(int task) const {
  RowUpdate update;
  update.adam = adams_[task];
  update.adam.uncounted = update.adam.step == increment_.counter ? 1 : 0;
  if (!penalty_) return update;
  const int side = penalized_side(tasks_[task].y.data);
  update.lambda = penalty_->lambda;
  update.batch = penalty_->batch.state;
  update.span = penalty_->batch.state->rows + side;
  update.starts = penalty_->batch.sides[side].starts;
  update.places = penalty_->places[side];
  update.terms = penalty_->terms + (side == 0 ? 0 : penalty_->batch.sides[0].capacity);
  return update;
}

void PendingOps::launch(const Queue& queue) {
  if (count_ == 0) return;
  const PendingOps ops = std::exchange(*this, {});
  const bool together = ops.updates_all();
  PropagateLaunch launch;
  launch.count = ops.count_;
  for (int i = 0; i < ops.count_; ++i) {
    launch.tasks[i] = ops.tasks_[i];
    if (together) launch.updates[i] = ops.update_of(i);
  }
  launch_propagate(queue, launch);
  if (together) {
    if (ops.penalty_) launch_l2_penalty_loss(queue, *ops.penalty_, ops.increment_);
    return;
  }
  if (ops.increment_.counter != nullptr) launch_increment(queue, ops.increment_);
  if (ops.penalty_) {
    launch_l2_penalty(queue, *ops.penalty_);
    for (const PropagateTask& task : ops.tasks_) {
      launch_gather_copy(queue, {task.y.data, task.y.rows, task.y.cols, task.y.stride},
                         task.y_copy);
    }
  }
  for (const AdamTask& adam : ops.adams_) {
    if (adam.parameter != nullptr) launch_adam(queue, adam);
  }
}

Queue CudaBackend::queue() {
  const Queue queue{stream_.get(), multiprocessors_, options_.synchronous, ranks_.get()};
  if (recording_ != nullptr) recording_->pending().launch(queue);
  return queue;
}

Queue CudaBackend::queue_of_counters(const Counter& counter) {
  if (recording_ == nullptr || recording_->pending().uses(storage(counter).value.data())) {
    return queue();
  }
  return {stream_.get(), multiprocessors_, options_.synchronous};
}

bool CudaBackend::deferred(const L2PenaltyTask& task) {
  return recording_ != nullptr && recording_->pending().take(task);
}

bool CudaBackend::deferred(const IncrementTask& task) {
  return recording_ != nullptr && recording_->pending().take(task);
}

bool CudaBackend::deferred(const AdamTask& task) {
  return recording_ != nullptr && recording_->pending().take(task);
}

CudaRecording::CudaRecording(CudaBackend& backend, std::function<void()> step)
    : backend_(backend), step_(std::move(step)), pending_(std::make_unique<PendingOps>()) {}

CudaRecording::~CudaRecording() = default;

void CudaRecording::drop_pending() {
  *pending_ = {};
}

}  // namespace tern::cuda
