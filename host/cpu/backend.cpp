#include "host/cpu/backend.hpp"

#include <cblas.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "host/backend/checks.hpp"
#include "host/config/keys.hpp"
#include "host/support/blas_memory.hpp"
#include "host/support/processors.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"

namespace tern::cpu {

namespace {

/// Cuts the rows into parts of equal work (edges, and a little for each row).
std::vector<NodeId> cut_rows(std::span<const EdgeOffset> offsets) {
  // Many enough that threads finish together, few enough that starting a piece costs little.
  constexpr std::int64_t kPieces = 256;
  constexpr std::int64_t kRowWork = 4;
  const auto rows = static_cast<std::int64_t>(offsets.size()) - 1;
  const std::int64_t work = offsets[rows] + kRowWork * rows;
  std::vector<NodeId> cuts{0};
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t done = offsets[row + 1] + kRowWork * (row + 1);
    const auto made = static_cast<std::int64_t>(cuts.size());
    if (done >= work / kPieces * made + work % kPieces * made / kPieces || row + 1 == rows) {
      cuts.push_back(static_cast<NodeId>(row + 1));
    }
  }
  return cuts;
}

Direction make_direction(const Interactions& rows) {
  Direction direction;
  direction.offsets.assign(rows.offsets().begin(), rows.offsets().end());
  direction.columns.assign(rows.items().begin(), rows.items().end());
  direction.scale.resize(direction.offsets.size() - 1);
  for (std::size_t r = 0; r < direction.scale.size(); ++r) {
    const auto degree = static_cast<double>(direction.offsets[r + 1] - direction.offsets[r]);
    direction.scale[r] = degree == 0.0 ? 0.0F : static_cast<float>(1.0 / std::sqrt(degree));
  }
  direction.ones.assign(direction.scale.size(), 1.0F);
  direction.cuts = cut_rows(direction.offsets);
  return direction;
}

/// The padding is zero as long as all numbers are finite; a non-finite weight turns it into NaN, as
/// 0 · ∞. So an op that overwrites all elements of a matrix clears the padding too.
void clear_padding(const MatrixView<float>& v) {
  if (v.cols == v.stride) return;
  for (std::int64_t r = 0; r < v.rows; ++r) std::fill_n(v.row(r) + v.cols, v.stride - v.cols, 0.0F);
}

template <class From, class To>
void copy_rows(std::int64_t rows, std::int64_t cols, const From* from, std::int64_t from_stride,
               To* to, std::int64_t to_stride, ThreadPool& pool) {
  constexpr std::int64_t kBlockElements = 1 << 14;
  parallel_for_blocks(pool, rows, kBlockElements / std::max<std::int64_t>(1, cols) + 1,
                      [&](std::int64_t r) {
                        for (std::int64_t c = 0; c < cols; ++c) {
                          to[r * to_stride + c] = static_cast<To>(from[r * from_stride + c]);
                        }
                      });
}

}  // namespace

MatrixView<float> view(const Matrix& matrix) {
  auto& found = storage_of<MatrixStorage>(matrix, "cpu", "matrix");
  return {found.values.data(), matrix.rows(), matrix.cols(), found.stride};
}
MatrixView<float> view(Matrix& matrix) {
  auto& found = storage_of<MatrixStorage>(matrix, "cpu", "matrix");
  if (found.copy != nullptr) found.copy->stale.store(true, std::memory_order_relaxed);
  return view(std::as_const(matrix));
}
const GraphStorage& storage(const Graph& graph) {
  return storage_of<GraphStorage>(graph, "cpu", "graph");
}
const RowSetStorage& storage(const RowSet& rows) {
  return storage_of<RowSetStorage>(rows, "cpu", "row set");
}
TripletsStorage& storage(const Triplets& triplets) {
  return storage_of<TripletsStorage>(triplets, "cpu", "triplets");
}
CounterStorage& storage(const Counter& counter) {
  return storage_of<CounterStorage>(counter, "cpu", "counter");
}
RowStepsStorage& storage(const RowSteps& steps) {
  return storage_of<RowStepsStorage>(steps, "cpu", "row_steps");
}
DenseStateStorage& storage(const DenseState& state) {
  return storage_of<DenseStateStorage>(state, "cpu", "state");
}

CpuBackend::CpuBackend(int threads, PartialSums* sums) : pool_(threads), sums_(sums) {
  prepare_blas(pool_);  // embedding_statistics multiplies in pieces, one thread a piece
  // Without a choice, a pointer to a kernel asks the processor in each call, and in a virtual machine
  // an answer takes microseconds.
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

DeviceDescription CpuBackend::describe() const {
  return {.name = "CPU",
          .precision = "f32",
          .details = std::to_string(pool_.threads()) +
                     (pool_.threads() == 1 ? " thread, " : " threads, ") +
                     hwy::TargetName(hwy::SupportedTargets() & -hwy::SupportedTargets()) +
                     ", OpenBLAS " + openblas_get_corename()};
}

Matrix CpuBackend::allocate(std::int64_t rows, std::int64_t cols, const MatrixOptions& options) {
  expect_not_recording("allocate");
  check_allocate(rows, cols, sizeof(float));  // padding would hide a negative size
  check_allocate(rows, padded(cols), sizeof(float));
  return {std::make_unique<MatrixStorage>(rows, cols, options), rows, cols};
}

void CpuBackend::upload(std::span<const float> values, Matrix& to) {
  expect_not_recording("upload");
  check_transfer("upload", to, values.size());
  const auto v = view(to);
  clear_padding(v);
  copy_rows(v.rows, v.cols, values.data(), v.cols, v.data, v.stride, pool_);
}

void CpuBackend::upload(std::span<const double> values, Matrix& to) {
  expect_not_recording("upload");
  check_transfer("upload", to, values.size());
  const auto v = view(to);
  clear_padding(v);
  copy_rows(v.rows, v.cols, values.data(), v.cols, v.data, v.stride, pool_);
}

void CpuBackend::download(const Matrix& from, std::span<float> values) {
  expect_not_recording("download");
  check_transfer("download", from, values.size());
  const auto v = view(from);
  copy_rows(v.rows, v.cols, v.data, v.stride, values.data(), v.cols, pool_);
}

void CpuBackend::download(const Matrix& from, std::span<double> values) {
  expect_not_recording("download");
  check_transfer("download", from, values.size());
  const auto v = view(from);
  copy_rows(v.rows, v.cols, v.data, v.stride, values.data(), v.cols, pool_);
}

void CpuBackend::copy(const Matrix& from, Matrix& to) {
  check_copy(from, to);
  const auto source = view(from);
  const auto target = view(to);
  copy_rows(source.rows, source.cols, source.data, source.stride, target.data, target.stride,
            pool_);
}

void CpuBackend::fill(Matrix& matrix, double value) {
  const auto v = view(matrix);
  const auto number = static_cast<float>(value);
  clear_padding(v);
  for (std::int64_t r = 0; r < v.rows; ++r) std::fill_n(v.row(r), v.cols, number);
}

Graph CpuBackend::make_graph(const Interactions& interactions) {
  expect_not_recording("make_graph");
  auto parts = std::make_unique<GraphStorage>();
  parts->directions[0] = make_direction(interactions);
  parts->directions[1] = make_direction(interactions.transposed());
  return {std::move(parts), interactions.num_users(), interactions.num_items(),
          interactions.size()};
}

RowSet CpuBackend::make_row_set(NodeId num_nodes, std::span<const NodeId> rows) {
  expect_not_recording("make_row_set");
  check_make_row_set(num_nodes, rows);
  auto set = std::make_unique<RowSetStorage>();
  set->marks.assign(static_cast<std::size_t>(num_nodes), 0);
  set->rows.assign(rows.begin(), rows.end());
  std::ranges::sort(set->rows);
  set->rows.erase(std::unique(set->rows.begin(), set->rows.end()), set->rows.end());
  for (const NodeId row : set->rows) set->marks[row] = 1;
  const auto capacity = static_cast<std::int64_t>(set->rows.size());
  return {std::move(set), num_nodes, capacity};
}

std::vector<NodeId> CpuBackend::get_rows(const RowSet& rows) {
  expect_not_recording("get_rows");
  return storage(rows).rows;
}

Counter CpuBackend::make_counter(std::int64_t value) {
  expect_not_recording("make_counter");
  return Counter(std::make_unique<CounterStorage>(value));
}
void CpuBackend::set(Counter& counter, std::int64_t value) {
  expect_not_recording("set");
  storage(counter).value = value;
}
std::int64_t CpuBackend::get(const Counter& counter) {
  expect_not_recording("get");
  return storage(counter).value;
}
void CpuBackend::increment(Counter& counter) {
  ++storage(counter).value;
}

RowSteps CpuBackend::make_row_steps(std::int64_t rows) {
  expect_not_recording("make_row_steps");
  check_make_row_steps(rows);
  auto steps = std::make_unique<RowStepsStorage>();
  reserve_memory("make_row_steps", 8.0 * static_cast<double>(rows),
                 [&] { steps->last.assign(static_cast<std::size_t>(rows), 0); });
  return {std::move(steps), rows};
}
void CpuBackend::set(RowSteps& steps, std::int64_t step) {
  expect_not_recording("set");
  std::ranges::fill(storage(steps).last, step);
}

CounterStorage* fault_storage(Counter* fault) {
  return fault == nullptr ? nullptr : &storage(*fault);
}

void note_fault(CounterStorage* fault, std::int64_t step) {
  if (fault != nullptr && fault->value == 0) fault->value = step;
}

void note_earlier_fault(CounterStorage* fault, std::int64_t step) {
  if (fault == nullptr || step == 0) return;
  if (fault->value == 0 || step < fault->value) fault->value = step;
}

}  // namespace tern::cpu

namespace tern {

namespace {

std::unique_ptr<Backend> make_backend_with(int threads, PartialSums* sums) {
  Config config;
  config.threads = threads;
  check_keys(config, "train.threads");
  if (threads == 0) threads = default_thread_count().threads;
  return std::make_unique<cpu::CpuBackend>(threads, sums);
}

}  // namespace

std::unique_ptr<Backend> make_cpu_backend(int threads) {
  return make_backend_with(threads, nullptr);
}

std::unique_ptr<Backend> make_partial_cpu_backend(int threads, PartialSums& sums) {
  return make_backend_with(threads, &sums);
}

}  // namespace tern
