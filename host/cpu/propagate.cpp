// y = scale · (s_to ⊙ (A (s_from ⊙ x)) + addend), see Backend::propagate.
//
// The gather of x is the bottleneck: E rows of D floats against E ids read and N rows written. So a
// row of y stays in registers while its neighbours stream by, and their rows are prefetched some
// neighbours ahead, across the ends of rows, most of which are short. Each row is summed by one
// thread in CSR order: the same bits for any number of threads. A copy of x in bf16 halves the bytes
// of the gather; its elements become f32 in registers.

#include "host/cpu/propagate.hpp"

#include <hwy/cache_control.h>

#include <algorithm>
#include <type_traits>

#include "host/backend/checks.hpp"
#include "host/cpu/backend.hpp"
#include "host/cpu/gather_copy.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/propagate.cpp"
#include <hwy/foreach_target.h>  // after HWY_TARGET_INCLUDE
#include <hwy/highway.h>         // after foreach_target.h

HWY_BEFORE_NAMESPACE();
namespace tern::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::CappedTag<float, kBlock>;
using Vector = hn::Vec<Tag>;
constexpr auto kLanes = static_cast<std::int64_t>(hn::MaxLanes(Tag()));
/// SIMD registers for a row's sum: half of AVX2's registers, a quarter of AVX-512's.
constexpr int kMaxVectors = 8;

HWY_INLINE Vector load(const float* from) {
  return hn::Load(Tag(), from);
}
/// A bf16 is the upper half of an f32.
HWY_INLINE Vector load(const Bf16* from) {
  const hn::Rebind<Bf16, Tag> halves;
  const hn::RebindToUnsigned<Tag> wholes;
  const auto upper = hn::ShiftLeft<16>(hn::PromoteTo(wholes, hn::Load(halves, from)));
  return hn::BitCast(Tag(), upper);
}

/// The table to gather from: x, or its copy; its elements are Source.
template <class Source>
HWY_INLINE const Source* source_of(const PropagateTask& task) {
  if constexpr (std::is_same_v<Source, float>) {
    return task.x.data;
  } else {
    return task.copy;
  }
}

/// The sum of one row over the columns [first, first + kVectors · kLanes) of x.
template <int kVectors>
struct RowSum {
  Vector sum[kVectors];

  HWY_INLINE void clear() {
    for (auto& s : sum) s = hn::Zero(Tag());
  }
  template <class Source>
  HWY_INLINE void add(const Source* HWY_RESTRICT row, float weight) {
    const Vector w = hn::Set(Tag(), weight);
    for (int v = 0; v < kVectors; ++v) sum[v] = hn::MulAdd(w, load(row + v * kLanes), sum[v]);
  }
  template <class Source>
  static HWY_INLINE void prefetch(const Source* row) {
    constexpr auto kLine = static_cast<std::int64_t>(64 / sizeof(Source));
    for (std::int64_t f = 0; f < kVectors * kLanes; f += kLine) hwy::Prefetch(row + f);
  }
};

/// Neighbours between prefetching a row of x and using it. Measured at D = 64: on 2 cores of an EPYC
/// 9004 flat from 8 to 24 in f32; on 2 cores of an EPYC 9005 whose cache other programs fill, 24 takes
/// 0.86 of the time of 12 in f32, and 48 takes 0.65 of it in bf16, whose rows are used up twice as fast.
/// A row of f32 with fewer columns is used up as fast: at 32 of them, as with two ranks that share 64, a step
/// on Gowalla takes 0.92 of the processor time with 48.
template <class Source, int kVectors>
constexpr EdgeOffset rows_ahead() {
  constexpr std::int64_t kColumns = kVectors * kLanes;
  return sizeof(Source) == sizeof(float) && kColumns >= 64 ? 24 : 48;
}

/// The neighbours of consecutive rows, if every row of x counts: a row's ids follow those of the
/// row before, so that prefetching needs one index.
template <class Element>
class EveryColumn {
 public:
  using Source = Element;

  EveryColumn(const PropagateTask& task, EdgeOffset /*begin*/, EdgeOffset end)
      : task_(task), last_(end - 1) {}

  template <int kVectors>
  HWY_INLINE void add_row(std::int64_t row, std::int64_t first, RowSum<kVectors>& sum) const {
    const NodeId* columns = task_.csr.columns;
    const Source* x = source_of<Source>(task_) + first;
    const EdgeOffset end = task_.csr.offsets[row + 1];
    for (EdgeOffset e = task_.csr.offsets[row]; e < end; ++e) {
      const NodeId ahead = columns[std::min(e + rows_ahead<Source, kVectors>(), last_)];
      RowSum<kVectors>::prefetch(x + ahead * task_.x.stride);
      const NodeId column = columns[e];
      sum.add(x + column * task_.x.stride, task_.from_scale[column]);
    }
  }

 private:
  const PropagateTask& task_;
  EdgeOffset last_;
};

/// The neighbours of consecutive rows, if only marked rows of x count: a scan runs ahead of the sum
/// and lists the marked ones of a stretch of edges. It has no branch that depends on a mark: with a
/// batch of 2048 of Gowalla one edge in six is marked, in no order, and each second time the branch
/// would be mispredicted.
template <class Element>
class MarkedColumns {
 public:
  using Source = Element;
  static constexpr std::int64_t kStretch = 512;  // edges; with kAhead, a list of 6 KiB
  static constexpr std::int64_t kAhead = 8;

  MarkedColumns(const PropagateTask& task, EdgeOffset begin, EdgeOffset end)
      : task_(task), scanned_(begin), end_(end) {}

  template <int kVectors>
  HWY_INLINE void add_row(std::int64_t row, std::int64_t first, RowSum<kVectors>& sum) {
    const Source* x = source_of<Source>(task_) + first;
    const EdgeOffset row_end = task_.csr.offsets[row + 1];
    for (;;) {
      for (; used_ < found_ && positions_[used_] < row_end; ++used_) {
        RowSum<kVectors>::prefetch(x + columns_[used_ + kAhead] * task_.x.stride);
        const NodeId column = columns_[used_];
        sum.add(x + column * task_.x.stride, task_.from_scale[column]);
      }
      if (used_ < found_ || scanned_ >= row_end) return;
      scan();
    }
  }

 private:
  void scan() {
    const NodeId* columns = task_.csr.columns;
    const std::uint8_t* marks = task_.from_marks;
    const EdgeOffset stop = std::min(end_, scanned_ + kStretch);
    std::int64_t found = 0;
    for (EdgeOffset e = scanned_; e < stop; ++e) {
      const NodeId column = columns[e];
      columns_[found] = column;
      positions_[found] = e;
      found += marks[column];
    }
    for (std::int64_t i = 0; i < kAhead; ++i) columns_[found + i] = 0;
    scanned_ = stop;
    found_ = found;
    used_ = 0;
  }

  const PropagateTask& task_;
  EdgeOffset scanned_;
  EdgeOffset end_;
  std::int64_t found_ = 0;
  std::int64_t used_ = 0;
  NodeId columns_[kStretch + kAhead + 1];
  EdgeOffset positions_[kStretch + 1];
};

template <int kVectors>
HWY_INLINE void finish_row(const PropagateTask& task, std::int64_t row, std::int64_t first,
                           const RowSum<kVectors>& sum) {
  const Tag tag;
  float* out = task.y.row(row) + first;
  const bool add =
      task.addend != nullptr && (task.addend_marks == nullptr || task.addend_marks[row] != 0);
  const float* addend = add ? task.addend + row * task.y.stride + first : nullptr;
  const Vector to_scale = hn::Set(tag, task.to_scale[row]);
  const Vector scale = hn::Set(tag, task.scale);
  for (int v = 0; v < kVectors; ++v) {
    Vector value = hn::Mul(to_scale, sum.sum[v]);
    if (add) value = hn::Add(value, hn::Load(tag, addend + v * kLanes));
    hn::Store(hn::Mul(value, scale), tag, out + v * kLanes);
  }
}

template <class Columns, int kVectors>
void propagate_columns(const PropagateTask& task, std::int64_t begin, std::int64_t end,
                       std::int64_t first) {
  const EdgeOffset* offsets = task.csr.offsets;
  const auto* x = source_of<typename Columns::Source>(task) + first;
  if (task.rows == nullptr) {
    Columns columns(task, offsets[begin], offsets[end]);
    for (std::int64_t row = begin; row < end; ++row) {
      RowSum<kVectors> sum;
      sum.clear();
      columns.add_row(row, first, sum);
      finish_row(task, row, first, sum);
    }
    return;
  }
  for (std::int64_t i = begin; i < end; ++i) {
    const std::int64_t row = task.rows[i];
    if (i + 1 < end) {  // the next row is elsewhere in the CSR: prefetch its first neighbours
      const std::int64_t next = task.rows[i + 1];
      constexpr EdgeOffset kAtMost = rows_ahead<typename Columns::Source, kVectors>();
      const EdgeOffset stop = std::min(offsets[next + 1], offsets[next] + kAtMost);
      for (EdgeOffset e = offsets[next]; e < stop; ++e) {
        RowSum<kVectors>::prefetch(x + task.csr.columns[e] * task.x.stride);
      }
    }
    Columns columns(task, offsets[row], offsets[row + 1]);
    RowSum<kVectors> sum;
    sum.clear();
    columns.add_row(row, first, sum);
    finish_row(task, row, first, sum);
  }
}

/// Handles the first `vectors` vectors from column `first` on; 1 <= vectors <= kVectors.
template <class Columns, int kVectors = kMaxVectors>
void propagate_vectors(const PropagateTask& task, std::int64_t begin, std::int64_t end,
                       std::int64_t first, std::int64_t vectors) {
  if constexpr (kVectors > 1) {
    if (vectors < kVectors) {
      return propagate_vectors<Columns, kVectors - 1>(task, begin, end, first, vectors);
    }
  }
  propagate_columns<Columns, kVectors>(task, begin, end, first);
}

template <class Columns>
void propagate_chunks(const PropagateTask& task, std::int64_t begin, std::int64_t end) {
  for (std::int64_t first = 0; first < task.x.stride;) {
    const std::int64_t vectors =
        std::min<std::int64_t>(kMaxVectors, (task.x.stride - first) / kLanes);
    propagate_vectors<Columns>(task, begin, end, first, vectors);
    first += vectors * kLanes;
  }
}

template <class Source>
void propagate_from(const PropagateTask& task, std::int64_t begin, std::int64_t end) {
  if (task.from_marks == nullptr) {
    propagate_chunks<EveryColumn<Source>>(task, begin, end);
  } else {
    propagate_chunks<MarkedColumns<Source>>(task, begin, end);
  }
}

}  // namespace

void propagate_rows(const PropagateTask& task, std::int64_t begin, std::int64_t end) {
  if (task.copy == nullptr) {
    propagate_from<float>(task, begin, end);
  } else {
    propagate_from<Bf16>(task, begin, end);
  }
}

}  // namespace tern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tern::cpu {
HWY_EXPORT(propagate_rows);

namespace {

/// Ones if the product is not normalised: the kernel always multiplies by scales.
const float* own_scales(const Direction& direction, Normalization normalization) {
  return normalization == Normalization::kDegree ? direction.scale.data() : direction.ones.data();
}

}  // namespace

void propagate_rows(const PropagateTask& task, std::int64_t begin, std::int64_t end) {
  HWY_DYNAMIC_DISPATCH(propagate_rows)(task, begin, end);
}

void CpuBackend::propagate(const Graph& graph, Side to, const Matrix& x, Matrix& y,
                           const PropagateOptions& options) {
  check_propagate(graph, to, x, y, options);
  const GraphStorage& parts = storage(graph);
  const Direction& rows = parts.directions[static_cast<int>(to)];
  const Direction& columns = parts.directions[static_cast<int>(opposite(to))];
  const MatrixView<float> source = view(x);
  const CopyRefresh copied(y, options.to);
  const auto scales_of = [&](const Direction& direction, const Matrix* given) {
    return given == nullptr ? own_scales(direction, options.normalization) : view(*given).data;
  };
  PropagateTask task{.csr = parts.csr(to),
                     .to_scale = scales_of(rows, options.to_scales),
                     .from_scale = scales_of(columns, options.from_scales),
                     .x = {source.data, source.rows, source.cols, source.stride},
                     .copy = fresh_copy(x, pool_),
                     .y = view(y),
                     .scale = static_cast<float>(options.scale)};
  if (options.from != nullptr) task.from_marks = storage(*options.from).marks.data();
  if (options.addend != nullptr) task.addend = view(*options.addend).data;
  if (options.addend_rows != nullptr) {
    task.addend_marks = storage(*options.addend_rows).marks.data();
  }
  if (options.to == nullptr) {
    parallel_for(pool_, static_cast<std::int64_t>(rows.cuts.size()) - 1, [&](std::int64_t p) {
      const std::int64_t begin = rows.cuts[p], end = rows.cuts[p + 1];
      propagate_rows(task, begin, end);
      copied.copy(begin * task.y.stride, end * task.y.stride);
    });
    copied.finish();
    return;
  }
  const std::vector<NodeId>& wanted = storage(*options.to).rows;
  const auto count = static_cast<std::int64_t>(wanted.size());
  task.rows = wanted.data();
  parallel_for_ranges(pool_, count, kRowBlock, [&](std::int64_t begin, std::int64_t end) {
    propagate_rows(task, begin, end);
    for (std::int64_t i = begin; i < end; ++i) {
      copied.copy(wanted[i] * task.y.stride, (wanted[i] + 1) * task.y.stride);
    }
  });
  copied.finish();
}

}  // namespace tern::cpu
#endif  // HWY_ONCE
