#include <algorithm>

#include "cuda/backend.hpp"
#include "cuda/ops/bpr_fused.hpp"
#include "cuda/ops/next_batch.hpp"
#include "cuda/ops/plan.hpp"
#include "cuda/ops/sample.hpp"
#include "host/backend/checks.hpp"
#include "tern/alias_table.hpp"
#include "tern/error.hpp"

// Triplets: drawn and planned on the device a window of batches ahead, and moved through batch by
// batch. The host knows which batch is current without asking, by counting.

namespace tern::cuda {
namespace {

void check_batch_size(std::int64_t batch_size) {
  if (batch_size > kMaxPlanned) {
    throw ConfigError("batch_size is " + std::to_string(batch_size) + ", expected at most " +
                      std::to_string(kMaxPlanned) + " on a GPU.");
  }
}

NextBatchTask next_batch_task(const TripletsStorage& state) {
  NextBatchTask task{.state = state.state.data(),
                     .num_batches = state.num_batches,
                     .batch_size = state.batch_size,
                     .num_triplets = state.size};
  for (int side = 0; side < 2; ++side) {
    const SidePlan& plan = state.plans[side];
    task.sides[side] = {plan.rows.data(), plan.first_row.data(), plan.set->marks.data(),
                        plan.set->view.capacity};
  }
  return task;
}

RowSet make_batch_rows(TripletsStorage& state, Side side, NodeId num_nodes,
                       std::int64_t window_batches, const Memory& memory) {
  const std::int64_t each = side == Side::kUser ? 1 : 2;
  const std::int64_t room = each * window_batches * state.batch_size;
  const std::int64_t capacity = std::min<std::int64_t>(num_nodes, each * state.batch_size);
  auto set = std::make_unique<RowSetStorage>();
  // The fused form sets marks by 32-bit atomics.
  set->marks = DeviceArray<std::uint8_t>((std::int64_t{num_nodes} + 3) / 4 * 4, memory);
  set->marks.zero();
  SidePlan& plan = state.plans[static_cast<int>(side)];
  plan.set = set.get();
  plan.rows = DeviceArray<NodeId>(room, memory);
  if (!state.fused) {
    plan.occurrences = DeviceArray<std::int32_t>(room, memory);
    plan.starts = DeviceArray<std::int32_t>(room + 1, memory);
    plan.first_row = DeviceArray<std::int32_t>(window_batches + 1, memory);
  }
  set->view = {plan.rows.data(), &state.state.data()->rows[static_cast<int>(side)],
               set->marks.data(), capacity};
  return {std::move(set), num_nodes, capacity};
}

PlanScratch make_scratch(std::int64_t occurrences, const Memory& memory) {
  return {DeviceArray<std::uint64_t>(occurrences, memory),
          DeviceArray<std::uint64_t>(occurrences, memory),
          DeviceArray<std::int32_t>(occurrences, memory),
          DeviceArray<std::int32_t>(occurrences, memory),
          DeviceArray<std::uint8_t>(static_cast<std::int64_t>(plan_bytes(occurrences)), memory)};
}

/// The tables that drawing needs, from the degrees of both sides.
void make_tables(TripletsStorage& state, std::span<const EdgeOffset> user_offsets,
                 const Memory& memory) {
  std::vector<NodeId> participants;
  std::vector<EdgeOffset> offsets;
  EdgeOffset before = 0;
  const NodeId num_items = state.graph->num_nodes[1];
  for (std::size_t user = 0; user + 1 < user_offsets.size(); ++user) {
    const EdgeOffset degree = user_offsets[user + 1] - user_offsets[user];
    if (degree == 0 || degree == num_items) continue;
    participants.push_back(static_cast<NodeId>(user));
    offsets.push_back(before);
    before += degree;
  }
  state.participants = to_device(std::span<const NodeId>(participants), memory);
  state.participant_offsets = to_device(std::span<const EdgeOffset>(offsets), memory);
  if (state.options.negatives != NegativeSampling::kPopularity) return;
  const DeviceArray<EdgeOffset>& item_offsets = state.graph->direction(Side::kItem).offsets;
  std::vector<EdgeOffset> of_items(static_cast<std::size_t>(item_offsets.size()));
  item_offsets.download(of_items);
  std::vector<std::int64_t> degrees(static_cast<std::size_t>(num_items));
  for (std::size_t item = 0; item < degrees.size(); ++item) {
    degrees[item] = of_items[item + 1] - of_items[item];
  }
  const AliasTable alias = make_alias_table(degrees, state.options.popularity_exponent);
  state.alias_threshold = to_device(std::span<const std::uint32_t>(alias.threshold), memory);
  state.alias = to_device(std::span<const NodeId>(alias.alias), memory);
}

}  // namespace

Triplets CudaBackend::make_triplets(const Graph& graph, const SamplingOptions& options,
                                    std::int64_t batch_size) {
  expect_not_recording("make_triplets");
  GraphStorage& parts = storage(graph);
  const DeviceScope scope = use_device();
  const DeviceArray<EdgeOffset>& user_offsets = parts.direction(Side::kUser).offsets;
  std::vector<EdgeOffset> offsets(static_cast<std::size_t>(user_offsets.size()));
  user_offsets.download(offsets);

  auto state = std::make_unique<TripletsStorage>();
  state->graph = &parts;
  state->options = options;
  state->counts = check_make_triplets(options, batch_size, offsets, graph.num_items());
  state->size = state->counts.interactions * options.negatives_per_positive;
  state->batch_size = std::min(batch_size, state->size);
  state->num_batches = (state->size - 1) / state->batch_size + 1;
  make_tables(*state, offsets, pool_memory());

  state->fused = options_.reproducibility == Reproducibility::kNone;
  if (!state->fused) check_batch_size(state->batch_size);
  const std::int64_t batches =
      state->fused ? 1 : window_batches(state->num_batches, state->batch_size, plan_bytes_);
  state->state = DeviceArray<BatchState>(1, pool_memory());
  state->state.zero();
  state->window = DeviceArray<Triplet>(batches * state->batch_size, pool_memory());
  if (state->fused) {
    state->source = DeviceArray<TripletSource>(1, pool_memory());
  } else {
    state->scratch = make_scratch(2 * batches * state->batch_size, pool_memory());
  }
  state->weights = DeviceArray<float>(state->batch_size, pool_memory());
  RowSet users = make_batch_rows(*state, Side::kUser, graph.num_users(), batches, pool_memory());
  RowSet items = make_batch_rows(*state, Side::kItem, graph.num_items(), batches, pool_memory());
  state->terms = DeviceArray<double>(
      std::max(3 * state->batch_size, users.capacity() + items.capacity()), pool_memory());
  const std::int64_t size = state->size;
  const std::int64_t batch = state->batch_size;
  return {std::move(state), size, batch, std::move(users), std::move(items)};
}

SamplingCounts CudaBackend::sampling_counts(const Triplets& triplets) const {
  return storage(triplets).counts;
}

namespace {

/// The drawing of triplets [first, first + count) of the epoch.
SampleTask sample_task(const TripletsStorage& state, std::int64_t first, std::int64_t count,
                       Triplet* to) {
  return {.csr = state.graph->csr(Side::kUser),
          .participants = state.participants.data(),
          .num_participants = state.participants.size(),
          .participant_offsets = state.participant_offsets.data(),
          .alias_threshold = state.alias_threshold.data(),
          .alias = state.alias.data(),
          .options = state.options,
          .epoch = state.epoch,
          .permutation = Permutation(state.options.seed, state.epoch,
                                     static_cast<std::uint64_t>(state.counts.interactions)),
          .first = first,
          .count = count,
          .triplets = to};
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

/// The fused form: draws the batch that the device's state names, and lists its rows.
void CudaBackend::draw_batch(const TripletsStorage& state) {
  check(cudaMemsetAsync(state.state.data()->rows, 0, sizeof(BatchState::rows), stream_.get()));
  FusedBatchTask task{.source = state.source.data(),
                      .state = state.state.data(),
                      .triplets = state.window.data(),
                      .batch_size = state.batch_size,
                      .num_triplets = state.size};
  for (int side = 0; side < 2; ++side) {
    const SidePlan& plan = state.plans[side];
    task.sides[side] = {plan.rows.data(), plan.set->marks.data(), plan.set->view.capacity};
  }
  launch_fused_batch(queue(), task);
}

/// Makes a batch current, which begins a new window: leaves the old batch, fills the window, plans
/// it.
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

void CudaBackend::sample(Triplets& triplets, std::uint32_t epoch) {
  const Range range("sample");
  TripletsStorage& state = storage(triplets);
  expect_not_recording("sample");
  const DeviceScope scope = use_device();
  state.epoch = epoch;
  state.is_given = false;
  begin_epoch(state);
}

void CudaBackend::set_triplets(Triplets& triplets, std::span<const Triplet> values) {
  check_set_triplets(triplets, values);
  TripletsStorage& state = storage(triplets);
  expect_not_recording("set_triplets");
  const DeviceScope scope = use_device();
  if (state.given.size() == 0) state.given = DeviceArray<Triplet>(state.size, pool_memory());
  state.given.upload(values);
  state.is_given = true;
  begin_epoch(state);
}

std::vector<Triplet> CudaBackend::get_triplets(const Triplets& triplets) {
  const TripletsStorage& state = storage(triplets);
  check_sampled("get_triplets", state.sampled);
  expect_not_recording("get_triplets");
  const DeviceScope scope = use_device();
  std::vector<Triplet> all(static_cast<std::size_t>(state.size));
  if (state.is_given) {
    state.given.download(all);
    return all;
  }
  constexpr std::int64_t kPiece = std::int64_t{1} << 20;  // 12 MiB
  const std::int64_t piece = std::min(kPiece, state.size);
  const DeviceArray<Triplet> drawn(piece, pool_memory());
  for (std::int64_t first = 0; first < state.size; first += piece) {
    const std::int64_t count = std::min(piece, state.size - first);
    launch_sample(queue(), sample_task(state, first, count, drawn.data()));
    drawn.download(
        std::span(all).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count)));
  }
  return all;
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
  launch_leave_batch(queue(), next_batch_task(state), {});
  if (state.fused) {
    draw_batch(state);
  } else {
    launch_enter_batch(queue(), next_batch_task(state));
  }
}

}  // namespace tern::cuda
