#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "host/backend/negative_share.hpp"
#include "host/cpu/adam.hpp"
#include "host/support/bf16.hpp"
#include "tern/alias_table.hpp"
#include "tern/op_options.hpp"
#include "tern/sampling.hpp"
#include "tern/storage.hpp"
#include "tern/view.hpp"

namespace tern::cpu {

/// Rows start on a cache line: the stride of a matrix is its width rounded up to this many floats.
/// The padding is zero and every op keeps it zero, so that kernels have no tails.
inline constexpr std::int64_t kBlock = 16;

constexpr std::int64_t padded(std::int64_t cols) {
  return (cols + kBlock - 1) / kBlock * kBlock;
}

/// An owned block of zeroed numbers, aligned to a cache line; on huge pages if it is large, since a
/// gather over a table of many small pages spends its time in the TLB.
template <typename Number>
class Block {
 public:
  /// Throws DeviceError, with the need in bytes, if memory is short.
  explicit Block(std::int64_t size);
  Block() = default;
  Number* data() const noexcept { return data_.get(); }
  std::int64_t size() const noexcept { return size_; }

 private:
  struct Free {
    void operator()(Number* block) const noexcept;
  };
  std::unique_ptr<Number, Free> data_;
  std::int64_t size_ = 0;
};
extern template class Block<float>;
extern template class Block<Bf16>;
using FloatBlock = Block<float>;

/// The elements of a matrix in bf16, for propagate to gather from: half of the bytes. It has the
/// matrix's stride.
struct GatherCopy {
  explicit GatherCopy(std::int64_t size) : values(size) {}
  Block<Bf16> values;
  /// Whether the matrix has changed since: an op that writes the matrix sets this (view()), and
  /// propagate then copies it. Atomic, because threads of an op may set it at one time.
  std::atomic<bool> stale = false;
};

struct MatrixStorage final : Storage {
  MatrixStorage(std::int64_t rows, std::int64_t cols, const MatrixOptions& options)
      : stride(padded(cols)), values(rows * stride) {
    if (options.gather == GatherPrecision::kBf16) {
      copy = std::make_unique<GatherCopy>(values.size());
    }
  }
  /// Over memory that somebody lends, at least rows · padded(cols) numbers; the padding is whatever it holds.
  MatrixStorage(std::int64_t cols, FloatBlock lent)
      : stride(padded(cols)), values(std::move(lent)) {}
  std::int64_t stride;
  FloatBlock values;
  std::unique_ptr<GatherCopy> copy;  // null: propagate gathers from the values
};

/// One direction of the graph, and the cuts of its rows for the threads.
struct Direction {
  std::vector<EdgeOffset> offsets;
  std::vector<NodeId> columns;
  std::vector<float> scale;  // 1/sqrt(degree) of the rows, 0 for degree 0
  std::vector<float> ones;   // as many ones: the scales without normalisation
  /// Boundaries of stretches of rows with about equal work, which idle threads take.
  std::vector<NodeId> cuts;
};

struct GraphStorage final : Storage {
  /// [Side::kUser]: R, [Side::kItem]: Rᵀ.
  std::array<Direction, 2> directions;
  NodeId num_columns(Side side) const {
    return static_cast<NodeId>(directions[1 - static_cast<int>(side)].scale.size());
  }
  CsrView csr(Side side) const {
    const Direction& d = directions[static_cast<int>(side)];
    return {d.offsets.data(), d.columns.data(), static_cast<NodeId>(d.scale.size()),
            num_columns(side)};
  }
};

struct RowSetStorage final : Storage {
  std::vector<NodeId> rows;         // ascending
  std::vector<std::uint8_t> marks;  // one for every node: 1 if it is in rows
};

/// The occurrences of the current batch's rows on one side: row i of the set occurs in
/// occurrences[starts[i] .. starts[i + 1]), ascending.
/// An occurrence of a user is t, its triplet; of an item 2t as the positive of triplet t, 2t + 1 as
/// its negative, which pairs do not have.
struct Occurrences {
  RowSetStorage* set = nullptr;
  std::vector<std::int32_t> starts;
  std::vector<std::int32_t> occurrences;
  std::vector<std::uint64_t> keys;     // row << 32 | occurrence, while sorting
  std::vector<std::uint64_t> scratch;  // the other half of the radix sort
};

/// Workspace of the losses over pairs of unit rows (pair_strips.hpp): it grows with the largest batch,
/// and its values do not last. left and right: the two tables of unit rows, such as users and items;
/// B rows of left, C of right. stride: of a whole row; own stride: of what this backend has of it.
struct PairWorkspace {
  FloatBlock units[2];         // (B, stride), (C, stride): the unit rows of left and right
  FloatBlock pushed;           // (B, own stride): left rows times the factor of their exponents
  FloatBlock left_gradient;    // (B, own stride): ∂loss/∂left
  FloatBlock right_gradients;  // (groups, C, own stride): parts of ∂loss/∂right
  FloatBlock panels;           // right by columns (table_products.hpp)
  FloatBlock strips;           // (rows that threads hold, strip_stride(C)): logits, then exponents
  FloatBlock bias;             // (C padded): added to each column
  std::vector<double> norms[2];
  std::vector<double> losses;  // of each row
  std::vector<float> pulls;    // -∂loss/∂(a row's own cosine); 0 in a row without columns
  std::vector<float> pushes;   // ∂loss/∂logit = push · exponent
  std::vector<NodeId> nodes;   // of info_nce: the distinct nodes

  // Only in a backend with a part of the columns. R: distinct rows of both tables.
  std::vector<float> sent;    // (R, own columns)
  FloatBlock whole;           // (R, stride)
  FloatBlock own_units[2];    // (B, own stride), (C, own stride)
  std::vector<double> along;  // (R): ê·g of a row's unit row and its gradient

  /// Makes room; groups 0: without right_gradients.
  void grow(std::int64_t count, std::int64_t columns, std::int64_t stride, std::int64_t own_stride,
            std::int64_t groups, std::int64_t strip_rows);
};

/// Workspace of sampled_contrast: it grows with the largest batch, and its values do not last. M:
/// negatives a pair; P: pairs in the batch.
struct ContrastWorkspace {
  FloatBlock units[2];                  // [side] (distinct rows, stride): ê
  FloatBlock weights;                   // (P, M padded): cosines, then ∂loss/∂s_k
  FloatBlock user_gradient;             // (P, stride): ∂loss/∂û
  std::vector<double> norms[2];         // [side] of the distinct rows
  std::vector<float> pulls;             // (P): -∂loss/∂s⁺
  std::vector<std::int32_t> users;      // (P): which distinct row the pair's user is
  std::vector<std::int32_t> positives;  // (P): likewise its item
  std::vector<std::int32_t> negatives;  // (P M): likewise

  // Only in a backend with a part of the columns: completed sums.
  std::vector<double> squares;  // of the distinct rows of users, then of items
  std::vector<double> scores;   // (P, 1 + M): s⁺, s_1..s_M

  void grow(std::int64_t pairs, std::int64_t negatives_each, const std::int64_t (&rows)[2],
            std::int64_t stride);
};

struct TripletsStorage final : Storage {
  const GraphStorage* graph = nullptr;
  SamplingOptions options;
  SamplingCounts counts;
  std::vector<NodeId> participants;             // ascending
  std::vector<EdgeOffset> participant_offsets;  // of their interactions, put end to end
  AliasTable alias;                             // only for popularity sampling
  NegativeShare negative_share;
  std::int64_t size = 0;
  std::int64_t batch_size = 0;

  std::uint32_t epoch = 0;
  /// The triplets of set_triplets(); without them, triplets are drawn batch by batch.
  std::optional<std::vector<Triplet>> given;

  std::int64_t batch = 0;
  std::vector<Triplet> current;  // of the current batch; empty before the first sample
  bool sampled() const { return !current.empty(); }
  std::array<Occurrences, 2> occurrences;
  /// The number of a side's distinct row r among those of users, then of items.
  std::int64_t distinct_row(std::size_t side, std::int64_t r) const {
    return side == 0 ? r : static_cast<std::int64_t>(occurrences[0].set->rows.size()) + r;
  }
  std::vector<float> weights;  // workspace of bpr: ∂loss/∂(score difference) of each triplet
  // Workspace of bpr, l2_penalty and sampled_contrast: one term a triplet, row or pair.
  std::vector<double> losses;
  PairWorkspace pairs;
  ContrastWorkspace contrast;
};

struct CounterStorage final : Storage {
  explicit CounterStorage(std::int64_t start) : value(start) {}
  std::int64_t value;
};

struct RowStepsStorage final : Storage {
  std::vector<std::int64_t> last;  // by row
  AdamCorrections corrections;     // workspace of adam_catch_up
};

}  // namespace tern::cpu
