#include "host/distributed/column_exchange.hpp"

#include <algorithm>
#include <span>

namespace tern::distributed {
namespace {

/// Elements of a table that are exchanged at a time: enough that messages are long, few beside a table.
constexpr std::int64_t kExchangedAtOnce = std::int64_t{1} << 20;

/// Room for elements in a workspace that grows.
template <class Value>
std::span<Value> room(std::vector<std::byte>& workspace, std::int64_t size) {
  const auto bytes = static_cast<std::size_t>(size) * sizeof(Value);
  if (workspace.size() < bytes) workspace.resize(bytes);
  return {reinterpret_cast<Value*>(workspace.data()), static_cast<std::size_t>(size)};
}

}  // namespace

std::int64_t ColumnExchange::rows_at_once(std::int64_t width) const {
  return std::max<std::int64_t>(1, kExchangedAtOnce / std::max<std::int64_t>(1, width));
}

template <class Value>
void ColumnExchange::gather(const MatrixView<const Value>& own, const MatrixView<Value>& whole) {
  const std::int64_t at_once = rows_at_once(whole.cols);
  std::vector<std::size_t> sizes(static_cast<std::size_t>(communicator_.size()));
  for (std::int64_t begin = 0; begin < whole.rows; begin += at_once) {
    const std::int64_t end = std::min(whole.rows, begin + at_once);
    const std::span<Value> sent = room<Value>(sent_, (end - begin) * own.cols);
    auto to = sent.begin();
    for (std::int64_t row = begin; row < end; ++row) {
      to = std::copy_n(own.row(row), own.cols, to);
    }
    const std::span<Value> received = room<Value>(received_, (end - begin) * whole.cols);
    for (int r = 0; r < communicator_.size(); ++r) {
      const std::int64_t count = (end - begin) * columns(whole.cols, r).size();
      sizes[static_cast<std::size_t>(r)] = static_cast<std::size_t>(count) * sizeof(Value);
    }
    communicator_.all_gather(std::as_bytes(sent), sizes, std::as_writable_bytes(received));
    auto from = received.begin();
    for (int r = 0; r < communicator_.size(); ++r) {
      const ColumnRange theirs = columns(whole.cols, r);
      for (std::int64_t row = begin; row < end; ++row, from += theirs.size()) {
        std::copy_n(from, theirs.size(), whole.row(row) + theirs.begin);
      }
    }
    for (std::int64_t row = begin; row < end; ++row) {
      std::fill(whole.row(row) + whole.cols, whole.row(row) + whole.stride, Value{});
    }
  }
}
template void ColumnExchange::gather(const MatrixView<const float>&, const MatrixView<float>&);
template void ColumnExchange::gather(const MatrixView<const double>&, const MatrixView<double>&);

void ColumnExchange::reduce(const MatrixView<const float>& whole, const MatrixView<float>& own,
                            Write write) {
  const std::int64_t at_once = rows_at_once(whole.cols);
  std::vector<std::size_t> counts(static_cast<std::size_t>(communicator_.size()));
  for (std::int64_t begin = 0; begin < whole.rows; begin += at_once) {
    const std::int64_t end = std::min(whole.rows, begin + at_once);
    const std::span<float> sent = room<float>(sent_, (end - begin) * whole.cols);
    auto to = sent.begin();
    for (int r = 0; r < communicator_.size(); ++r) {
      const ColumnRange theirs = columns(whole.cols, r);
      counts[static_cast<std::size_t>(r)] = static_cast<std::size_t>((end - begin) * theirs.size());
      for (std::int64_t row = begin; row < end; ++row) {
        to = std::copy_n(whole.row(row) + theirs.begin, theirs.size(), to);
      }
    }
    const std::span<float> received = room<float>(received_, (end - begin) * own.cols);
    communicator_.reduce_scatter(sent, counts, received);
    auto from = received.begin();
    for (std::int64_t row = begin; row < end; ++row) {
      for (std::int64_t c = 0; c < own.cols; ++c, ++from) {
        own(row, c) = write == Write::kAdd ? own(row, c) + *from : *from;
      }
    }
  }
}

}  // namespace tern::distributed
