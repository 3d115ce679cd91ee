#include "host/train/selection.hpp"

#include <gtest/gtest.h>

#include "host/train/metric_sums.hpp"
#include "tern/error.hpp"
#include "tests/train/job.hpp"

namespace tern::test {
namespace {

/// A selection by recall@10, and epochs with given values of it.
struct Chooser {
  bool improves(double value) {
    Metrics metrics;
    for (const std::string& name : metric_names(config.evaluation)) {
      metrics.emplace_back(name, name == "recall@10" ? value : 1.0);
    }
    return selection.improves(metrics);
  }

  std::unique_ptr<Backend> backend = make_reference_backend();
  Dataset data = planted_dataset();
  Config config = planted_config();
  Graph graph = backend->make_graph(data.train);
  Selection selection{*backend, data, graph, config};
};

TEST(Selection, CountsEvaluationsSinceTheBest) {
  Chooser chooser;
  EXPECT_FALSE(chooser.selection.best().has_value());
  struct Step {
    double value;
    bool improves;
    int since_best;
  };
  // The first is the best even at 0, an equal value is no better, a better one starts the count
  // again.
  for (const auto [value, improves, since_best] : {Step{0.0, true, 0},
                                                   {0.0, false, 1},
                                                   {0.25, true, 0},
                                                   {0.125, false, 1},
                                                   {0.25, false, 2},
                                                   {0.375, true, 0},
                                                   {0.25, false, 1}}) {
    EXPECT_EQ(chooser.improves(value), improves) << value;
    EXPECT_EQ(chooser.selection.since_best(), since_best) << value;
  }
  EXPECT_EQ(chooser.selection.best(), 0.375);
}

TEST(Selection, GoesOnFromWhatItIsGiven) {
  Chooser chooser;
  chooser.selection.restore(0.5, 3);
  EXPECT_EQ(chooser.selection.best(), 0.5);
  EXPECT_FALSE(chooser.improves(0.5));
  EXPECT_EQ(chooser.selection.since_best(), 4);
  EXPECT_TRUE(chooser.improves(0.625));
  EXPECT_EQ(chooser.selection.since_best(), 0);
  chooser.selection.restore(std::nullopt, 0);
  EXPECT_TRUE(chooser.improves(0.125));
}

TEST(Selection, RefusesWhatItCannotChooseByBeforeAnyTraining) {
  const std::unique_ptr<Backend> backend = make_reference_backend();
  const Dataset data = planted_dataset();
  const auto refuses = [&](auto change) {
    Config config = planted_config();
    change(config);
    EXPECT_THROW(Trainer(*backend, data, config), ConfigError);
  };
  refuses([](Config& c) { c.metric = "recall@11"; });
  refuses([](Config& c) { c.evaluation.ks = {10, 81}; });
  refuses([](Config& c) { c.evaluation.ks = {0, 10}; });
}

}  // namespace
}  // namespace tern::test
