#include "cuda/backend.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "cuda/support/architecture.hpp"
#include "cuda/support/device_query.hpp"
#include "host/backend/checks.hpp"
#include "tern/error.hpp"

// Memory, transfers and time of the CUDA backend: its methods without kernels.

namespace tern::cuda {

MatrixView<float> view(const Matrix& matrix) {
  auto& found = storage_of<MatrixStorage>(matrix, "cuda", "matrix");
  return {found.values.data(), matrix.rows(), matrix.cols(), found.stride};
}
MatrixView<const float> read_only_view(const Matrix& matrix) {
  const MatrixView<float> found = view(matrix);
  return {found.data, found.rows, found.cols, found.stride};
}
GatherCopyView copy_view(const Matrix& matrix) {
  const auto& found = storage_of<MatrixStorage>(matrix, "cuda", "matrix");
  return {found.copy.data(), found.copy_vectors};
}
GraphStorage& storage(const Graph& graph) {
  return storage_of<GraphStorage>(graph, "cuda", "graph");
}
const RowSetStorage& storage(const RowSet& rows) {
  return storage_of<RowSetStorage>(rows, "cuda", "row set");
}
TripletsStorage& storage(const Triplets& triplets) {
  return storage_of<TripletsStorage>(triplets, "cuda", "triplets");
}
CounterStorage& storage(const Counter& counter) {
  return storage_of<CounterStorage>(counter, "cuda", "counter");
}
RowStepsStorage& storage(const RowSteps& steps) {
  return storage_of<RowStepsStorage>(steps, "cuda", "row_steps");
}
DenseStateStorage& storage(const DenseState& state) {
  return storage_of<DenseStateStorage>(state, "cuda", "state");
}
RowsView row_view(const RowSet* rows) {
  return rows == nullptr ? RowsView() : storage(*rows).view;
}
std::int64_t* counter_value(const Counter* counter) {
  return counter == nullptr ? nullptr : storage(*counter).value.data();
}

CudaBackend::CudaBackend(const CudaOptions& options) : options_(options) {
  const DeviceScope scope = use_device();
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, options_.device));
  expect_code_for(properties, options_.device);
  multiprocessors_ = properties.multiProcessorCount;
  cache_bytes_ = properties.l2CacheSize;
  plan_bytes_ = options_.plan_bytes > 0 ? options_.plan_bytes
                                        : static_cast<std::int64_t>(properties.totalGlobalMem / 16);
  description_ = describe_device(properties);
  pool_ = make_pool(options_.device);
  stream_ = make_stream();
  if (options_.ranks == nullptr) return;
  options_.reproducibility = Reproducibility::kBitwise;
  // A window that begins runs a step as it is: on all ranks in the same step.
  options_.ranks->broadcast(std::as_writable_bytes(std::span(&plan_bytes_, 1)), 0);
  ranks_ = std::make_unique<RankParts>(*options_.ranks,
                                       options_.nccl != nullptr ? *options_.nccl : load_nccl());
}

MemoryInfo CudaBackend::memory() const {
  const DeviceScope scope = use_device();
  std::size_t free = 0;
  std::size_t total = 0;
  check(cudaMemGetInfo(&free, &total));
  return {.free = static_cast<std::int64_t>(free), .total = static_cast<std::int64_t>(total)};
}

void CudaBackend::expect_not_recording(const char* op) const {
  if (recording_ != nullptr) throw_in_recorded_step(op);
}

void CudaBackend::expect_all_columns(const char* op) const {
  if (ranks_ == nullptr) return;
  throw ConfigError(std::string(op) +
                    " is not carried out by several ranks on GPUs yet: use one rank, or CPUs");
}

float* CudaBackend::grow(Workspace& workspace, std::int64_t size, const char* op) {
  const bool capturing = recording_ != nullptr && recording_->capturing();
  if (workspace.values.size() < size) {
    if (capturing) {
      throw ShapeError(std::string(op) +
                       ": a recorded step needs larger matrices than its first run");
    }
    if (workspace.recorded) workspace.outgrown.push_back(std::move(workspace.values));
    workspace.values = DeviceArray<float>();  // freed before the new one is allocated
    workspace.values = DeviceArray<float>(size, pool_memory());
  }
  workspace.recorded = workspace.recorded || capturing;
  return workspace.values.data();
}

Matrix CudaBackend::allocate(std::int64_t rows, std::int64_t cols, const MatrixOptions& options) {
  expect_not_recording("allocate");
  check_allocate(rows, cols, sizeof(float));
  check_allocate(rows, padded(cols), sizeof(float));
  if (options.gather == GatherPrecision::kBf16 && !can_copy(rows, cols)) {
    throw ConfigError("train.precision = bf16: a matrix of " + std::to_string(rows) + " rows and " +
                      std::to_string(cols) + " columns is too large for it; train with f32");
  }
  const DeviceScope scope = use_device();
  return {std::make_unique<MatrixStorage>(rows, cols, options, pool_memory()), rows, cols};
}

namespace {

/// Rows of `cols` floats between the host (dense) and a matrix (padded); waits.
void transfer(const MatrixView<float>& matrix, std::int64_t first_row, std::int64_t rows,
              float* host, cudaMemcpyKind kind, cudaStream_t stream) {
  if (rows == 0 || matrix.cols == 0) return;
  const auto dense = static_cast<std::size_t>(matrix.cols) * sizeof(float);
  const auto pitch = static_cast<std::size_t>(matrix.stride) * sizeof(float);
  float* device = matrix.row(first_row);
  const auto height = static_cast<std::size_t>(rows);
  if (kind == cudaMemcpyHostToDevice) {
    check(cudaMemcpy2DAsync(device, pitch, host, dense, dense, height, kind, stream));
  } else {
    check(cudaMemcpy2DAsync(host, dense, device, pitch, dense, height, kind, stream));
  }
  check(cudaStreamSynchronize(stream));
}

/// Calls f(first row, rows, buffer) over the matrix, as many rows at a time as fit 4 MiB, at least
/// one.
template <typename Function>
void in_chunks(const MatrixView<float>& matrix, Function&& f) {
  if (matrix.cols == 0) return;
  constexpr std::int64_t kFloats = std::int64_t{1} << 20;
  const std::int64_t rows = std::max<std::int64_t>(1, kFloats / matrix.cols);
  std::vector<float> buffer(static_cast<std::size_t>(std::min(rows, matrix.rows) * matrix.cols));
  for (std::int64_t first = 0; first < matrix.rows; first += rows) {
    f(first, std::min(rows, matrix.rows - first), buffer.data());
  }
}

}  // namespace

void CudaBackend::upload(std::span<const float> values, Matrix& to) {
  check_transfer("upload", to, values.size());
  expect_not_recording("upload");
  const DeviceScope scope = use_device();
  const MatrixView<float> v = view(to);
  clear_padding(v);
  // In this direction the runtime only reads from the host's array.
  transfer(v, 0, v.rows, const_cast<float*>(values.data()), cudaMemcpyHostToDevice, stream_.get());
  refresh_copies({&to});
}

void CudaBackend::upload(std::span<const double> values, Matrix& to) {
  check_transfer("upload", to, values.size());
  expect_not_recording("upload");
  const DeviceScope scope = use_device();
  const MatrixView<float> v = view(to);
  clear_padding(v);
  in_chunks(v, [&](std::int64_t first, std::int64_t rows, float* buffer) {
    const double* from = values.data() + first * v.cols;
    std::transform(from, from + rows * v.cols, buffer,
                   [](double x) { return static_cast<float>(x); });
    transfer(v, first, rows, buffer, cudaMemcpyHostToDevice, stream_.get());
  });
  refresh_copies({&to});
}

void CudaBackend::download(const Matrix& from, std::span<float> values) {
  check_transfer("download", from, values.size());
  expect_not_recording("download");
  const DeviceScope scope = use_device();
  const MatrixView<float> v = view(from);
  transfer(v, 0, v.rows, values.data(), cudaMemcpyDeviceToHost, stream_.get());
}

void CudaBackend::download(const Matrix& from, std::span<double> values) {
  check_transfer("download", from, values.size());
  expect_not_recording("download");
  const DeviceScope scope = use_device();
  const MatrixView<float> v = view(from);
  in_chunks(v, [&](std::int64_t first, std::int64_t rows, float* buffer) {
    transfer(v, first, rows, buffer, cudaMemcpyDeviceToHost, stream_.get());
    std::copy_n(buffer, rows * v.cols, values.data() + first * v.cols);
  });
}

void CudaBackend::copy(const Matrix& from, Matrix& to) {
  check_copy(from, to);
  const DeviceScope scope = use_device();
  const MatrixView<float> source = view(from);
  const MatrixView<float> target = view(to);
  if (source.data == target.data || source.rows * source.stride == 0) return;
  // Same shape, same stride, zero padding: one contiguous copy.
  check(cudaMemcpyAsync(target.data, source.data,
                        static_cast<std::size_t>(source.rows * source.stride) * sizeof(float),
                        cudaMemcpyDeviceToDevice, queue().stream));
  refresh_copies({&to});
}

RowSet CudaBackend::make_row_set(NodeId num_nodes, std::span<const NodeId> rows) {
  check_make_row_set(num_nodes, rows);
  expect_not_recording("make_row_set");
  const DeviceScope scope = use_device();
  std::vector<NodeId> distinct(rows.begin(), rows.end());
  std::ranges::sort(distinct);
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  std::vector<std::uint8_t> marks(static_cast<std::size_t>(num_nodes), 0);
  for (const NodeId row : distinct) marks[static_cast<std::size_t>(row)] = 1;
  const auto capacity = static_cast<std::int64_t>(distinct.size());
  const RowSpan span{0, capacity};
  // The view of an empty set must not be null, which means every row: its list has room for one
  // row.
  if (distinct.empty()) distinct.push_back(0);

  auto set = std::make_unique<RowSetStorage>();
  set->marks = to_device(std::span<const std::uint8_t>(marks), pool_memory());
  set->rows = to_device(std::span<const NodeId>(distinct), pool_memory());
  set->span = to_device(std::span<const RowSpan>(&span, 1), pool_memory());
  set->view = {set->rows.data(), set->span.data(), set->marks.data(), capacity};
  return {std::move(set), num_nodes, capacity};
}

std::vector<NodeId> CudaBackend::get_rows(const RowSet& rows) {
  const RowsView& set = storage(rows).view;
  expect_not_recording("get_rows");
  const DeviceScope scope = use_device();
  RowSpan span;
  download_from(set.span, std::span(&span, 1), stream_.get());
  std::vector<NodeId> found(static_cast<std::size_t>(span.count));
  download_from(set.rows + span.begin, std::span(found), stream_.get());
  std::ranges::sort(found);  // the fused form lists them in no particular order
  return found;
}

Counter CudaBackend::make_counter(std::int64_t value) {
  expect_not_recording("make_counter");
  const DeviceScope scope = use_device();
  Counter counter(std::make_unique<CounterStorage>(pool_memory()));
  set(counter, value);
  return counter;
}

void CudaBackend::set(Counter& counter, std::int64_t value) {
  expect_not_recording("set");
  const DeviceScope scope = use_device();
  storage(counter).value.upload(std::span<const std::int64_t>(&value, 1));
}

std::int64_t CudaBackend::get(const Counter& counter) {
  expect_not_recording("get");
  const DeviceScope scope = use_device();
  std::int64_t value = 0;
  storage(counter).value.download(std::span<std::int64_t>(&value, 1));
  return value;
}

RowSteps CudaBackend::make_row_steps(std::int64_t rows) {
  expect_not_recording("make_row_steps");
  check_make_row_steps(rows);
  const DeviceScope scope = use_device();
  return {std::make_unique<RowStepsStorage>(rows, pool_memory()), rows};
}

void CudaBackend::set(RowSteps& steps, std::int64_t step) {
  expect_not_recording("set");
  const DeviceScope scope = use_device();
  DeviceArray<std::int64_t>& last = storage(steps).last;
  last.upload(std::vector<std::int64_t>(static_cast<std::size_t>(last.size()), step));
}

void CudaBackend::synchronize() {
  expect_not_recording("synchronize");
  const DeviceScope scope = use_device();
  if (ranks_ != nullptr) return ranks_->wait(stream_.get());
  check(cudaStreamSynchronize(stream_.get()));
}

double CudaBackend::seconds(const std::function<void()>& work) {
  expect_not_recording("seconds");
  const DeviceScope scope = use_device();
  const Event begin = make_event();
  const Event end = make_event();
  check(cudaEventRecord(begin.get(), stream_.get()));
  work();
  check(cudaEventRecord(end.get(), stream_.get()));
  check(cudaEventSynchronize(end.get()));
  float milliseconds = 0.0F;
  check(cudaEventElapsedTime(&milliseconds, begin.get(), end.get()));
  return static_cast<double>(milliseconds) * 1e-3;
}

}  // namespace tern::cuda
