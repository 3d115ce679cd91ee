// The numbers of cases and rivals, in a separate file because the CUDA library compiles it too.

#include <cmath>
#include <numbers>

#include "bench/support/workload.hpp"
#include "tern/random.hpp"

namespace tern::bench {

SamplingOptions Workload::sampling() {
  SamplingOptions options;
  options.seed = Seed{1};
  return options;
}

std::vector<float> Workload::table_values(Side side, std::uint32_t salt) const {
  const auto known = kept_.find({side, salt});
  if (known != kept_.end()) return known->second;
  std::vector<float> values(static_cast<std::size_t>(nodes(side) * width_));
  for (std::size_t i = 0; i < values.size(); ++i) {
    RandomStream stream(Seed{1}, Purpose::kGenerate, salt, i);
    const double radius = std::sqrt(-2.0 * std::log(stream.uniform()));
    values[i] =
        static_cast<float>(0.1 * radius * std::cos(2.0 * std::numbers::pi * stream.uniform()));
  }
  if (values.size() * sizeof(float) <= kKeptBytes) kept_[{side, salt}] = values;
  return values;
}

Matrix Workload::table(Backend& backend, Side side, std::uint32_t salt) const {
  Matrix matrix = backend.allocate(nodes(side), width_);
  backend.upload(table_values(side, salt), matrix);
  return matrix;
}

std::vector<float> degree_scales(const Interactions& rows) {
  std::vector<float> scales(static_cast<std::size_t>(rows.num_users()));
  for (NodeId row = 0; row < rows.num_users(); ++row) {
    const auto degree = static_cast<float>(rows.row(row).size());
    scales[static_cast<std::size_t>(row)] = degree > 0.0F ? 1.0F / std::sqrt(degree) : 0.0F;
  }
  return scales;
}

}  // namespace tern::bench
