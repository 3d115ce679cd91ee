#include "cuda/backend.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "cuda/ops/counter.hpp"
#include "cuda/ops/fill.hpp"
#include "cuda/support/device_query.hpp"
#include "host/backend/checks.hpp"
#include "tern/error.hpp"

// Memory, transfers and time of the CUDA backend. The rest of its methods: graph.cu, sampling.cu,
// steps.cu, dense.cu, evaluation.cu, recording.cu.

namespace tern::cuda {

MatrixView<float> view(const Matrix& matrix) {
  auto& found = storage_of<MatrixStorage>(matrix, "cuda", "matrix");
  return {found.values.data(), matrix.rows(), matrix.cols(), found.stride};
}
MatrixView<const float> read_only_view(const Matrix& matrix) {
  const MatrixView<float> found = view(matrix);
  return {found.data, found.rows, found.cols, found.stride};
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
DenseStateStorage& storage(const DenseState& state) {
  return storage_of<DenseStateStorage>(state, "cuda", "state");
}

CudaBackend::CudaBackend(const CudaOptions& options) : options_(options) {
  const DeviceScope scope = use_device();
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, options_.device));
  multiprocessors_ = properties.multiProcessorCount;
  cache_bytes_ = properties.l2CacheSize;
  plan_bytes_ = options_.plan_bytes > 0 ? options_.plan_bytes
                                        : static_cast<std::int64_t>(properties.totalGlobalMem / 16);
  pool_ = make_pool(options_.device);
  stream_ = make_stream();
}

DeviceDescription CudaBackend::describe() const {
  return query_devices().at(static_cast<std::size_t>(options_.device));
}

MemoryInfo CudaBackend::memory() const {
  const DeviceScope scope = use_device();
  std::size_t free = 0;
  std::size_t total = 0;
  check(cudaMemGetInfo(&free, &total));
  return {.free = static_cast<std::int64_t>(free), .total = static_cast<std::int64_t>(total)};
}

void CudaBackend::expect_not_recording(const char* op) const {
  if (recording_ != nullptr) {
    throw ShapeError(std::string(op) +
                     ": not within a recorded step, which must neither allocate "
                     "nor wait nor change shapes.");
  }
}

Matrix CudaBackend::allocate(std::int64_t rows, std::int64_t cols) {
  expect_not_recording("allocate");
  check_allocate(rows, cols, sizeof(float));
  check_allocate(rows, padded(cols), sizeof(float));
  const DeviceScope scope = use_device();
  return {std::make_unique<MatrixStorage>(rows, cols, pool_memory()), rows, cols};
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

/// Calls f(first row, rows, buffer) over the matrix in pieces that fit a buffer of 4 MiB or one
/// row.
template <typename Function>
void in_pieces(const MatrixView<float>& matrix, Function&& f) {
  if (matrix.cols == 0) return;
  constexpr std::int64_t kFloats = std::int64_t{1} << 20;
  const std::int64_t rows = std::max<std::int64_t>(1, kFloats / matrix.cols);
  std::vector<float> buffer(static_cast<std::size_t>(std::min(rows, matrix.rows) * matrix.cols));
  for (std::int64_t first = 0; first < matrix.rows; first += rows) {
    f(first, std::min(rows, matrix.rows - first), buffer.data());
  }
}

}  // namespace

/// Padding is zero as long as all numbers are finite: a weight that is not makes NaN of it, 0 · ∞.
/// A matrix whose every element is written anew must be rid of that.
void CudaBackend::clear_padding(const MatrixView<float>& matrix) {
  if (matrix.cols < matrix.stride) launch_fill(queue(), matrix, 0.0F);
}

void CudaBackend::upload(std::span<const float> values, Matrix& to) {
  check_transfer("upload", to, values.size());
  expect_not_recording("upload");
  const DeviceScope scope = use_device();
  const MatrixView<float> v = view(to);
  clear_padding(v);
  // The runtime reads from the host's array alone in this direction.
  transfer(v, 0, v.rows, const_cast<float*>(values.data()), cudaMemcpyHostToDevice, stream_.get());
}

void CudaBackend::upload(std::span<const double> values, Matrix& to) {
  check_transfer("upload", to, values.size());
  expect_not_recording("upload");
  const DeviceScope scope = use_device();
  const MatrixView<float> v = view(to);
  clear_padding(v);
  in_pieces(v, [&](std::int64_t first, std::int64_t rows, float* buffer) {
    const double* from = values.data() + first * v.cols;
    std::transform(from, from + rows * v.cols, buffer,
                   [](double x) { return static_cast<float>(x); });
    transfer(v, first, rows, buffer, cudaMemcpyHostToDevice, stream_.get());
  });
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
  in_pieces(v, [&](std::int64_t first, std::int64_t rows, float* buffer) {
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
  // Same shape, same stride, zero padding: one piece.
  check(cudaMemcpyAsync(target.data, source.data,
                        static_cast<std::size_t>(source.rows * source.stride) * sizeof(float),
                        cudaMemcpyDeviceToDevice, stream_.get()));
}

void CudaBackend::fill(Matrix& matrix, double value) {
  const MatrixView<float> v = view(matrix);
  const DeviceScope scope = use_device();
  launch_fill(queue(), v, static_cast<float>(value));
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

void CudaBackend::increment(Counter& counter) {
  std::int64_t* value = storage(counter).value.data();
  const DeviceScope scope = use_device();
  launch_increment(queue(), value);
}

void CudaBackend::synchronize() {
  expect_not_recording("synchronize");
  const DeviceScope scope = use_device();
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
