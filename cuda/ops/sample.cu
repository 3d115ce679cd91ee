// sample: the triplets (user, positive, negative) of an epoch, one thread each, and what holds
// them. The law is Backend::sample's; drawing one triplet is sample_draw.cuh. Integers alone: the
// same triplets on every backend. Source: He et al. 2020.
//
// A triplet is 12 bytes written, and two or three dependent walks through R (a participant, its
// row, a binary search of log2(degree) steps): latency, not bytes. So the mapping is the plainest
// one, and as many threads as possible wait side by side. It runs once an epoch and takes a small
// part of it.
//
// Triplets are drawn and planned a window of batches ahead, and consumed batch by batch
// (next_batch.cu).

#include "cuda/ops/sample.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "cuda/backend.hpp"
#include "cuda/ops/next_batch_plan.hpp"
#include "cuda/ops/sample_draw.cuh"
#include "host/backend/checks.hpp"
#include "tern/alias_table.hpp"
#include "tern/error.hpp"

namespace tern::cuda {
namespace {

constexpr int kSampleThreads = 256;

__global__ void __launch_bounds__(kSampleThreads)
    sample_kernel(const __grid_constant__ SampleTask task) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kSampleThreads + threadIdx.x;
  if (i < task.count) task.triplets[i] = draw_triplet(task, task.first + i);
}

void check_batch_size(std::int64_t batch_size) {
  if (batch_size > kMaxPlanned) {
    throw ConfigError("train.batch_size: found " + std::to_string(batch_size) +
                      ", expected at most " + std::to_string(kMaxPlanned) + " on a GPU");
  }
}

RowSet make_batch_rows(TripletsStorage& state, Side side, NodeId num_nodes,
                       std::int64_t window_batches, const Memory& memory) {
  const std::int64_t each = side == Side::kUser ? 1 : state.options.items_per_triplet();
  const std::int64_t room = each * window_batches * state.batch_size;
  const std::int64_t capacity = std::min<std::int64_t>(num_nodes, each * state.batch_size);
  auto set = std::make_unique<RowSetStorage>();
  // Whole words: next_batch changes marks by 32-bit atomics.
  set->marks = DeviceArray<std::uint8_t>((std::int64_t{num_nodes} + 3) / 4 * 4, memory);
  set->marks.zero();
  SidePlan& plan = state.plans[static_cast<int>(side)];
  plan.set = set.get();
  plan.rows = DeviceArray<NodeId>(room, memory);
  if (!state.fused) {
    plan.occurrences = DeviceArray<std::int32_t>(room, memory);
    plan.starts = DeviceArray<std::int32_t>(room + 1, memory);
    plan.first_row = DeviceArray<std::int32_t>(window_batches + 1, memory);
    plan.places = DeviceArray<std::int32_t>(num_nodes, memory);
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

/// The tables that drawing needs: participants, their offsets and, for popularity, the alias table.
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
  state.negative_share = negative_share({}, num_items, {});
  if (state.options.negatives != NegativeSampling::kPopularity) return;
  const DeviceArray<EdgeOffset>& item_offsets = state.graph->direction(Side::kItem).offsets;
  std::vector<EdgeOffset> of_items(static_cast<std::size_t>(item_offsets.size()));
  item_offsets.download(of_items);
  std::vector<std::int64_t> degrees(static_cast<std::size_t>(num_items));
  for (std::size_t item = 0; item < degrees.size(); ++item) {
    degrees[item] = of_items[item + 1] - of_items[item];
  }
  state.negative_share = negative_share(state.options, num_items, degrees);
  const AliasTable alias = make_alias_table(degrees, state.options.popularity_exponent);
  state.alias_threshold = to_device(std::span<const std::uint32_t>(alias.threshold), memory);
  state.alias = to_device(std::span<const NodeId>(alias.alias), memory);
}

}  // namespace

void launch_sample(const Queue& queue, const SampleTask& task) {
  const Launcher launch(queue);
  launch({.blocks = ceil_div(task.count, kSampleThreads), .threads = kSampleThreads}, sample_kernel,
         task);
}

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
  state->size = state->counts.interactions * options.triplets_per_positive();
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
    state->scratch =
        make_scratch(options.items_per_triplet() * batches * state->batch_size, pool_memory());
  }
  state->weights = DeviceArray<float>(state->batch_size, pool_memory());
  RowSet users = make_batch_rows(*state, Side::kUser, graph.num_users(), batches, pool_memory());
  RowSet items = make_batch_rows(*state, Side::kItem, graph.num_items(), batches, pool_memory());
  state->terms = DeviceArray<double>(
      std::max(3 * state->batch_size, users.capacity() + items.capacity()), pool_memory());
  if (ranks_ != nullptr) {
    state->score_parts = DeviceArray<float>(ranks_->size() * state->batch_size, pool_memory());
    state->score_parts.zero();
    state->norm_parts = DeviceArray<double>(ranks_->size(), pool_memory());
  }
  const std::int64_t size = state->size;
  const std::int64_t batch = state->batch_size;
  const int negatives = options.negatives_per_positive;
  return {std::move(state), size, batch, std::move(users), std::move(items), negatives};
}

SamplingCounts CudaBackend::sampling_counts(const Triplets& triplets) const {
  return storage(triplets).counts;
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
  constexpr std::int64_t kChunk = std::int64_t{1} << 20;  // 12 MiB
  const std::int64_t chunk = std::min(kChunk, state.size);
  const DeviceArray<Triplet> drawn(chunk, pool_memory());
  for (std::int64_t first = 0; first < state.size; first += chunk) {
    const std::int64_t count = std::min(chunk, state.size - first);
    launch_sample(queue(), sample_task(state, first, count, drawn.data()));
    drawn.download(
        std::span(all).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count)));
  }
  return all;
}

std::int64_t CudaBackend::batch_number(const Triplets& triplets) const {
  const TripletsStorage& state = storage(triplets);
  check_sampled("batch_number", state.sampled);
  expect_not_recording("batch_number");
  return state.batch;
}

std::vector<Triplet> CudaBackend::get_batch(const Triplets& triplets) {
  const TripletsStorage& state = storage(triplets);
  check_sampled("get_batch", state.sampled);
  expect_not_recording("get_batch");
  const DeviceScope scope = use_device();
  const std::int64_t first =
      state.fused ? 0 : (state.batch - state.window_first) * state.batch_size;
  std::vector<Triplet> batch(static_cast<std::size_t>(
      std::min(state.batch_size, state.size - state.batch * state.batch_size)));
  download_from(state.window.data() + first, std::span(batch), stream_.get());
  return batch;
}

}  // namespace tern::cuda
