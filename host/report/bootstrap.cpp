#include "host/report/bootstrap.hpp"

#include <algorithm>
#include <cstdint>

#include "host/support/parallel.hpp"
#include "tern/random.hpp"

namespace tern::report {
namespace {

/// Samples outside of the interval at each end: 2.5%.
constexpr std::size_t kOutside = kResamples / 40;

/// Adds the rows of one sample to sums, (columns).
void draw_sums(std::span<const double> values, std::span<double> sums, RandomStream stream) {
  const std::size_t columns = sums.size();
  const auto rows = static_cast<std::uint32_t>(values.size() / columns);
  for (std::uint32_t i = 0; i < rows; ++i) {
    const double* row = values.data() + stream.below(rows) * columns;
    for (std::size_t c = 0; c < columns; ++c) sums[c] += row[c];
  }
}

}  // namespace

std::vector<Interval> bootstrap(std::span<const double> values, std::size_t columns, Seed seed) {
  const std::size_t count = values.size() / columns;
  const auto rows = static_cast<double>(count);
  std::vector<double> sums(kResamples * columns, 0.0);  // (resamples, columns)
  parallel_for(static_cast<std::int64_t>(kResamples), [&](std::int64_t r) {
    const auto index = static_cast<std::uint64_t>(r);
    draw_sums(values, std::span(sums).subspan(index * columns, columns),
              RandomStream(seed, Purpose::kBootstrap, 0, index));
  });
  std::vector<Interval> intervals(columns);
  std::vector<double> means(kResamples);
  for (std::size_t c = 0; c < columns; ++c) {
    for (std::size_t r = 0; r < kResamples; ++r) means[r] = sums[r * columns + c] / rows;
    std::ranges::sort(means);
    double sum = 0.0;
    for (std::size_t i = c; i < values.size(); i += columns) sum += values[i];
    intervals[c] = {means[kOutside], sum / rows, means[kResamples - 1 - kOutside]};
  }
  return intervals;
}

}  // namespace tern::report
