#include <algorithm>

#include "cuda/backend.hpp"
#include "cuda/ops/embedding_statistics.hpp"
#include "cuda/ops/score_topk.hpp"
#include "host/backend/checks.hpp"
#include "host/backend/statistics.hpp"
#include "tern/error.hpp"

// What is done between epochs: top lists and the health of embedding tables. These wait.

namespace tern::cuda {
namespace {

/// What cuBLAS asks for on compute capability 9.0 (its documentation); with a workspace of ours it
/// never allocates, and a product gives the same bits every time.
constexpr std::int64_t kCublasBytes = std::int64_t{32} << 20;

template <typename T>
T* reserve(DeviceArray<T>& array, std::int64_t size, const Memory& memory) {
  if (array.size() < size) {
    array = DeviceArray<T>();  // the old one first
    array = DeviceArray<T>(size, memory);
  }
  return array.data();
}

}  // namespace

/// A block of queries on its way through score_topk; what is selected goes to select.top_*.
struct CudaBackend::ScoreBlock {
  SelectTask select;
  float* gathered;
  std::size_t sorting_bytes;
};

/// scores (queries, items) = gathered (queries, D) · itemsᵀ; column-major to cuBLAS: (items, D)ᵀ.
void CudaBackend::multiply(const Matrix& users, const Matrix& items, const ScoreBlock& block) {
  const SelectTask& select = block.select;
  if (users.cols() == 0) {
    check(cudaMemsetAsync(select.scores, 0,
                          static_cast<std::size_t>(select.count * select.stride) * sizeof(float),
                          stream_.get()));
    return;
  }
  if (cublas_ == nullptr) {
    cublas_workspace_ = DeviceArray<std::uint8_t>(kCublasBytes, pool_memory());
    cublas_ = make_cublas(stream_.get());
    check(cublasSetWorkspace(cublas_.get(), cublas_workspace_.data(),
                             static_cast<std::size_t>(kCublasBytes)));
  }
  const float one = 1.0F;
  const float zero = 0.0F;
  const MatrixView<float> i = view(items);
  check(cublasSgemm_64(cublas_.get(), CUBLAS_OP_T, CUBLAS_OP_N, i.rows, select.count, i.cols, &one,
                       i.data, i.stride, block.gathered, view(users).stride, &zero, select.scores,
                       select.stride));
}

void CudaBackend::score_block(const Matrix& users, const Matrix& items,
                              std::span<const Graph* const> observed, const ScoreBlock& block) {
  const SelectTask& select = block.select;
  launch_gather(queue(), {.users = read_only_view(users),
                          .queries = select.queries,
                          .count = select.count,
                          .out = block.gathered});
  multiply(users, items, block);
  for (const Graph* graph : observed) {
    launch_mask(queue(), select, storage(*graph).csr(Side::kUser));
  }
  launch_select(queue(), select, score_.sorting.data(), block.sorting_bytes);
}

void CudaBackend::score_topk(const Matrix& users, const Matrix& items,
                             std::span<const NodeId> queries,
                             std::span<const Graph* const> observed, std::int64_t k,
                             TopItems& top) {
  const Range range("score_topk");
  check_score_topk(users, items, queries, observed, k);
  expect_not_recording("score_topk");
  const DeviceScope scope = use_device();
  const auto count = static_cast<std::int64_t>(queries.size());
  resize_top_items(queries.size(), k, top);
  if (count == 0 || items.rows() == 0) return;

  const std::int64_t stride = padded(items.rows());
  const auto [block, chunk] =
      cut_queries(count, stride, k, {.scores = cache_bytes_ / 2, .results = options_.result_bytes});
  const auto num_items = static_cast<NodeId>(items.rows());
  const std::size_t sorting_bytes = select_bytes(block, num_items, k);
  reserve(score_.queries, count, pool_memory());
  reserve(score_.gathered, block * view(users).stride, pool_memory());
  reserve(score_.scores, block * stride, pool_memory());
  reserve(score_.items, chunk * k, pool_memory());
  reserve(score_.top, chunk * k, pool_memory());
  reserve(score_.sorting, static_cast<std::int64_t>(sorting_bytes), pool_memory());
  score_.queries.upload(queries);

  for (std::int64_t begin = 0; begin < count; begin += chunk) {
    const std::int64_t end = std::min(begin + chunk, count);
    for (std::int64_t first = begin; first < end; first += block) {
      score_block(users, items, observed,
                  {.select = {.queries = score_.queries.data() + first,
                              .count = std::min(block, end - first),
                              .scores = score_.scores.data(),
                              .stride = stride,
                              .num_items = num_items,
                              .k = k,
                              .top_items = score_.items.data() + (first - begin) * k,
                              .top_scores = score_.top.data() + (first - begin) * k},
                   .gathered = score_.gathered.data(),
                   .sorting_bytes = sorting_bytes});
    }
    const auto at = static_cast<std::size_t>(begin * k);
    const auto size = static_cast<std::size_t>((end - begin) * k);
    score_.items.download(std::span(top.items).subspan(at, size));
    score_.top.download(std::span(top.scores).subspan(at, size));
  }
}

EmbeddingStatistics CudaBackend::embedding_statistics(const Matrix& embeddings) {
  const Range range("embedding_statistics");
  check_embedding_statistics(embeddings);
  expect_not_recording("embedding_statistics");
  const DeviceScope scope = use_device();
  const MatrixView<const float> table = read_only_view(embeddings);
  const std::int64_t cols = table.cols;
  if (table.rows == 0 || cols == 0) {
    EmbeddingStatistics none;
    none.rows = table.rows;
    none.gram.assign(static_cast<std::size_t>(cols * cols), 0.0);
    return none;
  }
  const StatisticsCuts cuts = cut_statistics(table.rows, cols);
  const DeviceArray<RowFigures> figures(cuts.stretches, pool_memory());
  const DeviceArray<double> unit_sum(cuts.stretches * cols, pool_memory());
  const DeviceArray<double> mean(cuts.stretches * cols, pool_memory());
  const DeviceArray<double> square(cuts.stretches * cols, pool_memory());
  const DeviceArray<double> gram(cuts.splits * cols * cols, pool_memory());
  launch_embedding_statistics(queue(), {.table = table,
                                        .cuts = cuts,
                                        .figures = figures.data(),
                                        .unit_sum = unit_sum.data(),
                                        .mean = mean.data(),
                                        .square = square.data(),
                                        .gram = gram.data()});
  RowFigures totals{};
  figures.download(std::span<RowFigures>(&totals, 1));
  const auto width = static_cast<std::size_t>(cols);
  Moments moments{.rows = table.rows,
                  .non_finite = totals.non_finite,
                  .directed = totals.directed,
                  .norm_sum = totals.norm_sum,
                  .max_norm = totals.max_norm,
                  .unit_sum = std::vector<double>(width),
                  .mean = std::vector<double>(width),
                  .square = std::vector<double>(width),
                  .gram = std::vector<double>(width * width)};
  unit_sum.download(moments.unit_sum);
  mean.download(moments.mean);
  square.download(moments.square);
  gram.download(moments.gram);
  return summarize(std::move(moments), cols);
}

}  // namespace tern::cuda
