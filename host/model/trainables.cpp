#include "host/model/trainables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "host/support/parallel.hpp"
#include "tern/random.hpp"

namespace tern {
namespace {

/// Four independent draws from N(0, deviation²).
std::array<float, 4> normal_block(RandomStream stream, double deviation) {
  std::array<float, 4> draws{};
  for (std::size_t i = 0; i < draws.size(); i += 2) {
    const double radius = deviation * std::sqrt(-2.0 * std::log(stream.uniform()));
    const double angle = 2.0 * std::numbers::pi * stream.uniform();
    draws[i] = static_cast<float>(radius * std::cos(angle));
    draws[i + 1] = static_cast<float>(radius * std::sin(angle));
  }
  return draws;
}

/// Fills the matrix with draw(stream), block by block.
template <typename Draw>
void fill_blocks(Backend& backend, Matrix& matrix, Seed seed, std::uint32_t tensor,
                 const Draw& draw) {
  const std::int64_t size = matrix.size();
  const std::int64_t blocks = (size + 3) / 4;
  std::vector<float> values(static_cast<std::size_t>(size));
  constexpr std::int64_t kBlocksAtOnce = 1024;
  parallel_for_blocks(blocks, kBlocksAtOnce, [&](std::int64_t block) {
    const RandomStream stream(seed, Purpose::kInitialize, tensor,
                              static_cast<std::uint64_t>(block));
    const std::array<float, 4> draws = draw(stream);
    const std::int64_t count = std::min<std::int64_t>(4, size - 4 * block);
    std::copy_n(draws.begin(), count, values.begin() + 4 * block);
  });
  backend.upload(values, matrix);
}

}  // namespace

void initialize_normal(Backend& backend, Matrix& matrix, double deviation, Seed seed,
                       std::uint32_t tensor) {
  fill_blocks(backend, matrix, seed, tensor,
              [&](const RandomStream& stream) { return normal_block(stream, deviation); });
}

void initialize_uniform(Backend& backend, Matrix& matrix, double bound, Seed seed,
                        std::uint32_t tensor) {
  fill_blocks(backend, matrix, seed, tensor, [&](RandomStream stream) {
    std::array<float, 4> draws{};
    for (float& draw : draws) draw = static_cast<float>(bound * (2.0 * stream.uniform() - 1.0));
    return draws;
  });
}

void initialize_embedding(Backend& backend, Matrix& table, Side side, const ModelOptions& options,
                          Seed seed) {
  const auto tensor = static_cast<std::uint32_t>(side);
  if (options.init == EmbeddingInit::kNormal) {
    initialize_normal(backend, table, options.init_std, seed, tensor);
    return;
  }
  const double bound = std::sqrt(6.0 / static_cast<double>(table.rows() + table.cols()));
  initialize_uniform(backend, table, bound, seed, tensor);
}

Trainable& Trainables::make(Side side, std::string_view what, std::int64_t rows, std::int64_t cols,
                            const MatrixOptions& options) {
  Trainable& made = store_.emplace_back();
  made.value = backend_.allocate(rows, cols, options);
  if (train()) made.gradient = backend_.allocate(rows, cols);
  parameters_.push_back(
      {fmt::format("{}_{}", to_string(side), what), side, &made.value, &made.gradient, nullptr});
  return made;
}

}  // namespace tern
