// next_batch: moves from one batch to the next, on the device alone. Integers alone: exact.
//
// In the reproducible form one launch leaves a batch and enters the next of its window. A row may belong
// to both, so a mark is a count: one thread takes 1 from it, another adds 1, in any order. For each
// distinct row of the batch a byte and its place are written at random and four bytes are read in order:
// a few microseconds of latency. The plan is not copied: the state says where the batch lies in the arrays
// of its window. After the last batch of a window the batch is left, the next window is drawn and planned
// (next_batch_plan.cu), and its first batch is entered.
//
// The fused form plans nothing: on entering a batch one kernel draws its triplets and lists their
// rows; an atomic mark decides which thread lists a row. The models need the rows before the loss,
// so drawing cannot wait for it.
//
// The host knows by counting which batch is current, and asks the device nothing.

#include <algorithm>

#include "cuda/backend.hpp"
#include "cuda/ops/next_batch_plan.hpp"
#include "cuda/ops/sample_draw.cuh"
#include "host/backend/checks.hpp"

namespace tern::cuda {
namespace {

/// One side of the batches: their distinct rows, and the marks of the current batch's rows.
struct NextBatchSide {
  const NodeId* rows = nullptr;             // of the window's batches
  const std::int32_t* first_row = nullptr;  // (batches of the window + 1)
  std::uint8_t* marks = nullptr;            // (nodes)
  std::int32_t* places = nullptr;           // (nodes), valid where marked
  std::int64_t capacity = 0;                // the most distinct rows that a batch can have

  /// The place of the rows of the window's batch `place`.
  __device__ RowSpan span(std::int64_t place) const {
    const std::int64_t begin = first_row[place];
    return {begin, first_row[place + 1] - begin};
  }
};

/// One move to another batch; all pointers on the device.
struct NextBatchTask {
  BatchState* state = nullptr;
  std::int64_t num_batches = 0;
  std::int64_t batch_size = 0;
  std::int64_t num_triplets = 0;  // of the epoch
  NextBatchSide sides[2] = {};    // [Side]
};

/// The batch that follows: if window_first < 0 the one after the current one (after the last, the
/// first), in the same window; else batch window_first, which begins a new window.
struct BatchTarget {
  std::int64_t window_first = -1;
};

constexpr int kNextBatchThreads = 256;

/// Clears the marks of the current batch's rows and names the next batch. Grid: (rows, sides).
__global__ void __launch_bounds__(kNextBatchThreads)
    leave_batch_kernel(const __grid_constant__ NextBatchTask task, BatchTarget target) {
  const NextBatchSide& side = task.sides[blockIdx.y];
  const RowSpan span = task.state->rows[blockIdx.y];
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kNextBatchThreads + threadIdx.x;
  if (i < span.count) side.marks[side.rows[span.begin + i]] = 0;
  if (i == 0 && blockIdx.y == 0) {  // no other thread reads these here
    const std::int64_t next = task.state->batch + 1;
    if (target.window_first >= 0) {
      task.state->batch = target.window_first;
      task.state->window_first = target.window_first;
    } else {
      task.state->batch = next == task.num_batches ? 0 : next;
    }
  }
}

/// Adds to the mark of a row. A mark is a byte and the atomics have 32 bits, but none overflows into its
/// neighbours: it lies between 0 and 2, and is 0 or 1 in the end.
__device__ inline void add_to_mark(std::uint8_t* marks, NodeId row, int change) {
  auto* word = reinterpret_cast<unsigned*>(marks) + row / 4;
  atomicAdd(word, static_cast<unsigned>(change) << (row % 4 * 8));
}

/// Makes a batch of the window current: its triplets, its rows and their marks. kMoves: it is the one after
/// the current one (after the last, the first), which is left; else the one that the state names, and no
/// row is marked. Grid: (rows, sides).
template <bool kMoves>
__global__ void __launch_bounds__(kNextBatchThreads)
    enter_batch_kernel(const __grid_constant__ NextBatchTask task) {
  BatchState& state = *task.state;
  const NextBatchSide& side = task.sides[blockIdx.y];
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kNextBatchThreads + threadIdx.x;
  std::int64_t batch = state.batch;
  if constexpr (kMoves) {
    batch = batch + 1 == task.num_batches ? 0 : batch + 1;
    const RowSpan left = state.rows[blockIdx.y];
    if (i < left.count) add_to_mark(side.marks, side.rows[left.begin + i], -1);
  }
  const std::int64_t place = batch - state.window_first;
  const RowSpan entered = side.span(place);
  if (i < entered.count) {
    const NodeId row = side.rows[entered.begin + i];
    add_to_mark(side.marks, row, 1);
    side.places[row] = static_cast<std::int32_t>(i);
  }
  __syncthreads();
  if (threadIdx.x != 0) return;
  // All blocks read the state above: the last of them writes it.
  __threadfence();
  if (atomicAdd(&state.blocks_done, 1U) + 1 < gridDim.x * gridDim.y) return;
  state.blocks_done = 0;  // for the next launch
  state.batch = batch;
  state.first = place * task.batch_size;
  state.count = min(task.batch_size, task.num_triplets - batch * task.batch_size);
  for (int s = 0; s < 2; ++s) state.rows[s] = task.sides[s].span(place);
}

LaunchShape next_batch_shape(const NextBatchTask& task) {
  const std::int64_t rows = std::max(task.sides[0].capacity, task.sides[1].capacity);
  return {.blocks = ceil_div(rows, kNextBatchThreads), .threads = kNextBatchThreads, .blocks_y = 2};
}

void launch_leave_batch(const Queue& queue, const NextBatchTask& task, BatchTarget target) {
  const Launcher launch(queue);
  launch(next_batch_shape(task), leave_batch_kernel, task, target);
}

/// Enters the batch that the state names. The batch before was left, and perhaps a window planned since.
void launch_enter_batch(const Queue& queue, const NextBatchTask& task) {
  const Launcher launch(queue);
  launch(next_batch_shape(task), enter_batch_kernel<false>, task);
}

/// Leaves the current batch and enters the next of the same window.
void launch_move_batch(const Queue& queue, const NextBatchTask& task) {
  const Launcher launch(queue);
  launch(next_batch_shape(task), enter_batch_kernel<true>, task);
}

/// A side of the current batch in the fused form: its distinct rows in no particular order.
struct FusedSide {
  NodeId* rows = nullptr;         // (capacity)
  std::uint8_t* marks = nullptr;  // (nodes, rounded up to 4)
  std::int64_t capacity = 0;
};

/// The drawing of the batch that state->batch names; state->rows must be zero before. All pointers
/// on the device.
struct DrawBatchTask {
  const TripletSource* source = nullptr;
  BatchState* state = nullptr;
  Triplet* triplets = nullptr;  // (batch_size): the current batch's
  FusedSide sides[2] = {};      // [Side]
  std::int64_t batch_size = 0;
  std::int64_t num_triplets = 0;  // of the epoch
};

/// Marks a row; returns whether it was not marked before.
__device__ inline bool mark_first(std::uint8_t* marks, std::int64_t row) {
  auto* word = reinterpret_cast<unsigned*>(marks) + row / 4;
  const unsigned bit = 1u << (row % 4 * 8);
  return (atomicOr(word, bit) & bit) == 0;
}

__device__ inline void list_row(const DrawBatchTask& task, int s, NodeId row) {
  const FusedSide& side = task.sides[s];
  if (!mark_first(side.marks, row)) return;
  auto* count = reinterpret_cast<unsigned long long*>(&task.state->rows[s].count);
  side.rows[atomicAdd(count, 1ull)] = row;
}

/// Draws the batch, lists and marks its rows. One thread a triplet.
__global__ void __launch_bounds__(kNextBatchThreads)
    draw_batch_kernel(const __grid_constant__ DrawBatchTask task) {
  const std::int64_t t = static_cast<std::int64_t>(blockIdx.x) * kNextBatchThreads + threadIdx.x;
  const std::int64_t first = task.state->batch * task.batch_size;
  const std::int64_t count = min(task.batch_size, task.num_triplets - first);
  if (t == 0) {  // no thread reads these here
    task.state->first = 0;
    task.state->count = count;
  }
  if (t >= count) return;
  const TripletSource& source = *task.source;
  const Triplet triplet =
      source.given != nullptr ? source.given[first + t] : draw_triplet(source.sample, first + t);
  task.triplets[t] = triplet;
  const int rows = triplet.negative == kNoItem ? 2 : 3;
#pragma unroll 1  // unrolled, ptxas spills for sm_80
  for (int i = 0; i < rows; ++i) {
    const NodeId item = i == 1 ? triplet.positive : triplet.negative;
    list_row(task, i == 0 ? 0 : 1, i == 0 ? triplet.user : item);
  }
}

void launch_draw_batch(const Queue& queue, const DrawBatchTask& task) {
  const Launcher launch(queue);
  launch({.blocks = ceil_div(task.batch_size, kNextBatchThreads), .threads = kNextBatchThreads},
         draw_batch_kernel, task);
}

NextBatchTask next_batch_task(const TripletsStorage& state) {
  NextBatchTask task{.state = state.state.data(),
                     .num_batches = state.num_batches,
                     .batch_size = state.batch_size,
                     .num_triplets = state.size};
  for (int side = 0; side < 2; ++side) {
    const SidePlan& plan = state.plans[side];
    task.sides[side] = {plan.rows.data(), plan.first_row.data(), plan.set->marks.data(),
                        plan.places.data(), plan.set->view.capacity};
  }
  return task;
}

}  // namespace

/// Makes batch 0 of the epoch, or of the given triplets, current.
void CudaBackend::begin_epoch(TripletsStorage& state) {
  if (!state.fused) {
    begin_window(state, 0);
    return;
  }
  const TripletSource source{.sample = sample_task(state, 0, state.size, nullptr),
                             .given = state.is_given ? state.given.data() : nullptr};
  state.source.upload(std::span<const TripletSource>(&source, 1));
  launch_leave_batch(queue(), next_batch_task(state), {.window_first = 0});
  draw_batch(state);
  state.batch = 0;
  state.sampled = true;
}

/// Fused form: draws the batch that the device's state names, and lists its rows.
void CudaBackend::draw_batch(const TripletsStorage& state) {
  check(cudaMemsetAsync(state.state.data()->rows, 0, sizeof(BatchState::rows), stream_.get()));
  DrawBatchTask task{.source = state.source.data(),
                     .state = state.state.data(),
                     .triplets = state.window.data(),
                     .batch_size = state.batch_size,
                     .num_triplets = state.size};
  for (int side = 0; side < 2; ++side) {
    const SidePlan& plan = state.plans[side];
    task.sides[side] = {plan.rows.data(), plan.set->marks.data(), plan.set->view.capacity};
  }
  launch_draw_batch(queue(), task);
}

/// Begins a new window with batch `first_batch`: leaves the old batch, fills and plans the window,
/// enters the batch.
void CudaBackend::begin_window(TripletsStorage& state, std::int64_t first_batch) {
  const std::int64_t room = state.window.size() / state.batch_size;
  const std::int64_t first = first_batch * state.batch_size;
  state.batch = first_batch;
  state.window_first = first_batch;
  state.window_batches = std::min(room, state.num_batches - first_batch);
  const std::int64_t count = std::min(state.window_batches * state.batch_size, state.size - first);
  launch_leave_batch(queue(), next_batch_task(state), {.window_first = first_batch});
  if (state.is_given) {
    check(cudaMemcpyAsync(state.window.data(), state.given.data() + first,
                          static_cast<std::size_t>(count) * sizeof(Triplet),
                          cudaMemcpyDeviceToDevice, stream_.get()));
  } else {
    launch_sample(queue(), sample_task(state, first, count, state.window.data()));
  }
  plan_window(state, count);
  launch_enter_batch(queue(), next_batch_task(state));
  state.sampled = true;
}

/// Lists the rows and occurrences of the window's `count` triplets.
void CudaBackend::plan_window(TripletsStorage& state, std::int64_t count) {
  for (const Side side : {Side::kUser, Side::kItem}) {
    const SidePlan& plan = state.plans[static_cast<int>(side)];
    const NodeId nodes = state.graph->num_nodes[static_cast<int>(side)];
    launch_plan(queue(),
                {.side = side,
                 .triplets = state.window.data(),
                 .items_per_triplet = state.options.items_per_triplet(),
                 .num_triplets = count,
                 .batch_size = state.batch_size,
                 .row_bits = bits_for(static_cast<std::uint64_t>(nodes)),
                 .keys = state.scratch.keys.data(),
                 .sorted = state.scratch.sorted.data(),
                 .unsorted = state.scratch.unsorted.data(),
                 .runs = state.scratch.runs.data(),
                 .occurrences = plan.occurrences.data(),
                 .rows = plan.rows.data(),
                 .starts = plan.starts.data(),
                 .first_row = plan.first_row.data()},
                state.scratch.temporary.data(),
                static_cast<std::size_t>(state.scratch.temporary.size()));
  }
}

void CudaBackend::next_batch(Triplets& triplets) {
  const Range range("next_batch");
  TripletsStorage& state = storage(triplets);
  check_sampled("next_batch", state.sampled);
  const DeviceScope scope = use_device();
  const bool capturing = recording_ != nullptr && recording_->capturing();
  if (recording_ != nullptr) recording_->note_next_batch(state);
  if (!capturing) {
    const std::int64_t next = state.batch + 1 == state.num_batches ? 0 : state.batch + 1;
    if (!state.plans_next(1)) {
      begin_window(state, next);
      return;
    }
    state.batch = next;
  }
  if (state.fused) {
    launch_leave_batch(queue(), next_batch_task(state), {});
    draw_batch(state);
  } else {
    launch_move_batch(queue(), next_batch_task(state));
  }
}

}  // namespace tern::cuda
