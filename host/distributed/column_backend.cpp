// What is whole on every rank: matrices as their users see them, statistics and rankings. The ops of a
// step are in column_ops.cpp.

#include "host/distributed/column_backend.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "host/backend/checks.hpp"
#include "host/distributed/column_storage.hpp"
#include "tern/error.hpp"

namespace tern::distributed {
namespace {

ColumnMatrix& storage(const Matrix& matrix) {
  return storage_of<ColumnMatrix>(matrix, "ranks", "matrix");
}

ColumnCounter& storage(const Counter& counter) {
  return storage_of<ColumnCounter>(counter, "ranks", "counter");
}

}  // namespace

void expect_enough_columns(std::string_view what, std::int64_t width, int ranks) {
  const std::int64_t most = max_ranks(width);
  if (ranks <= most) return;
  throw ConfigError(
      fmt::format("{} is {}, which at most {} rank{} can share, {} columns each: found {} ranks",
                  what, width, most, most == 1 ? "" : "s", kColumnGroup, ranks));
}

ColumnBackend::ColumnBackend(Communicator& communicator, int threads)
    : communicator_(communicator),
      exchange_(communicator),
      sums_(communicator, exchange_),
      inner_(make_partial_cpu_backend(threads, sums_)) {}

DeviceDescription ColumnBackend::describe() const {
  DeviceDescription own = inner_->describe();
  own.details += fmt::format(", for each of {} ranks", communicator_.size());
  return own;
}

const Matrix& ColumnBackend::part(const Matrix& matrix) const {
  return storage(matrix).part;
}

Matrix& ColumnBackend::part(Matrix& matrix) {
  ColumnMatrix& found = storage(matrix);
  found.version = ++versions_;
  return found.part;
}

bool ColumnBackend::is_split(const Matrix& matrix) const {
  return storage(matrix).split;
}

ColumnRange ColumnBackend::columns(std::int64_t width) const {
  return columns_of(width, communicator_.rank(), communicator_.size());
}

Matrix ColumnBackend::allocate(std::int64_t rows, std::int64_t cols, const MatrixOptions& options) {
  check_allocate(rows, cols, sizeof(float));
  const bool split = !options.replicated;
  if (split) expect_enough_columns("the width of a matrix", cols, communicator_.size());
  Matrix own = inner_->allocate(rows, split ? columns(cols).size() : cols, options);
  return {std::make_unique<ColumnMatrix>(std::move(own), split, ++versions_), rows, cols};
}

template <class Value>
void ColumnBackend::upload_part(std::span<const Value> values, Matrix& to) {
  check_transfer("upload", to, values.size());
  if (!is_split(to)) return inner_->upload(values, part(to));
  const ColumnRange own = columns(to.cols());
  std::vector<Value> mine(static_cast<std::size_t>(to.rows() * own.size()));
  for (std::int64_t r = 0; r < to.rows(); ++r) {
    std::copy_n(values.begin() + r * to.cols() + own.begin, own.size(),
                mine.begin() + r * own.size());
  }
  inner_->upload(std::span<const Value>(mine), part(to));
}

void ColumnBackend::upload(std::span<const float> values, Matrix& to) {
  upload_part(values, to);
}
void ColumnBackend::upload(std::span<const double> values, Matrix& to) {
  upload_part(values, to);
}

template <class Value>
void ColumnBackend::download_whole(const Matrix& from, std::span<Value> values) {
  check_transfer("download", from, values.size());
  if (!is_split(from)) return inner_->download(part(from), values);
  const std::int64_t own = columns(from.cols()).size();
  std::vector<Value> mine(static_cast<std::size_t>(from.rows() * own));
  inner_->download(part(from), mine);
  exchange_.gather<Value>({mine.data(), from.rows(), own, own},
                          {values.data(), from.rows(), from.cols(), from.cols()});
}

void ColumnBackend::download(const Matrix& from, std::span<float> values) {
  download_whole(from, values);
}
void ColumnBackend::download(const Matrix& from, std::span<double> values) {
  download_whole(from, values);
}

void ColumnBackend::copy(const Matrix& from, Matrix& to) {
  check_copy(from, to);
  inner_->copy(part(from), part(to));
}

void ColumnBackend::fill(Matrix& matrix, double value) {
  inner_->fill(part(matrix), value);
}

Counter ColumnBackend::make_counter(std::int64_t value) {
  return Counter(std::make_unique<ColumnCounter>(inner_->make_counter(value)));
}

void ColumnBackend::set(Counter& counter, std::int64_t value) {
  inner_->set(storage(counter).own, value);
}

std::int64_t ColumnBackend::get(const Counter& counter) {
  const ColumnCounter& found = storage(counter);
  const std::int64_t own = inner_->get(found.own);
  if (!found.has_faults) return own;
  std::vector<std::int64_t> all(static_cast<std::size_t>(communicator_.size()));
  const std::vector<std::size_t> sizes(all.size(), sizeof own);
  communicator_.all_gather(std::as_bytes(std::span(&own, 1)), sizes,
                           std::as_writable_bytes(std::span(all)));
  std::int64_t first = 0;
  for (const std::int64_t step : all) {
    if (step != 0 && (first == 0 || step < first)) first = step;
  }
  return first;
}

void ColumnBackend::increment(Counter& counter) {
  inner_->increment(storage(counter).own);
}

Counter* ColumnBackend::part(Counter* fault) {
  if (fault == nullptr) return nullptr;
  ColumnCounter& found = storage(*fault);
  found.has_faults = true;
  return &found.own;
}

Matrix ColumnBackend::gather(const Matrix& matrix) {
  std::vector<float> values(static_cast<std::size_t>(matrix.size()));
  download(matrix, values);
  Matrix whole = inner_->allocate(matrix.rows(), matrix.cols());
  inner_->upload(std::span<const float>(values), whole);
  return whole;
}

const Matrix& ColumnBackend::whole(const Matrix& matrix) {
  if (!is_split(matrix)) return part(matrix);
  constexpr std::size_t kKept = 2;  // of users and items
  const std::uint64_t version = storage(matrix).version;
  const auto known = std::ranges::find(gathered_, version, &Gathered::version);
  if (known != gathered_.end()) {
    gathered_.splice(gathered_.begin(), gathered_, known);
  } else {
    if (gathered_.size() == kKept) gathered_.pop_back();
    gathered_.push_front({version, gather(matrix)});
  }
  return gathered_.front().whole;
}

EmbeddingStatistics ColumnBackend::embedding_statistics(const Matrix& embeddings,
                                                        StatisticsFigures figures) {
  return inner_->embedding_statistics(whole(embeddings), figures);
}

void ColumnBackend::score_topk(const Matrix& users, const Matrix& items,
                               std::span<const NodeId> queries,
                               std::span<const Graph* const> observed, std::int64_t k,
                               TopItems& top) {
  check_score_topk(users, items, queries, observed, k);
  const Matrix& all_users = whole(users);
  const Matrix& all_items = whole(items);
  const auto ranks = static_cast<std::size_t>(communicator_.size());
  const auto bound = [&](std::size_t rank) { return queries.size() * rank / ranks; };
  const auto rank = static_cast<std::size_t>(communicator_.rank());
  const std::span<const NodeId> own = queries.subspan(bound(rank), bound(rank + 1) - bound(rank));
  TopItems mine;
  inner_->score_topk(all_users, all_items, own, observed, k, mine);
  resize_top_items(queries.size(), k, top);
  const auto gather_lists = [&]<class Value>(const std::vector<Value>& from,
                                             std::vector<Value>& to) {
    std::vector<std::size_t> sizes(ranks);
    for (std::size_t r = 0; r < ranks; ++r) {
      sizes[r] = (bound(r + 1) - bound(r)) * static_cast<std::size_t>(k) * sizeof(Value);
    }
    communicator_.all_gather(std::as_bytes(std::span(from)), sizes,
                             std::as_writable_bytes(std::span(to)));
  };
  gather_lists(mine.items, top.items);
  gather_lists(mine.scores, top.scores);
}

}  // namespace tern::distributed
