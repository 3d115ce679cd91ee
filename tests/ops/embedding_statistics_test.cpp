#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tern/error.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/matrices.hpp"

namespace tern::test {
namespace {

class Statistics : public BackendTest {
 protected:
  EmbeddingStatistics of(std::int64_t rows, std::int64_t cols, const Values& values,
                         StatisticsFigures figures = StatisticsFigures::kAll) {
    return backend_.embedding_statistics(make_matrix(backend_, rows, cols, values), figures);
  }
};

TEST_P(Statistics, MatchesHandComputation) {
  // Rows (3, 4), (0, 0), (-6, 8): norms 5, 0, 10; the cosine of the two nonzero ones is 14/50.
  const EmbeddingStatistics s = of(3, 2, {3, 4, 0, 0, -6, 8});
  EXPECT_EQ(s.rows, 3);
  EXPECT_EQ(s.non_finite, 0);
  EXPECT_NEAR(s.mean_norm, 5, 1e-14);
  EXPECT_NEAR(s.max_norm, 10, 1e-14);
  EXPECT_NEAR(s.total_norm, std::sqrt(125.0), 1e-14);
  EXPECT_NEAR(s.mean_cosine, 0.28, 1e-14);
  // Columns (3, 0, -6): mean -1, variance (16 + 1 + 25)/3; (4, 0, 8): mean 4, variance 32/3.
  EXPECT_NEAR(s.min_column_deviation, std::sqrt(32.0 / 3), 1e-14);
  EXPECT_NEAR(s.max_column_deviation, std::sqrt(14.0), 1e-14);
  EXPECT_EQ(s.gram, (std::vector<double>{45, -36, -36, 80}));
  // Eigenvalues of the Gram matrix: (125 ± sqrt(125² - 4·2304)) / 2 = (125 ± 80.06...) / 2.
  const double root = std::sqrt(125.0 * 125 - 4 * 2304);
  const double a = std::sqrt((125 + root) / 2);
  const double b = std::sqrt((125 - root) / 2);
  const double p = a / (a + b);
  EXPECT_NEAR(s.effective_rank, std::exp(-p * std::log(p) - (1 - p) * std::log(1 - p)), 1e-12);
}

TEST_P(Statistics, SeesCollapseAndSpread) {
  Values same(50 * 4);
  for (std::size_t i = 0; i < same.size(); ++i) same[i] = static_cast<double>(i % 4) + 1;
  const EmbeddingStatistics collapsed = of(50, 4, same);
  EXPECT_NEAR(collapsed.mean_cosine, 1, 1e-12);
  EXPECT_NEAR(collapsed.effective_rank, 1, 1e-5);
  EXPECT_NEAR(collapsed.max_column_deviation, 0, 1e-12);

  Values axes(8 * 4, 0.0);
  for (std::size_t r = 0; r < 8; ++r) axes[r * 4 + r % 4] = r < 4 ? 2 : -2;
  const EmbeddingStatistics spread = of(8, 4, axes);
  EXPECT_NEAR(spread.mean_cosine, -8.0 / (8 * 7), 1e-12) << "each row has one opposite";
  EXPECT_NEAR(spread.effective_rank, 4, 1e-12);
}

TEST_P(Statistics, MatchesDirectSumsOnRandomTables) {
  for (const auto& [rows, cols] :
       {std::pair{1, 1}, {2, 3}, {64, 31}, {257, 33}, {1000, 64}, {3000, 16}, {300, 128}}) {
    Values x = random_values(std::int64_t{rows} * cols, 1);
    for (double& value : x) value = static_cast<float>(value + 0.25);
    for (int c = 0; c < cols && rows > 1; ++c) x[c] = 0;  // a row without direction
    const EmbeddingStatistics s = of(rows, cols, x);

    std::vector<double> norms(rows, 0);
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < cols; ++c) norms[r] += x[r * cols + c] * x[r * cols + c];
      norms[r] = std::sqrt(norms[r]);
    }
    double mean_norm = 0;
    for (const double norm : norms) mean_norm += norm / rows;
    EXPECT_NEAR(s.mean_norm, mean_norm, 1e-12 * mean_norm);
    EXPECT_NEAR(s.max_norm, *std::max_element(norms.begin(), norms.end()), 1e-12);

    // All pairs, if there are few enough.
    if (rows <= 300) {
      double cosines = 0;
      double pairs = 0;
      for (int i = 0; i < rows; ++i) {
        for (int j = 0; j < rows; ++j) {
          if (i == j || norms[i] == 0 || norms[j] == 0) continue;
          double dot = 0;
          for (int c = 0; c < cols; ++c) dot += x[i * cols + c] * x[j * cols + c];
          cosines += dot / (norms[i] * norms[j]);
          pairs += 1;
        }
      }
      EXPECT_NEAR(s.mean_cosine, pairs == 0 ? 0 : cosines / pairs, 1e-12);
    }
    double least = std::numeric_limits<double>::infinity();
    double most = 0;
    for (int c = 0; c < cols; ++c) {
      long double mean = 0;
      long double squares = 0;
      for (int r = 0; r < rows; ++r) mean += x[r * cols + c] / static_cast<long double>(rows);
      for (int r = 0; r < rows; ++r) squares += (x[r * cols + c] - mean) * (x[r * cols + c] - mean);
      const auto deviation = static_cast<double>(std::sqrt(squares / rows));
      least = std::min(least, deviation);
      most = std::max(most, deviation);
    }
    EXPECT_NEAR(s.min_column_deviation, least, 1e-12);
    EXPECT_NEAR(s.max_column_deviation, most, 1e-12);

    ASSERT_EQ(s.gram.size(), static_cast<std::size_t>(cols) * cols);
    for (int a = 0; a < cols; ++a) {
      for (int b = 0; b < cols; ++b) {
        double sum = 0;
        for (int r = 0; r < rows; ++r) sum += x[r * cols + a] * x[r * cols + b];
        ASSERT_NEAR(s.gram[a * cols + b], sum, 1e-12 * rows);
      }
    }
    EXPECT_NEAR(s.effective_rank, effective_rank(s.gram, cols), 1e-9);
  }
}

TEST_P(Statistics, NormsAloneAreThoseOfAllFigures) {
  // Sizes around a warp, a tile of rows, a stretch and its last part; the last one has 516 stretches.
  for (const auto& [rows, cols] : {std::pair{1, 1},
                                   {1, 300},
                                   {7, 33},
                                   {63, 5},
                                   {64, 64},
                                   {65, 31},
                                   {513, 17},
                                   {3000, 16},
                                   {33'000, 3}}) {
    SCOPED_TRACE(testing::Message() << rows << " x " << cols);
    Values x = random_values(std::int64_t{rows} * cols, 5);
    for (double& value : x) value = static_cast<float>(value);
    x.back() = -50;  // the last row counts, and hides none of the others
    const EmbeddingStatistics all = of(rows, cols, x);
    const EmbeddingStatistics norms = of(rows, cols, x, StatisticsFigures::kNorms);
    EXPECT_EQ(norms.rows, rows);
    EXPECT_EQ(norms.non_finite, 0);
    EXPECT_EQ(norms.mean_norm, all.mean_norm);
    EXPECT_EQ(norms.max_norm, all.max_norm);
    EXPECT_EQ(norms.total_norm, all.total_norm);
    EXPECT_TRUE(norms.gram.empty());
    EXPECT_EQ(norms.effective_rank, 0);

    long double squares = 0;
    for (const double value : x) squares += static_cast<long double>(value) * value;
    const auto total = static_cast<double>(std::sqrt(squares));
    EXPECT_NEAR(norms.total_norm, total, 1e-12 * total);
  }
}

TEST_P(Statistics, NormsAloneNeitherOverflowNorHideFaults) {
  const float large = 1e38F;
  const EmbeddingStatistics s = of(2, 2, {large, 0, 0, large}, StatisticsFigures::kNorms);
  EXPECT_NEAR(s.total_norm, std::sqrt(2.0) * large, 1e-12 * large);
  Values x = random_values(200 * 3, 2);
  x[599] = std::nan("");
  x[0] = std::numeric_limits<double>::infinity();
  EXPECT_EQ(of(200, 3, x, StatisticsFigures::kNorms).non_finite, 2);
  const EmbeddingStatistics none = of(0, 3, {}, StatisticsFigures::kNorms);
  EXPECT_EQ(none.total_norm, 0);
  EXPECT_TRUE(none.gram.empty());
}

TEST_P(Statistics, KeepsDeviationsBesideALargeMean) {
  // Columns of 4096 ± 2⁻¹⁰: raw sums of squares would lose the deviation in f32.
  Values x(1000);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = 4096 + (i % 2 == 0 ? 1 : -1) * 0x1p-10;
  const EmbeddingStatistics s = of(1000, 1, x);
  EXPECT_NEAR(s.max_column_deviation, 0x1p-10, 1e-9);
}

TEST_P(Statistics, CountsWhatIsNotFinite) {
  Values x = random_values(20 * 3, 2);
  EXPECT_EQ(of(20, 3, x).non_finite, 0);
  x[0] = std::nan("");
  x[31] = std::numeric_limits<double>::infinity();
  x[59] = -std::numeric_limits<double>::infinity();
  EXPECT_EQ(of(20, 3, x).non_finite, 3);
}

TEST_P(Statistics, DescribesTablesWithNothingInThem) {
  for (const auto& [rows, cols] : {std::pair{0, 3}, {5, 3}}) {
    const EmbeddingStatistics s = of(
        rows, cols, Values(static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols), 0.0));
    EXPECT_EQ(s.rows, rows);
    EXPECT_EQ(s.mean_norm, 0);
    EXPECT_EQ(s.max_norm, 0);
    EXPECT_EQ(s.total_norm, 0);
    EXPECT_EQ(s.mean_cosine, 0);
    EXPECT_EQ(s.min_column_deviation, 0);
    EXPECT_EQ(s.max_column_deviation, 0);
    EXPECT_EQ(s.effective_rank, 0);
    EXPECT_EQ(s.gram, std::vector<double>(9, 0));
  }
  EXPECT_EQ(of(1, 2, {3, 4}).mean_cosine, 0) << "one row has no pair";
}

TEST_P(Statistics, RefusesHandlesThatAreNotItsOwn) {
  EXPECT_THROW(backend_.embedding_statistics(Matrix()), ShapeError);
  EXPECT_THROW(backend_.embedding_statistics(foreign_matrix(2, 2)), ShapeError);
}

INSTANTIATE_TEST_SUITE_P(Backends, Statistics, testing::ValuesIn(backends_under_test()),
                         backend_name);

}  // namespace
}  // namespace tern::test
