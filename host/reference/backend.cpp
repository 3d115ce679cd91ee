#include "host/reference/backend.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "host/backend/checks.hpp"
#include "tern/device.hpp"

namespace tern {

std::unique_ptr<Backend> make_reference_backend() {
  return std::make_unique<reference::ReferenceBackend>();
}

}  // namespace tern

namespace tern::reference {
namespace {

std::vector<double> scales_of(const Interactions& neighbours) {
  std::vector<double> scales;
  for (NodeId node = 0; node < neighbours.num_users(); ++node) {
    const auto degree = static_cast<double>(neighbours.row(node).size());
    scales.push_back(degree == 0 ? 0 : 1 / std::sqrt(degree));
  }
  return scales;
}

template <typename Value>
void upload_values(std::span<const Value> values, Matrix& to) {
  check_transfer("upload", to, values.size());
  auto& storage = storage_of<MatrixStorage>(to, "upload", "matrix");
  std::copy(values.begin(), values.end(), storage.values.begin());
}

}  // namespace

DeviceDescription ReferenceBackend::describe() const {
  return {.name = "CPU", .precision = "f64", .details = "plain loops, one thread"};
}

Matrix ReferenceBackend::allocate(std::int64_t rows, std::int64_t cols,
                                  const MatrixOptions& options) {
  expect_not_recording("allocate");
  const std::int64_t size = check_allocate(rows, cols, sizeof(double));
  auto storage = std::make_unique<MatrixStorage>();
  storage->gather = options.gather;
  reserve_memory("allocate", static_cast<double>(size) * sizeof(double),
                 [&] { storage->values.assign(static_cast<std::size_t>(size), 0.0); });
  return {std::move(storage), rows, cols};
}

void ReferenceBackend::upload(std::span<const float> values, Matrix& to) {
  expect_not_recording("upload");
  upload_values(values, to);
}

void ReferenceBackend::upload(std::span<const double> values, Matrix& to) {
  expect_not_recording("upload");
  upload_values(values, to);
}

void ReferenceBackend::download(const Matrix& from, std::span<float> values) {
  expect_not_recording("download");
  check_transfer("download", from, values.size());
  const auto& storage = storage_of<MatrixStorage>(from, "download", "matrix");
  std::transform(storage.values.begin(), storage.values.end(), values.begin(),
                 [](double value) { return static_cast<float>(value); });
}

void ReferenceBackend::download(const Matrix& from, std::span<double> values) {
  expect_not_recording("download");
  check_transfer("download", from, values.size());
  const auto& storage = storage_of<MatrixStorage>(from, "download", "matrix");
  std::copy(storage.values.begin(), storage.values.end(), values.begin());
}

void ReferenceBackend::copy(const Matrix& from, Matrix& to) {
  check_copy(from, to);
  const auto& source = storage_of<MatrixStorage>(from, "copy", "from");
  storage_of<MatrixStorage>(to, "copy", "to").values = source.values;
}

void ReferenceBackend::fill(Matrix& matrix, double value) {
  auto& storage = storage_of<MatrixStorage>(matrix, "fill", "matrix");
  std::fill(storage.values.begin(), storage.values.end(), value);
}

Graph ReferenceBackend::make_graph(const Interactions& interactions) {
  expect_not_recording("make_graph");
  auto storage = std::make_unique<GraphStorage>();
  storage->directions[0].neighbours = interactions;
  storage->directions[1].neighbours = interactions.transposed();
  for (Direction& direction : storage->directions) {
    direction.scales = scales_of(direction.neighbours);
  }
  return {std::move(storage), interactions.num_users(), interactions.num_items(),
          interactions.size()};
}

RowSet ReferenceBackend::make_row_set(NodeId num_nodes, std::span<const NodeId> rows) {
  expect_not_recording("make_row_set");
  check_make_row_set(num_nodes, rows);
  auto storage = std::make_unique<RowSetStorage>();
  storage->member.assign(static_cast<std::size_t>(num_nodes), false);
  for (const NodeId row : rows) storage->member[row] = true;
  for (NodeId node = 0; node < num_nodes; ++node) {
    if (storage->member[node]) storage->rows.push_back(node);
  }
  const auto capacity = static_cast<std::int64_t>(storage->rows.size());
  return {std::move(storage), num_nodes, capacity};
}

std::vector<NodeId> ReferenceBackend::get_rows(const RowSet& rows) {
  expect_not_recording("get_rows");
  return storage_of<RowSetStorage>(rows, "get_rows", "rows").rows;
}

Counter ReferenceBackend::make_counter(std::int64_t value) {
  expect_not_recording("make_counter");
  Counter counter(std::make_unique<CounterStorage>());
  storage_of<CounterStorage>(counter, "make_counter", "counter").value = value;
  return counter;
}

void ReferenceBackend::set(Counter& counter, std::int64_t value) {
  expect_not_recording("set");
  storage_of<CounterStorage>(counter, "set", "counter").value = value;
}

std::int64_t ReferenceBackend::get(const Counter& counter) {
  expect_not_recording("get");
  return storage_of<CounterStorage>(counter, "get", "counter").value;
}

void ReferenceBackend::increment(Counter& counter) {
  ++storage_of<CounterStorage>(counter, "increment", "counter").value;
}

RowSteps ReferenceBackend::make_row_steps(std::int64_t rows) {
  expect_not_recording("make_row_steps");
  check_make_row_steps(rows);
  auto storage = std::make_unique<RowStepsStorage>();
  storage->last.assign(static_cast<std::size_t>(rows), 0);
  return {std::move(storage), rows};
}

void ReferenceBackend::set(RowSteps& steps, std::int64_t step) {
  expect_not_recording("set");
  std::ranges::fill(storage_of<RowStepsStorage>(steps, "set", "row_steps").last, step);
}

MatrixView<double> view(Matrix& matrix, std::string_view op, std::string_view what) {
  auto& storage = storage_of<MatrixStorage>(matrix, op, what);
  return {storage.values.data(), matrix.rows(), matrix.cols(), matrix.cols()};
}

MatrixView<const double> view(const Matrix& matrix, std::string_view op, std::string_view what) {
  const auto& storage = storage_of<MatrixStorage>(matrix, op, what);
  return {storage.values.data(), matrix.rows(), matrix.cols(), matrix.cols()};
}

CounterStorage* fault_storage(Counter* fault) {
  return fault == nullptr ? nullptr : &storage_of<CounterStorage>(*fault, "fault", "counter");
}

void note_fault(CounterStorage* fault, std::int64_t step) {
  if (fault != nullptr && fault->value == 0) fault->value = step;
}

void note_earlier_fault(CounterStorage* fault, std::int64_t step) {
  if (fault == nullptr || step == 0) return;
  if (fault->value == 0 || step < fault->value) fault->value = step;
}

std::vector<NodeId> rows_to_visit(const RowSet* rows, std::int64_t num_rows, std::string_view op) {
  if (rows != nullptr) return storage_of<RowSetStorage>(*rows, op, "a row set").rows;
  std::vector<NodeId> all;
  for (std::int64_t row = 0; row < num_rows; ++row) all.push_back(static_cast<NodeId>(row));
  return all;
}

std::vector<bool> rows_to_read(const RowSet* rows, std::int64_t num_rows, std::string_view op) {
  if (rows != nullptr) return storage_of<RowSetStorage>(*rows, op, "a row set").member;
  return std::vector<bool>(static_cast<std::size_t>(num_rows), true);
}

}  // namespace tern::reference
