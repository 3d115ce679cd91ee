// The best items of each query, see Backend::score_topk.
//
// Queries are processed in blocks, items in tiles: a tile of scores (items × block) comes from one
// product and stays in the core's own cache; its observed items are masked, and only scores above a
// query's k-th best so far are compared one by one. U × I scores never exist.
//
// A score is one sum in the order of the columns, wherever its query is in a block: a user's scores
// are the same bits alone and among others.

#include <algorithm>
#include <limits>
#include <vector>

#include "host/backend/checks.hpp"
#include "host/cpu/backend.hpp"
#include "host/cpu/table_products.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/score_topk.cpp"
#include <hwy/foreach_target.h>  // after HWY_TARGET_INCLUDE
#include <hwy/highway.h>         // after foreach_target.h

HWY_BEFORE_NAMESPACE();
namespace tern::cpu::HWY_NAMESPACE {

/// The first index i in [begin, size) with scores[i] > thresholds[i % cols]; size if there is none.
/// size and cols are whole blocks.
std::int64_t find_above(const float* HWY_RESTRICT scores, std::int64_t begin, std::int64_t size,
                        const float* HWY_RESTRICT thresholds, std::int64_t cols) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::CappedTag<float, kBlock> tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  std::int64_t f = begin / lanes * lanes;
  auto skipped = hn::FirstN(tag, static_cast<std::size_t>(begin - f));
  for (std::int64_t col = f % cols; f < size; f += lanes) {
    const auto above = hn::Gt(hn::Load(tag, scores + f), hn::Load(tag, thresholds + col));
    const auto found = hn::FindFirstTrue(tag, hn::AndNot(skipped, above));
    if (found >= 0) return f + found;
    skipped = hn::FirstN(tag, 0);
    col += lanes;
    if (col == cols) col = 0;
  }
  return size;
}

}  // namespace tern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tern::cpu {
HWY_EXPORT(find_above);

namespace {

constexpr std::int64_t kQueryBlock = kPanel;
/// 126 × 64 scores are 31.5 KiB; with the panel of queries they fit a first-level cache of 48 KiB.
constexpr std::int64_t kItemTile = 21 * kTileRows;
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
  explicit Workspace(std::int64_t stride)
      : queries(kQueryBlock * stride), panel(kQueryBlock * stride) {}

  FloatBlock queries;                                     // (block, stride): their rows
  FloatBlock panel;                                       // (stride, block): by columns
  FloatBlock tile = FloatBlock(kItemTile * kQueryBlock);  // (items, block padded): scores
  FloatBlock thresholds = FloatBlock(kQueryBlock);        // that the next item must exceed
  std::vector<BestItems> best = std::vector<BestItems>(kQueryBlock);
  std::vector<EdgeOffset> masked;  // (block, observed graphs): how far each row is masked
};

class BlockScorer {
 public:
  BlockScorer(MatrixView<float> users, MatrixView<float> items, std::vector<CsrView> observed,
              std::int64_t k)
      : users_(users), items_(items), observed_(std::move(observed)), k_(k) {}

  /// Ranks a block of queries into their rows of items and scores.
  void score(std::span<const NodeId> queries, Workspace& work, NodeId* items, float* scores) const {
    const auto count = static_cast<std::int64_t>(queries.size());
    const std::int64_t cols = padded(count);
    begin(queries, work);
    for (std::int64_t first = 0; first < items_.rows; first += kItemTile) {
      const std::int64_t rows = std::min(kItemTile, items_.rows - first);
      products_.multiply({.a = items_.row(first),
                          .a_row = items_.stride,
                          .a_depth = 1,
                          .b = work.panel.data(),
                          .b_stride = kPanel,
                          .c = work.tile.data(),
                          .c_stride = cols,
                          .rows = rows,
                          .depth = items_.cols,
                          .cols = cols});
      mask(queries, first, rows, cols, work);
      collect(first, rows, cols, work);
    }
    for (std::int64_t q = 0; q < count; ++q) work.best[q].write(items + q * k_, scores + q * k_);
  }

 private:
  void begin(std::span<const NodeId> queries, Workspace& work) const {
    const auto count = static_cast<std::int64_t>(queries.size());
    work.masked.resize(queries.size() * observed_.size());
    std::fill_n(work.thresholds.data(), kQueryBlock, -kNone);  // of columns without a query
    for (std::int64_t q = 0; q < count; ++q) {
      std::copy_n(users_.row(queries[q]), users_.stride, work.queries.data() + q * users_.stride);
      for (std::size_t g = 0; g < observed_.size(); ++g) {
        work.masked[q * observed_.size() + g] = observed_[g].offsets[queries[q]];
      }
      work.best[q].reset(k_);
      work.thresholds.data()[q] = work.best[q].threshold();
    }
    products_.pack(work.queries.data(), count, users_.stride, 0, work.panel.data());
  }

  void mask(std::span<const NodeId> queries, std::int64_t first, std::int64_t rows,
            std::int64_t cols, Workspace& work) const {
    for (std::size_t q = 0; q < queries.size(); ++q) {
      for (std::size_t g = 0; g < observed_.size(); ++g) {
        const CsrView& csr = observed_[g];
        EdgeOffset& position = work.masked[q * observed_.size() + g];
        const EdgeOffset end = csr.offsets[queries[q] + 1];
        while (position < end && csr.columns[position] < first + rows) {
          const std::int64_t row = csr.columns[position++] - first;
          work.tile.data()[row * cols + static_cast<std::int64_t>(q)] = kNone;
        }
      }
    }
  }

  static void collect(std::int64_t first, std::int64_t rows, std::int64_t cols, Workspace& work) {
    const auto find_above = HWY_DYNAMIC_DISPATCH(find_above);
    const float* scores = work.tile.data();
    float* thresholds = work.thresholds.data();
    const std::int64_t size = rows * cols;
    for (std::int64_t i = 0; (i = find_above(scores, i, size, thresholds, cols)) < size; ++i) {
      const std::int64_t q = i % cols;
      work.best[q].offer({scores[i], static_cast<NodeId>(first + i / cols)});
      thresholds[q] = work.best[q].threshold();
    }
  }

  MatrixView<float> users_;
  MatrixView<float> items_;
  std::vector<CsrView> observed_;
  std::int64_t k_;
  ProductKernels products_ = choose_product_kernels();
};

}  // namespace

void CpuBackend::score_topk(const Matrix& users, const Matrix& items,
                            std::span<const NodeId> queries, std::span<const Graph* const> observed,
                            std::int64_t k, TopItems& top) {
  expect_not_recording("score_topk");
  check_score_topk(users, items, queries, observed, k);
  std::vector<CsrView> masks;
  for (const Graph* graph : observed) masks.push_back(storage(*graph).csr(Side::kUser));
  const BlockScorer scorer(view(users), view(items), std::move(masks), k);
  const auto count = static_cast<std::int64_t>(queries.size());
  resize_top_items(queries.size(), k, top);
  const std::int64_t blocks = (count + kQueryBlock - 1) / kQueryBlock;
  const auto make = [&] { return Workspace(view(users).stride); };
  parallel_for_with(pool_, blocks, make, [&](std::int64_t block, Workspace& work) {
    const std::int64_t first = block * kQueryBlock;
    const std::int64_t size = std::min(kQueryBlock, count - first);
    scorer.score(queries.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(size)),
                 work, top.items.data() + first * k, top.scores.data() + first * k);
  });
}

}  // namespace tern::cpu
#endif  // HWY_ONCE
