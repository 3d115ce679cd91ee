#include "host/cpu/dense_state.hpp"

namespace tern::cpu {
namespace {

/// A block and its sums fit a second-level cache of 1 MiB beside the inputs of its products. With
/// fewer than 64 rows, packing the weight would take longer than the product.
constexpr std::int64_t kBlockFloats = std::int64_t{1} << 14;
constexpr std::int64_t kMinBlock = 64;
constexpr std::int64_t kMaxBlock = 512;

/// Threads take stretches. This many are enough for the cores of one machine; more or shorter ones
/// would cost memory, since each has its own gradient of the weights.
constexpr std::int64_t kMaxStretches = 64;
constexpr std::int64_t kMinStretch = 512;

std::int64_t block_rows(std::int64_t stride) {
  std::int64_t rows = kMaxBlock;
  while (rows > kMinBlock && rows * stride > kBlockFloats) rows /= 2;
  return rows;
}

std::int64_t stretch_rows(std::int64_t rows) {
  const std::int64_t least = std::max(kMinStretch, (rows + kMaxStretches - 1) / kMaxStretches);
  return (least + kMaxBlock - 1) / kMaxBlock * kMaxBlock;
}

}  // namespace

DenseCuts::DenseCuts(std::int64_t num_rows, std::int64_t stride)
    : rows(num_rows),
      block(block_rows(stride)),
      stretch(stretch_rows(num_rows)),
      stretches((num_rows + stretch - 1) / stretch) {}

DenseStateStorage::DenseStateStorage(std::int64_t num_rows, std::int64_t num_cols, int threads)
    : cols(num_cols),
      stride(padded(num_cols)),
      cuts(num_rows, stride),
      active(num_rows * stride),
      norm(stride),
      sums(static_cast<std::size_t>(2 * cuts.stretches * stride)),
      workspace(threads * workspace_size()),
      weight_sums(0) {}

}  // namespace tern::cpu
