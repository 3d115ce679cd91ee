#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "cuda/ops/batch.hpp"
#include "cuda/ops/bpr_fused.hpp"
#include "cuda/ops/propagate.hpp"
#include "cuda/ops/rows.hpp"
#include "cuda/support/resources.hpp"
#include "tern/sampling.hpp"
#include "tern/storage.hpp"
#include "tern/view.hpp"

namespace tern::cuda {

/// Floats that a row's stride is rounded up to: 16 bytes, one vector. The padding is zero and every
/// op keeps it zero, so that kernels read and write whole vectors and have no tails.
inline constexpr std::int64_t kRowUnit = 4;

constexpr std::int64_t padded(std::int64_t cols) {
  return (cols + kRowUnit - 1) / kRowUnit * kRowUnit;
}

struct MatrixStorage final : Storage {
  MatrixStorage(std::int64_t rows, std::int64_t cols, const Memory& memory)
      : stride(padded(cols)), values(rows * stride, memory) {
    values.zero();
  }
  std::int64_t stride;
  DeviceArray<float> values;
};

/// Floats that an op works in, as many as its largest call so far took (CudaBackend::grow). What
/// has been outgrown is kept where a recorded step may still point there.
struct Workspace {
  DeviceArray<float> values;
  std::vector<DeviceArray<float>> outgrown;
  bool recorded = false;
};

/// One direction of the graph, and how its heavy rows are cut (cuda/ops/propagate.hpp).
struct Direction {
  DeviceArray<EdgeOffset> offsets;
  DeviceArray<NodeId> columns;
  DeviceArray<float> scale;  // 1/sqrt(degree) of the rows, 0 for degree 0
  DeviceArray<HeavySegment> segments;
  DeviceArray<SplitRow> split;
  std::int32_t slots = 0;
  Workspace partials;  // of propagate, (slots, stride) of the widest matrix so far
};

struct GraphStorage final : Storage {
  /// [Side::kUser]: R, [Side::kItem]: Rᵀ.
  std::array<Direction, 2> directions;
  std::array<NodeId, 2> num_nodes{};

  Direction& direction(Side side) { return directions[static_cast<int>(side)]; }
  CsrView csr(Side side) const {
    const Direction& d = directions[static_cast<int>(side)];
    return {d.offsets.data(), d.columns.data(), num_nodes[static_cast<int>(side)],
            num_nodes[static_cast<int>(opposite(side))]};
  }
};

struct RowSetStorage final : Storage {
  DeviceArray<std::uint8_t> marks;  // one for every node: 1 where it is in the set
  DeviceArray<NodeId> rows;         // ascending; empty where the rows are a plan's
  DeviceArray<RowSpan> span;        // likewise
  RowsView view;
};

/// The plan of one side of the window, in the layout of OccurrencesView.
struct SidePlan {
  RowSetStorage* set = nullptr;
  DeviceArray<std::int32_t> occurrences;
  DeviceArray<NodeId> rows;
  DeviceArray<std::int32_t> starts;
  DeviceArray<std::int32_t> first_row;
};

/// What planning needs while it runs; the sides take turns.
struct PlanScratch {
  DeviceArray<std::uint64_t> keys;
  DeviceArray<std::uint64_t> sorted;
  DeviceArray<std::int32_t> unsorted;
  DeviceArray<std::int32_t> runs;
  DeviceArray<std::uint8_t> temporary;
};

/// Triplets are drawn and planned a window of batches ahead: the whole epoch where that fits the
/// limit of CudaOptions::plan_bytes. In the fused form (cuda/ops/bpr_fused.hpp) nothing is planned:
/// the window is the current batch, drawn when it is entered.
struct TripletsStorage final : Storage {
  GraphStorage* graph = nullptr;
  SamplingOptions options;
  SamplingCounts counts;
  DeviceArray<NodeId> participants;             // ascending
  DeviceArray<EdgeOffset> participant_offsets;  // of their interactions, put end to end
  DeviceArray<std::uint32_t> alias_threshold;   // only for popularity sampling
  DeviceArray<NodeId> alias;
  std::int64_t size = 0;
  std::int64_t batch_size = 0;
  std::int64_t num_batches = 0;

  bool fused = false;
  DeviceArray<TripletSource> source;  // of the fused form

  DeviceArray<BatchState> state;
  DeviceArray<Triplet> window;
  std::array<SidePlan, 2> plans;  // [Side]
  PlanScratch scratch;
  DeviceArray<float> weights;  // workspace of bpr
  DeviceArray<double> terms;   // workspace of bpr and l2_penalty

  /// Where the caller brought the triplets: all of them. Else they are drawn window by window.
  DeviceArray<Triplet> given;
  bool is_given = false;

  // What the host knows of `state` without asking.
  bool sampled = false;
  std::uint32_t epoch = 0;
  std::int64_t batch = 0;
  std::int64_t window_first = 0;
  std::int64_t window_batches = 0;

  /// Whether the `steps` batches after the current one can be entered as things are.
  bool plans_next(std::int64_t steps) const {
    return fused || window_batches == num_batches ||
           (batch + steps < num_batches && batch + steps < window_first + window_batches);
  }
};

/// What a forward pass of a dense layer keeps. All padding is zero.
struct DenseStateStorage final : Storage {
  DenseStateStorage(std::int64_t rows, std::int64_t cols, const Memory& memory)
      : stride(padded(cols)), values(rows * stride, memory), statistics(2 * stride, memory) {
    values.zero();
    statistics.zero();
  }
  float* mean() const { return statistics.data(); }
  float* inverse_deviation() const { return statistics.data() + stride; }

  std::int64_t stride;
  /// (rows, stride). Of a layer of one sum: its products, without the bias. Of two: a, with the
  /// mask of the inner activation in its signs (DenseForm::kSaved).
  DeviceArray<float> values;
  DeviceArray<float> statistics;  // (2, stride)
};

struct CounterStorage final : Storage {
  explicit CounterStorage(const Memory& memory) : value(1, memory) {}
  DeviceArray<std::int64_t> value;
};

}  // namespace tern::cuda
