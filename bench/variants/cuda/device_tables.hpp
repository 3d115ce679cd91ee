#pragma once

#include <span>
#include <vector>

#include "bench/support/workload.hpp"
#include "cuda/support/resources.hpp"
#include "tern/view.hpp"

namespace tern::bench {

/// Rows of rivals have a multiple of this many floats, as in the backend: one vector of 16 bytes.
constexpr std::int64_t padded_width(std::int64_t width) {
  return (width + 3) / 4 * 4;
}

/// An embedding table of a rival: rows padded with zeros to whole vectors.
class DeviceTable {
 public:
  /// Zeros.
  DeviceTable(std::int64_t rows, std::int64_t width, const cuda::Memory& memory)
      : rows_(rows),
        width_(width),
        stride_(padded_width(width)),
        stream_(memory.stream),
        values_(rows * stride_, memory) {
    zero();
  }
  /// The workload's values of that side and salt.
  DeviceTable(const Workload& workload, Side side, std::uint32_t salt, const cuda::Memory& memory)
      : DeviceTable(workload.nodes(side), workload.width(), memory) {
    upload(workload.table_values(side, salt));
  }

  /// From dense rows; adds the padding; waits.
  void upload(std::span<const float> values) {
    transfer(values_.data(), stride_, values.data(), width_, cudaMemcpyHostToDevice);
  }
  /// To dense rows; waits for the work before it.
  std::vector<float> download() const {
    std::vector<float> values(static_cast<std::size_t>(rows_ * width_));
    transfer(values.data(), width_, values_.data(), stride_, cudaMemcpyDeviceToHost);
    return values;
  }
  void zero() { values_.zero(); }
  /// NaN everywhere, so that elements that a rival does not write show.
  void poison() { values_.fill_bytes(0xff); }

  float* data() const { return values_.data(); }
  std::int64_t rows() const { return rows_; }
  std::int64_t width() const { return width_; }
  std::int64_t stride() const { return stride_; }
  std::int64_t size() const { return values_.size(); }
  MatrixView<float> view() const { return {values_.data(), rows_, width_, stride_}; }
  MatrixView<const float> read_only() const { return {values_.data(), rows_, width_, stride_}; }

 private:
  void transfer(float* to, std::int64_t to_stride, const float* from, std::int64_t from_stride,
                cudaMemcpyKind kind) const {
    if (rows_ == 0) return;
    const auto bytes = [](std::int64_t floats) {
      return static_cast<std::size_t>(floats) * sizeof(float);
    };
    cuda::check(cudaMemcpy2DAsync(to, bytes(to_stride), from, bytes(from_stride), bytes(width_),
                                  static_cast<std::size_t>(rows_), kind, stream_));
    cuda::check(cudaStreamSynchronize(stream_));
  }

  std::int64_t rows_;
  std::int64_t width_;
  std::int64_t stride_;
  cudaStream_t stream_;
  cuda::DeviceArray<float> values_;
};

/// One direction of a graph on the device: CSR and the scales of its rows.
struct DeviceCsr {
  DeviceCsr(const Interactions& rows, const cuda::Memory& memory);
  CsrView view() const { return {offsets.data(), columns.data(), num_rows, num_columns}; }

  cuda::DeviceArray<EdgeOffset> offsets;
  cuda::DeviceArray<NodeId> columns;
  cuda::DeviceArray<float> scale;  // 1/sqrt(degree), 0 for degree 0
  NodeId num_rows;
  NodeId num_columns;
};

}  // namespace tern::bench
