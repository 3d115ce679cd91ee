// The best items of each query, see Backend::score_topk.
//
// Queries are processed in blocks, items in tiles: a tile of scores (block × tile) comes from one
// matrix product and stays in the core's own cache; its observed items are masked, and only scores
// above a query's k-th best so far are compared one by one. U × I scores never exist.
//
// OpenBLAS chooses its kernel by the sizes of a product, and some kernels round by the place in the
// product: the last bits of a score depend on both. So every block has the same size, with empty
// slots if there are few queries, and a user goes to slots of its residue class only: its scores are
// the same bits alone and among others.

#include <algorithm>
#include <limits>
#include <vector>

#include <cblas.h>

#include "host/backend/checks.hpp"
#include "host/cpu/backend.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/score_topk.cpp"
#include <hwy/foreach_target.h>  // after HWY_TARGET_INCLUDE
#include <hwy/highway.h>         // after foreach_target.h

HWY_BEFORE_NAMESPACE();
namespace tern::cpu::HWY_NAMESPACE {

/// The first index in [begin, size) whose score is above the threshold; size if there is none.
std::int64_t find_above(const float* HWY_RESTRICT scores, std::int64_t begin, std::int64_t size,
                        float threshold) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::CappedTag<float, kBlock> tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  const auto limit = hn::Set(tag, threshold);
  std::int64_t f = begin;
  for (; f + lanes <= size; f += lanes) {
    const auto above = hn::Gt(hn::LoadU(tag, scores + f), limit);
    const auto found = hn::FindFirstTrue(tag, above);
    if (found >= 0) return f + found;
  }
  while (f < size && !(scores[f] > threshold)) ++f;
  return f;
}

}  // namespace tern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tern::cpu {
HWY_EXPORT(find_above);

namespace {

/// OpenBLAS takes 3 register tiles of 2, 4, 8 or 16 queries at a time, and the rest by other code with
/// other roundings: a multiple of all leaves no rest.
constexpr std::int64_t kQueryBlock = 48;
/// Its kernel for Haswell and Zen rounds the first six of 12 queries otherwise than the others.
constexpr std::int64_t kSlotClasses = 12;
/// 48 × 1024 scores are 192 KiB: they fit the second-level cache of common cores since 2015.
constexpr std::int64_t kItemTile = 1024;
constexpr float kNone = -std::numeric_limits<float>::infinity();

struct Candidate {
  float score;
  NodeId item;
  /// Ties by ascending item id.
  friend bool operator<(const Candidate& a, const Candidate& b) {
    return a.score > b.score || (a.score == b.score && a.item < b.item);
  }
};

/// The k best candidates offered so far, the worst of them on top of a heap.
class BestItems {
 public:
  void reset(std::int64_t k) {
    k_ = static_cast<std::size_t>(k);
    heap_.clear();
  }
  /// The score that the next item must exceed. Items come by ascending id, so a tie loses.
  float threshold() const { return heap_.size() < k_ ? kNone : heap_.front().score; }
  void offer(Candidate candidate) {
    if (heap_.size() == k_) {
      std::pop_heap(heap_.begin(), heap_.end());
      heap_.pop_back();
    }
    heap_.push_back(candidate);
    std::push_heap(heap_.begin(), heap_.end());
  }
  void write(NodeId* items, float* scores) {
    std::sort_heap(heap_.begin(), heap_.end());
    for (std::size_t i = 0; i < k_; ++i) {
      items[i] = i < heap_.size() ? heap_[i].item : -1;
      scores[i] = i < heap_.size() ? heap_[i].score : kNone;
    }
  }

 private:
  std::size_t k_ = 0;
  std::vector<Candidate> heap_;
};

/// One thread's workspace for one block of queries.
struct Workspace {
  std::vector<float> queries = std::vector<float>();
  std::vector<float> tile = std::vector<float>(kQueryBlock * kItemTile);
  std::vector<BestItems> best = std::vector<BestItems>(kQueryBlock);
  std::vector<EdgeOffset> masked;  // (block, observed graphs): how far each row is masked
};

/// A function of the user alone. Multiples of the golden ratio fill the classes evenly, whatever the step from
/// one user to the next.
std::int64_t slot_class_of(NodeId user) {
  constexpr std::uint32_t kGolden = 0x9E3779B9u;  // 2³² / golden ratio
  const std::uint32_t mixed = static_cast<std::uint32_t>(user) * kGolden;
  return static_cast<std::int64_t>(std::uint64_t{mixed} * kSlotClasses >> 32);
}

/// The slots of whole blocks: places in `queries`, or -1. A user is in slots of its class.
std::vector<std::int64_t> slots_of(std::span<const NodeId> queries) {
  std::vector<std::int64_t> slots;
  std::int64_t used[kSlotClasses] = {};
  for (std::size_t q = 0; q < queries.size(); ++q) {
    const std::int64_t slot_class = slot_class_of(queries[q]);
    const std::int64_t slot = used[slot_class]++ * kSlotClasses + slot_class;
    while (static_cast<std::int64_t>(slots.size()) <= slot) {
      slots.insert(slots.end(), kQueryBlock, -1);
    }
    slots[slot] = static_cast<std::int64_t>(q);
  }
  return slots;
}

class BlockScorer {
 public:
  BlockScorer(MatrixView<float> users, MatrixView<float> items, std::vector<CsrView> observed,
              std::int64_t k)
      : users_(users), items_(items), observed_(std::move(observed)), k_(k) {}

  /// Ranks the queries in the slots of one block into their rows of items and scores.
  void score(std::span<const std::int64_t> slots, std::span<const NodeId> queries, Workspace& work,
             NodeId* items, float* scores) const {
    work.queries.resize(static_cast<std::size_t>(kQueryBlock * users_.stride));
    work.masked.resize(static_cast<std::size_t>(kQueryBlock) * observed_.size());
    for (std::int64_t q = 0; q < kQueryBlock; ++q) {
      if (slots[q] < 0) continue;
      const NodeId user = queries[slots[q]];
      std::copy_n(users_.row(user), users_.stride, work.queries.data() + q * users_.stride);
      for (std::size_t g = 0; g < observed_.size(); ++g) {
        work.masked[q * observed_.size() + g] = observed_[g].offsets[user];
      }
      work.best[q].reset(k_);
    }
    for (std::int64_t first = 0; first < items_.rows; first += kItemTile) {
      const std::int64_t width = std::min(kItemTile, items_.rows - first);
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, kQueryBlock, static_cast<int>(width),
                  static_cast<int>(users_.cols), 1.0F, work.queries.data(),
                  static_cast<int>(users_.stride), items_.row(first),
                  static_cast<int>(items_.stride), 0.0F, work.tile.data(), kItemTile);
      for (std::int64_t q = 0; q < kQueryBlock; ++q) {
        if (slots[q] < 0) continue;
        float* row = work.tile.data() + q * kItemTile;
        mask(queries[slots[q]], first, width, work.masked.data() + q * observed_.size(), row);
        collect(row, first, width, work.best[q]);
      }
    }
    for (std::int64_t q = 0; q < kQueryBlock; ++q) {
      if (slots[q] >= 0) work.best[q].write(items + slots[q] * k_, scores + slots[q] * k_);
    }
  }

 private:
  void mask(NodeId query, std::int64_t first, std::int64_t width, EdgeOffset* position,
            float* row) const {
    for (std::size_t g = 0; g < observed_.size(); ++g) {
      const CsrView& csr = observed_[g];
      const EdgeOffset end = csr.offsets[query + 1];
      while (position[g] < end && csr.columns[position[g]] < first + width) {
        row[csr.columns[position[g]++] - first] = kNone;
      }
    }
  }

  static void collect(const float* row, std::int64_t first, std::int64_t width, BestItems& best) {
    const auto find_above = HWY_DYNAMIC_DISPATCH(find_above);
    for (std::int64_t f = 0; (f = find_above(row, f, width, best.threshold())) < width; ++f) {
      best.offer({row[f], static_cast<NodeId>(first + f)});
    }
  }

  MatrixView<float> users_;
  MatrixView<float> items_;
  std::vector<CsrView> observed_;
  std::int64_t k_;
};

}  // namespace

void CpuBackend::score_topk(const Matrix& users, const Matrix& items,
                            std::span<const NodeId> queries, std::span<const Graph* const> observed,
                            std::int64_t k, TopItems& top) {
  check_score_topk(users, items, queries, observed, k);
  std::vector<CsrView> masks;
  for (const Graph* graph : observed) masks.push_back(storage(*graph).csr(Side::kUser));
  const BlockScorer scorer(view(users), view(items), std::move(masks), k);
  const std::vector<std::int64_t> slots = slots_of(queries);
  const auto count = static_cast<std::int64_t>(slots.size());
  resize_top_items(queries.size(), k, top);
  const auto make = [] { return Workspace(); };
  parallel_for_with(pool_, count / kQueryBlock, make, [&](std::int64_t block, Workspace& work) {
    const auto first = static_cast<std::size_t>(block * kQueryBlock);
    scorer.score(std::span(slots).subspan(first, kQueryBlock), queries, work, top.items.data(),
                 top.scores.data());
  });
}

}  // namespace tern::cpu
#endif  // HWY_ONCE
