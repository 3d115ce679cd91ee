#pragma once

#include <cstdint>
#include <vector>

#include "tern/statistics.hpp"

namespace tern {

/// Sums over a stretch of an embedding table's rows, in f64, from which stretches are merged.
struct Moments {
  std::int64_t rows = 0;
  std::int64_t non_finite = 0;  // elements
  std::int64_t directed = 0;    // rows of nonzero norm
  double norm_sum = 0.0;
  double max_norm = 0.0;
  double square_sum = 0.0;  // of all elements
  // For the norms alone, these are empty.
  std::vector<double> unit_sum;  // (D): sum of the rows scaled to norm 1
  std::vector<double> mean;      // (D)
  std::vector<double> square;    // (D): sum of squared deviations from the mean
  std::vector<double> gram;      // (D, D)
};

/// Merges the sums of `next`, whose rows come after those of m: the column moments by Chan's
/// update, so that no large mean swallows a small deviation. If stretches are always merged in the
/// same order, the bits do not depend on which thread summed which stretch. Source: Chan, Golub and
/// LeVeque 1979.
void merge(const Moments& next, Moments& m);

/// The figures of EmbeddingStatistics from the sums of the whole table, (rows, width).
EmbeddingStatistics summarize(Moments m, std::int64_t width,
                              StatisticsFigures figures = StatisticsFigures::kAll);
/// Those of a table without elements.
EmbeddingStatistics empty_statistics(std::int64_t rows, std::int64_t width,
                                     StatisticsFigures figures);

}  // namespace tern
