// evaluation.score = cosine: rows divided by their norms, and the rankings that follow.

#include "host/train/cosine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tern/device.hpp"
#include "tern/evaluation.hpp"
#include "tern/memory.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/matrices.hpp"
#include "tests/train/job.hpp"

namespace tern::test {
namespace {

TEST(NormalizeRows, ByHand) {
  std::vector<float> table{3, 4, 0, 0, -2, 0, 3e30F, 4e30F, 3e-30F, 0};
  normalize_rows(std::span(table), 2);
  // A norm below 1e-12 counts as 1e-12; squares of 1e30 have room in f64.
  const std::vector<float> expected{0.6F, 0.8F, 0, 0, -1, 0, 0.6F, 0.8F, 3e-18F, 0};
  EXPECT_THAT(table, testing::Pointwise(testing::FloatEq(), expected));
  std::vector<double> wide{1, 1, 1, 1};
  normalize_rows(std::span(wide), 4);
  EXPECT_EQ(wide, (std::vector<double>{0.5, 0.5, 0.5, 0.5}));
  std::vector<float> empty;
  normalize_rows(std::span(empty), 0);
}

class CosineOn : public BackendTest {};

TEST_P(CosineOn, ANormalizedCopyHasTheDirectionsOfTheRows) {
  constexpr std::int64_t kRows = 700;  // more than a block
  for (const std::int64_t width : {1, 5, 64}) {
    const Values values = random_values(kRows * width, 3, 2.0);
    const Matrix matrix = make_matrix(backend_, kRows, width, values);
    const Values copy = values_of(backend_, normalized_copy(backend_, matrix));
    for (std::int64_t row = 0; row < kRows; ++row) {
      double norm = 0.0;
      for (std::int64_t c = 0; c < width; ++c) norm += std::pow(values[row * width + c], 2);
      norm = std::sqrt(norm);
      for (std::int64_t c = 0; c < width; ++c) {
        EXPECT_NEAR(copy[row * width + c], values[row * width + c] / norm, 2 * epsilon());
      }
    }
    EXPECT_EQ(values_of(backend_, matrix), values);
  }
}

TEST_P(CosineOn, AnEvaluationRanksByTheAngle) {
  // For user (1, 0), item 0 has the largest product and item 2 the smallest angle; for user
  // (0, 5), item 1. Item 3 is zero.
  const std::vector<double> users{1, 0, 0, 5};
  const std::vector<double> items{8, 8, 1, 3, 0.5, 0, 0, 0};
  const Matrix u = make_matrix(backend_, 2, 2, users);
  const Matrix i = make_matrix(backend_, 4, 2, items);
  const std::vector<Interaction> best_by_cosine{{0, 2}, {1, 1}};
  const std::vector<Interaction> best_by_dot{{0, 0}, {1, 0}};
  const auto hits = [&](ScoreKind score, const std::vector<Interaction>& held_out) {
    const Metrics metrics = evaluate(backend_, u, i, {}, Interactions::from_pairs(2, 4, held_out),
                                     {.ks = {1}, .score = score});
    return metric(metrics, "recall@1");
  };
  EXPECT_EQ(hits(ScoreKind::kCosine, best_by_cosine), 1.0);
  EXPECT_EQ(hits(ScoreKind::kDot, best_by_cosine), 0.0);
  EXPECT_EQ(hits(ScoreKind::kDot, best_by_dot), 1.0);
}

INSTANTIATE_TEST_SUITE_P(Backends, CosineOn, testing::ValuesIn(backends_under_test()),
                         backend_name);

TEST(CosineInTraining, SelectsTheEpochByCosine) {
  Config config = planted_config(ModelKind::kMatrixFactorization);
  config.epochs = 6;
  config.evaluate_every = 1;
  config.evaluation.score = ScoreKind::kCosine;
  Job job(planted_dataset(), config);
  const TrainingResult result = job.run();

  const std::vector<double> users = values_of(job.trainer.best(), "user_embedding");
  std::vector<double> items = values_of(job.trainer.best(), "item_embedding");
  normalize_rows(std::span(items), config.model.width);
  Backend& backend = *job.backend;
  const Matrix u = make_matrix(backend, job.data.train.num_users(), config.model.width, users);
  const Matrix i = make_matrix(backend, job.data.train.num_items(), config.model.width, items);
  const Graph train = backend.make_graph(job.data.train);
  const Graph* observed[] = {&train};
  const auto found =
      evaluate(backend, u, i, observed, job.data.valid, {.ks = config.evaluation.ks});
  EXPECT_EQ(metric(found, config.metric), result.best_metric);

  // The rows themselves are those of a training that selects by dot product.
  config.evaluation.score = ScoreKind::kDot;
  Job other(planted_dataset(), config);
  other.run();
  EXPECT_TRUE(same(job.trainer.state(), other.trainer.state()));
  EXPECT_NE(job.records[0].metrics, other.records[0].metrics);
}

TEST(CosineInTraining, AddsTheCopyOfTheItemsToTheMemoryFormula) {
  const Dataset data = planted_dataset();
  Config config = planted_config();
  config.model.width = 48;
  for (const auto kind :
       {MemoryTarget::Kind::kReference, MemoryTarget::Kind::kCpu, MemoryTarget::Kind::kCuda}) {
    const auto total = [&](ScoreKind score) {
      config.evaluation.score = score;
      const MemoryEstimate estimate = estimate_memory({.kind = kind}, data, config);
      return estimate.device() > 0 ? estimate.device() : estimate.host();
    };
    const std::int64_t bytes = kind == MemoryTarget::Kind::kReference ? 8 : 4;
    EXPECT_GE(total(ScoreKind::kCosine),
              total(ScoreKind::kDot) + bytes * 48 * data.train.num_items());
  }
}

}  // namespace
}  // namespace tern::test
