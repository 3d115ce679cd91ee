#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "cuda/support/batch.hpp"
#include "cuda/support/gather_copy.hpp"
#include "cuda/support/resources.hpp"
#include "cuda/support/row_cuts.hpp"
#include "cuda/support/rows.hpp"
#include "cuda/support/step_decay.hpp"
#include "cuda/support/triplet_source.hpp"
#include "host/backend/negative_share.hpp"
#include "tern/op_options.hpp"
#include "tern/sampling.hpp"
#include "tern/storage.hpp"
#include "tern/view.hpp"

namespace tern::cuda {

/// A row's stride is a multiple of this many floats: 16 bytes, one vector. The padding is zero and
/// every op keeps it zero, so that kernels read and write whole vectors and need no code for tails.
inline constexpr std::int64_t kRowUnit = 4;

constexpr std::int64_t padded(std::int64_t cols) {
  return (cols + kRowUnit - 1) / kRowUnit * kRowUnit;
}

struct MatrixStorage final : Storage {
  MatrixStorage(std::int64_t rows, std::int64_t cols, const MatrixOptions& options,
                const Memory& memory)
      : stride(padded(cols)), values(rows * stride, memory) {
    values.zero();
    if (options.gather == GatherPrecision::kBf16) {
      copy_vectors = static_cast<std::int32_t>(vectors_of_copy(cols));
      copy = DeviceArray<Bf16>((rows + 1) * copy_vectors * kCopyUnit, memory);
      copy.zero();
    }
  }
  std::int64_t stride;
  DeviceArray<float> values;
  /// Every op that writes the values writes the copy too (CudaBackend::refresh_copies).
  DeviceArray<Bf16> copy;  // empty: propagate gathers from the values
  std::int32_t copy_vectors = 0;
};

/// Temporary floats of an op, as many as its largest call so far took (CudaBackend::grow). A former
/// array is kept if a recorded step may still point to it.
struct Workspace {
  DeviceArray<float> values;
  std::vector<DeviceArray<float>> outgrown;
  bool recorded = false;
};

/// One direction of the graph, and how its rows are shared (cuda/ops/propagate.hpp).
struct Direction {
  DeviceArray<EdgeOffset> offsets;
  DeviceArray<NodeId> columns;
  DeviceArray<float> scale;  // 1/sqrt(degree) of the rows, 0 for degree 0
  DeviceArray<NodeId> short_rows;
  DeviceArray<RowSegment> segments;
  DeviceArray<SplitRow> split;
  std::int32_t slots = 0;
  Workspace partials;  // of propagate: (slots, stride) for the widest matrix so far
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
  DeviceArray<std::uint8_t> marks;  // one for every node: 1 if it is in the set
  DeviceArray<NodeId> rows;         // ascending; empty if the rows belong to a plan
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
  DeviceArray<std::int32_t> places;  // by node: its index among the current batch's rows, if marked
};

/// The workspace of planning; the sides take turns.
struct PlanScratch {
  DeviceArray<std::uint64_t> keys;
  DeviceArray<std::uint64_t> sorted;
  DeviceArray<std::int32_t> unsorted;
  DeviceArray<std::int32_t> runs;
  DeviceArray<std::uint8_t> temporary;
};

/// Triplets are drawn and planned a window of batches ahead: the whole epoch if that fits the limit
/// of CudaOptions::plan_bytes. In the fused form (Reproducibility::kNone) nothing is planned: the
/// window is the current batch, drawn when it is entered.
struct TripletsStorage final : Storage {
  GraphStorage* graph = nullptr;
  SamplingOptions options;
  SamplingCounts counts;
  DeviceArray<NodeId> participants;             // ascending
  DeviceArray<EdgeOffset> participant_offsets;  // where their interactions begin, put end to end
  DeviceArray<std::uint32_t> alias_threshold;   // only for popularity sampling
  DeviceArray<NodeId> alias;
  NegativeShare negative_share;
  std::int64_t size = 0;
  std::int64_t batch_size = 0;
  std::int64_t num_batches = 0;

  bool fused = false;
  DeviceArray<TripletSource> source;  // only in the fused form

  DeviceArray<BatchState> state;
  DeviceArray<Triplet> window;
  std::array<SidePlan, 2> plans;  // [Side]
  PlanScratch scratch;
  DeviceArray<float> weights;  // workspace of bpr and sampled_contrast
  DeviceArray<double> terms;   // workspace of the losses and l2_penalty
  Workspace pairs;             // of losses over unit rows of pairs
  // Only with several ranks, and gathered from them: parts of the scores of bpr, (ranks, batch_size), and of
  // the norm of l2_penalty, (ranks).
  DeviceArray<float> score_parts;
  DeviceArray<double> norm_parts;
  Workspace contrast;  // of sampled_contrast

  /// All triplets of the epoch, if the caller set them; else they are drawn window by window.
  DeviceArray<Triplet> given;
  bool is_given = false;

  // The host's copy of `state`, kept up to date by counting.
  bool sampled = false;
  std::uint32_t epoch = 0;
  std::int64_t batch = 0;
  std::int64_t window_first = 0;
  std::int64_t window_batches = 0;

  /// Whether the `steps` batches after the current one can be entered without a new window.
  bool plans_next(std::int64_t steps) const {
    return fused || window_batches == num_batches ||
           (batch + steps < num_batches && batch + steps < window_first + window_batches);
  }

  BatchView batch_view() const {
    BatchView view{.state = state.data(), .triplets = window.data(), .batch_size = batch_size};
    for (int side = 0; side < 2; ++side) {
      const SidePlan& plan = plans[side];
      view.sides[side] = {plan.rows.data(), plan.starts.data(), plan.occurrences.data(),
                          plan.set->view.capacity};
    }
    return view;
  }
  RowPlaces row_places(int side) const {
    return {plans[side].set->marks.data(), plans[side].places.data()};
  }
};

/// The results of a forward pass of a dense layer for its backward pass. All padding is zero.
struct DenseStateStorage final : Storage {
  DenseStateStorage(std::int64_t rows, std::int64_t cols, const Memory& memory)
      : stride(padded(cols)), values(rows * stride, memory), statistics(2 * stride, memory) {
    values.zero();
    statistics.zero();
  }
  float* mean() const { return statistics.data(); }
  float* inverse_deviation() const { return statistics.data() + stride; }

  std::int64_t stride;
  /// (rows, stride). With one sum: its products, without the bias. With two: a, with the mask of
  /// the inner activation in its signs (DenseForm::kSaved).
  DeviceArray<float> values;
  DeviceArray<float> statistics;  // (2, stride)
};

struct CounterStorage final : Storage {
  explicit CounterStorage(const Memory& memory) : value(1, memory), decay(1, memory) {
    decay.zero();
  }
  DeviceArray<std::int64_t> value;
  DeviceArray<StepDecay> decay;  // of adam
  double beta1 = 0.0;            // that increment was last asked to keep the powers of
  double beta2 = 0.0;
};

struct RowStepsStorage final : Storage {
  RowStepsStorage(std::int64_t rows, const Memory& memory) : last(rows, memory) { last.zero(); }
  DeviceArray<std::int64_t> last;  // by row
};

}  // namespace tern::cuda
