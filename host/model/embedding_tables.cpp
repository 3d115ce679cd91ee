#include "host/model/embedding_tables.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

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

}  // namespace

void initialize_normal(Backend& backend, Matrix& matrix, double deviation, Seed seed,
                       std::uint32_t tensor) {
  const std::int64_t size = matrix.size();
  const std::int64_t blocks = (size + 3) / 4;
  std::vector<float> values(static_cast<std::size_t>(size));
#pragma omp parallel for schedule(static)
  for (std::int64_t block = 0; block < blocks; ++block) {
    const RandomStream stream(seed, Purpose::kInitialize, tensor,
                              static_cast<std::uint64_t>(block));
    const std::array<float, 4> draws = normal_block(stream, deviation);
    const std::int64_t count = std::min<std::int64_t>(4, size - 4 * block);
    std::copy_n(draws.begin(), count, values.begin() + 4 * block);
  }
  backend.upload(values, matrix);
}

void initialize_tables(Backend& backend, SidePair& tables, double deviation, Seed seed) {
  for (const Side side : kSides) {
    initialize_normal(backend, tables[side], deviation, seed, static_cast<std::uint32_t>(side));
  }
}

std::vector<Parameter> table_parameters(SidePair& tables, SidePair& gradients) {
  return {{"user_embedding", &tables[Side::kUser], &gradients[Side::kUser], nullptr},
          {"item_embedding", &tables[Side::kItem], &gradients[Side::kItem], nullptr}};
}

}  // namespace tern
