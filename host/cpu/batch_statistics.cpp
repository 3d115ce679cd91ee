#include "host/cpu/batch_statistics.hpp"

#include <cmath>

#include "host/cpu/backend.hpp"
#include "host/cpu/dense_sweeps.hpp"

namespace tern::cpu {
namespace {

/// Merges the statistics of `count` rows into those of `before` rows.
void merge(double before, double count, double mean, double square, double& into_mean,
           double& into_square) {
  const double share = count / (before + count);
  const double delta = mean - into_mean;
  into_mean += delta * share;
  into_square += square + delta * delta * before * share;
}

void set_column(const BatchNorm& norm, std::int64_t c, double mean, double variance,
                NormColumns& columns) {
  const double inverse = 1.0 / std::sqrt(variance + norm.epsilon);
  columns.mean[c] = static_cast<float>(mean);
  columns.mean_rest[c] = static_cast<float>(mean - columns.mean[c]);
  columns.inverse[c] = static_cast<float>(inverse);
  columns.scale[c] = static_cast<float>(view(*norm.scale)(0, c) * inverse);
  columns.shift[c] = view(*norm.shift)(0, c);
}

}  // namespace

void add_block(DenseStateStorage& state, std::int64_t s, std::int64_t begin, std::int64_t rows,
               const float* block, const DenseWorkspace& work) {
  double* means = state.sums_of(s, 0);
  double* squares = state.sums_of(s, 1);
  const auto n = static_cast<double>(rows);
  const auto before = static_cast<double>(begin - state.cuts.begin(s));
  sum_columns(block, rows, state.stride, work.about);
  for (std::int64_t c = 0; c < state.cols; ++c) work.about[c] /= static_cast<float>(rows);
  sum_deviations(block, rows, state.stride, work.about, work.sums, work.more_sums);
  for (std::int64_t c = 0; c < state.cols; ++c) {
    // `about` is the rounded mean; the sum of the deviations corrects the rounding.
    const double rest = work.sums[c] / n;
    const double mean = work.about[c] + rest;
    const double square = work.more_sums[c] - rest * work.sums[c];
    if (before == 0) {
      means[c] = mean;
      squares[c] = square;
    } else {
      merge(before, n, mean, square, means[c], squares[c]);
    }
  }
}

void finish_statistics(const BatchNorm& norm, DenseStateStorage& state) {
  const auto running_mean = view(*norm.running_mean);
  const auto running_variance = view(*norm.running_variance);
  const auto n = static_cast<double>(state.cuts.rows);
  for (std::int64_t c = 0; c < state.cols; ++c) {
    double mean = state.sums_of(0, 0)[c];
    double square = state.sums_of(0, 1)[c];
    for (std::int64_t s = 1; s < state.cuts.stretches; ++s) {
      const std::int64_t begin = state.cuts.begin(s);
      merge(static_cast<double>(begin), static_cast<double>(state.cuts.end(s) - begin),
            state.sums_of(s, 0)[c], state.sums_of(s, 1)[c], mean, square);
    }
    square = square < 0 ? 0 : square;  // negative only by rounding; NaN stays
    set_column(norm, c, mean, square / n, state.norm);
    const auto move = [&](float& running, double batch) {
      running = static_cast<float>(running + norm.momentum * (batch - running));
    };
    move(running_mean(0, c), mean);
    move(running_variance(0, c), square / (n - 1));
  }
}

void take_running_statistics(const BatchNorm& norm, DenseStateStorage& state) {
  for (std::int64_t c = 0; c < state.cols; ++c) {
    set_column(norm, c, view(*norm.running_mean)(0, c), view(*norm.running_variance)(0, c),
               state.norm);
  }
}

}  // namespace tern::cpu
