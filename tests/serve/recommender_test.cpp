#include "tern/recommender.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "host/train/fitted_model.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"
#include "tests/serve/halves.hpp"
#include "tests/support/temporary_directory.hpp"

namespace tern::test {
namespace {

using ::testing::SizeIs;

class RecommenderTest : public ::testing::Test {
 protected:
  using Run = tern::Run;  // not googletest's

  RecommenderTest() { trainer.run(); }

  const TemporaryDirectory directory;
  Dataset data = halves();
  std::unique_ptr<Backend> backend = make_cpu_backend(1);
  Config config = halves_config();
  Trainer trainer{*backend, data, config};
};

std::set<std::string> ids_of(const std::vector<ScoredId>& entries) {
  std::set<std::string> ids;
  for (const ScoredId& entry : entries) ids.insert(entry.id);
  return ids;
}

TEST_F(RecommenderTest, RanksTheUsersHalfFirst) {
  Recommender model(trainer);
  const Recommendations all = model.recommend("u2", {.n = 6, .seen = SeenItems::kList});
  EXPECT_EQ(ids_of(all.items), (std::set<std::string>{"i0", "i2", "i4", "i6", "i8", "i10"}));
  EXPECT_EQ(all.source, ScoreSource::kModel);
  for (std::size_t i = 1; i < all.items.size(); ++i) {
    EXPECT_GE(all.items[i - 1].score, all.items[i].score);
  }
  EXPECT_EQ(model.score("u2", all.items[0].id), all.items[0].score);
}

TEST_F(RecommenderTest, LeavesOutSeenItemsAndFilters) {
  Recommender model(trainer);
  const Recommendations unseen = model.recommend("u3", {.n = 100});
  const std::set<std::string> ids = ids_of(unseen.items);
  const NodeId user = *data.users.find("u3");
  for (const Interactions* split : {&data.train, &data.valid}) {
    for (const NodeId item : split->row(user)) EXPECT_FALSE(ids.contains(data.items.name(item)));
  }
  EXPECT_FALSE(ids.contains("cold"));
  EXPECT_EQ(ids.size() + data.train.row(user).size() + data.valid.row(user).size(), 12u);
  const RecommendOptions some{
      .n = 2, .seen = SeenItems::kList, .items = {"i1", "i3", "i5"}, .without = {"i3"}};
  EXPECT_EQ(ids_of(model.recommend("u3", some).items), (std::set<std::string>{"i1", "i5"}));
  EXPECT_TRUE(
      ids_of(model.recommend("u3", {.n = 100, .cold = ColdNodes::kList}).items).contains("cold"));
}

TEST_F(RecommenderTest, GivesUnknownTastesThePopularItems) {
  Recommender model(trainer);
  const Recommendations popular = model.recommend("new", {.n = 3});
  EXPECT_EQ(popular.source, ScoreSource::kPopularity);
  ASSERT_THAT(popular.items, SizeIs(3));
  EXPECT_EQ(popular.items[0].score, std::floor(popular.items[0].score));
  EXPECT_EQ(model.score("new", popular.items[0].id), popular.items[0].score);
  EXPECT_EQ(model.score("u1", "cold"), std::nullopt);
}

TEST_F(RecommenderTest, FindsNeighboursInTheSameHalf) {
  Recommender model(trainer);
  EXPECT_EQ(ids_of(model.similar_items("i3", 5)),
            (std::set<std::string>{"i1", "i5", "i7", "i9", "i11"}));
  for (const ScoredId& user : model.similar_users("u4", 5)) {
    EXPECT_EQ(std::stoi(user.id.substr(1)) % 2, 0) << user.id;
    EXPECT_NE(user.id, "u4");
  }
}

TEST_F(RecommenderTest, RanksManyUsersAsOneByOne) {
  Recommender model(trainer);
  const std::vector<Recommendations> lists = model.recommend_each({"u5", "new", "u0"});
  ASSERT_THAT(lists, SizeIs(3));
  EXPECT_EQ(lists[0].items, model.recommend("u5").items);
  EXPECT_EQ(lists[1].items, model.recommend("new").items);
  EXPECT_EQ(lists[2].items, model.recommend("u0").items);
  EXPECT_TRUE(model.recommend_each({}).empty());
}

TEST_F(RecommenderTest, AnswersTheSameAfterSavingAndLoading) {
  Recommender model(trainer);
  model.save(directory.path() / "run");
  Recommender loaded = Recommender::load(directory.path() / "run");
  for (const char* user : {"u0", "u7", "new"}) {
    EXPECT_EQ(loaded.recommend(user).items, model.recommend(user).items);
  }
  EXPECT_EQ(loaded.embeddings(Side::kItem).values, model.embeddings(Side::kItem).values);
  EXPECT_EQ(loaded.ids(Side::kUser).size(), 25);
  EXPECT_EQ(loaded.config().epochs, config.epochs);
  loaded.save(directory.path() / "again");
  EXPECT_EQ(Recommender::load(directory.path() / "again").recommend("u1").items,
            model.recommend("u1").items);
}

TEST_F(RecommenderTest, LoadsARunOfATrainer) {
  Run run = Run::create(directory.path() / "run", config, data);
  run.write_best(trainer.best(), trainer.progress().selected_epoch, trainer.progress().best_epoch);
  run.write_state(trainer.state());
  const Recommender model(trainer);
  const Recommender loaded = Recommender::load(directory.path() / "run");  // computes them
  EXPECT_EQ(loaded.embeddings(Side::kUser).values, model.embeddings(Side::kUser).values);
}

TEST_F(RecommenderTest, LoadsARunOfAFittedModel) {
  Config ease = config;
  ease.model.kind = ModelKind::kEase;
  Run::create(directory.path() / "run", ease, data)
      .write_fitted(fit_model(data, ease)->take_arrays());
  Recommender model = Recommender::load(directory.path() / "run");
  const Recommendations all = model.recommend("u2", {.n = 6, .seen = SeenItems::kList});
  EXPECT_EQ(ids_of(all.items), (std::set<std::string>{"i0", "i2", "i4", "i6", "i8", "i10"}));
  EXPECT_EQ(model.score("u2", all.items[0].id), all.items[0].score);
  EXPECT_EQ(ids_of(model.similar_items("i3", 5)),
            (std::set<std::string>{"i1", "i5", "i7", "i9", "i11"}));
  EXPECT_THROW(model.similar_users("u2"), ConfigError);
  EXPECT_THROW(model.embeddings(Side::kUser), ConfigError);
  EXPECT_THROW(model.save(directory.path() / "other"), ConfigError);
}

TEST_F(RecommenderTest, HoldsTheBestOrTheLastEpoch) {
  const TensorFile last = trainer.last();
  const Recommender best_model(trainer);
  const Recommender last_model(trainer, TrainedParameters::kLast);
  EXPECT_EQ(trainer.last().tensors.at("user_embedding").values,
            last.tensors.at("user_embedding").values);  // the trainer is as it was
  Trainer shorter(*backend, data, [&] {
    Config until_best = config;
    until_best.epochs = trainer.progress().selected_epoch;
    return until_best;
  }());
  shorter.run();
  const Recommender expected(shorter, TrainedParameters::kLast);
  EXPECT_EQ(best_model.embeddings(Side::kUser).values, expected.embeddings(Side::kUser).values);
  if (trainer.progress().selected_epoch < config.epochs) {
    EXPECT_NE(best_model.embeddings(Side::kUser).values, last_model.embeddings(Side::kUser).values);
  }
}

TEST_F(RecommenderTest, TrainsAModelOfOnesOwn) {
  Config own = config;
  own.model.kind = ModelKind::kLightGcn;
  Config matrix = config;
  matrix.model.kind = ModelKind::kMatrixFactorization;
  const ModelFactory factory = [&](Backend& on, const Graph& graph, const Triplets& triplets) {
    return make_model(on, graph, triplets, matrix.model);
  };
  Trainer with_own(*backend, data, own, factory,
                   make_loss(*backend, own.loss, own.l2, data.train.num_users()));
  Trainer configured(*backend, data, matrix);
  with_own.run();
  configured.run();
  EXPECT_EQ(with_own.model().name(), "mf");
  const Recommender a(with_own);
  const Recommender b(configured);
  EXPECT_EQ(a.embeddings(Side::kItem).values, b.embeddings(Side::kItem).values);
}

}  // namespace
}  // namespace tern::test
