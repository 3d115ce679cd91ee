// Misuses of the library: each is refused with the right exception and a sentence, and none crashes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "host/run/resume.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"
#include "tern/recommender.hpp"
#include "tests/serve/halves.hpp"
#include "tests/support/temporary_directory.hpp"

namespace tern::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// The message of the exception of type Exception itself, not of a class that is derived from it.
template <typename Exception>
std::string refusal(const std::function<void()>& misuse) {
  try {
    misuse();
  } catch (const Exception& error) {
    EXPECT_EQ(typeid(error), typeid(Exception));
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

class Misuse : public ::testing::Test {
 protected:
  using Run = tern::Run;  // not googletest's

  std::unique_ptr<Loss> loss() { return make_loss(*backend, config.loss, config.l2, 25); }

  const TemporaryDirectory directory;
  Dataset data = halves();
  std::unique_ptr<Backend> backend = make_cpu_backend(1);
  Config config = [] {
    Config few = halves_config();
    few.epochs = 1;
    return few;
  }();
};

TEST_F(Misuse, ANullLoss) {
  EXPECT_EQ(refusal<ConfigError>([&] { Trainer(*backend, data, config, std::unique_ptr<Loss>()); }),
            "the loss of the trainer is null, expected a loss");
}

TEST_F(Misuse, AnEmptyFunctionForAModel) {
  EXPECT_THAT(
      refusal<ConfigError>([&] { Trainer(*backend, data, config, ModelFactory(), loss()); }),
      HasSubstr("an empty function for its model"));
}

TEST_F(Misuse, ANullModel) {
  const ModelFactory none = [](Backend&, const Graph&, const Triplets&) {
    return std::unique_ptr<Model>();
  };
  EXPECT_EQ(refusal<ConfigError>([&] { Trainer(*backend, data, config, none, loss()); }),
            "the model of the trainer is null, expected a model");
}

TEST_F(Misuse, AModelWhoseParametersHaveNoNames) {
  const ModelFactory nameless = [&](Backend& on, const Graph& graph, const Triplets& triplets) {
    std::unique_ptr<Model> model = make_model(on, graph, triplets, config.model);
    model->parameters()[1].name = model->parameters()[0].name;
    return model;
  };
  EXPECT_THAT(refusal<ConfigError>([&] { Trainer(*backend, data, config, nameless, loss()); }),
              HasSubstr("occurs twice, expected a name for each"));
}

TEST_F(Misuse, AModelWithoutAGradient) {
  const ModelFactory fixed = [&](Backend& on, const Graph& graph, const Triplets& triplets) {
    std::unique_ptr<Model> model = make_model(on, graph, triplets, config.model);
    model->parameters()[0].gradient = nullptr;
    return model;
  };
  EXPECT_THAT(refusal<ShapeError>([&] { Trainer(*backend, data, config, fixed, loss()); }),
              HasSubstr("has no value, or no gradient of its shape"));
}

TEST_F(Misuse, AStateOfOtherDataWithAsManyNodes) {
  Trainer trainer(*backend, data, config);
  trainer.run();
  const Dataset other = halves(2);
  ASSERT_EQ(other.users.size(), data.users.size());
  ASSERT_EQ(other.items.size(), data.items.size());
  Trainer second(*backend, other, config);
  EXPECT_THAT(refusal<DataError>([&] { second.restore(trainer.state()); }),
              HasSubstr("the state belongs to other data"));
}

TEST_F(Misuse, AStateOfOtherDataMadeByHand) {
  const auto made = [](NodeId item) {
    Dataset by_hand;
    const std::vector<Interaction> pairs{{0, 0}, {1, 1}, {1, item}};
    by_hand.train = Interactions::from_pairs(2, 4, pairs);
    return by_hand;
  };
  config.evaluation.ks = {2};
  config.metric = "recall@2";
  const Dataset one = made(2);
  const Dataset other = made(3);
  Trainer first(*backend, one, config);
  first.run();
  Trainer second(*backend, other, config);
  EXPECT_THAT(refusal<DataError>([&] { second.restore(first.state()); }),
              HasSubstr("the state belongs to other data"));
}

TEST_F(Misuse, AStateFromARunOfOtherData) {
  Trainer trainer(*backend, data, config);
  trainer.run();
  Run run = Run::create(directory.path() / "run", config, data);
  run.write_state(trainer.state());
  const Dataset other = halves(2);
  EXPECT_THAT(refusal<DataError>([&] { run.check_data(other, "the data"); }),
              HasSubstr("the data has changed since the run"));
  Trainer second(*backend, other, config);
  EXPECT_THAT(refusal<DataError>([&] { second.restore(run.newest_state()->state, "the run"); }),
              HasSubstr("the run: the state belongs to other data"));
}

TEST_F(Misuse, ARunWhoseNamesAreMissing) {
  data.users = Vocabulary();
  EXPECT_THAT(refusal<ShapeError>([&] { Run::create(directory.path() / "run", config, data); }),
              HasSubstr("the data has 0 names of users and 13 of items"));
  EXPECT_FALSE(Run::is_run(directory.path() / "run"));
}

TEST_F(Misuse, SplitsOfDifferentSizes) {
  const std::vector<Interaction> pairs{{0, 0}};
  data.valid = Interactions::from_pairs(3, 3, pairs);
  EXPECT_THAT(refusal<ShapeError>([&] { Trainer(*backend, data, config); }),
              HasSubstr("expected the same sizes in all"));
}

TEST_F(Misuse, AnUnknownDevice) {
  EXPECT_THAT(refusal<ConfigError>([] { make_backend("gpu"); }), HasSubstr("gpu"));
}

TEST_F(Misuse, AutoSaysWhyItIsTheCpu) {
  std::string notice;
  const bool on_cpu = make_backend("auto", 1, &notice)->name() == "cpu";
  EXPECT_EQ(on_cpu, !notice.empty()) << notice;
  if (on_cpu) {
    EXPECT_THAT(notice, HasSubstr("running on the CPU"));
  }
}

TEST_F(Misuse, AMetricThatIsNotMeasured) {
  config.metric = "recall@7";
  EXPECT_THAT(refusal<ConfigError>([&] { Trainer(*backend, data, config); }),
              HasSubstr("recall@7"));
}

TEST_F(Misuse, AKeyOutOfRange) {
  config.model.width = 0;
  EXPECT_THAT(refusal<ConfigError>([&] { Trainer(*backend, data, config); }),
              HasSubstr("model.width"));
}

TEST_F(Misuse, ATrainerOfAFittedModel) {
  config.model.kind = ModelKind::kEase;
  EXPECT_THAT(refusal<ConfigError>([&] { Trainer(*backend, data, config); }), HasSubstr("ease"));
}

TEST_F(Misuse, AFolderThatHoldsNoRun) {
  EXPECT_THAT(refusal<DataError>([&] { Recommender::load(directory.path()); }),
              HasSubstr(directory.path().string()));
}

TEST_F(Misuse, ARunWithoutACheckpoint) {
  Run::create(directory.path() / "run", config, data);
  EXPECT_THAT(refusal<DataError>([&] { Recommender::load(directory.path() / "run"); }),
              HasSubstr("no checkpoint is there"));
}

TEST_F(Misuse, SavingOverARun) {
  Trainer trainer(*backend, data, config);
  const Recommender model(trainer);
  model.save(directory.path() / "run");
  EXPECT_THAT(refusal<Error>([&] { model.save(directory.path() / "run"); }),
              HasSubstr("holds a run already"));
}

TEST_F(Misuse, ResumingASavedRecommender) {
  Trainer trainer(*backend, data, config);
  Recommender(trainer).save(directory.path() / "run");
  const Run run = Run::open(directory.path() / "run");
  std::optional<Run::SavedState> state;
  EXPECT_THAT(refusal<DataError>([&] { how_finished(run, config, {}, {}, state, {}); }),
              AllOf(HasSubstr("no checkpoint to resume from"), HasSubstr("Recommender::save()")));
}

TEST_F(Misuse, UnknownIds) {
  Trainer trainer(*backend, data, config);
  Recommender model(trainer);
  EXPECT_EQ(refusal<DataError>([&] { model.recommend("u240"); }),
            "recommender: there is no user \"u240\"; the most similar: \"u20\"");
  EXPECT_THAT(refusal<DataError>([&] { model.recommend(7); }),
              HasSubstr("there is no user \"7\"; the model knows for example \"u0\""));
  EXPECT_THAT(refusal<DataError>([&] {
                model.recommend_each({"u1", ""});
              }),
              HasSubstr("there is no user \"\""));
  EXPECT_THAT(refusal<DataError>([&] { model.score("u1", nullptr); }),
              HasSubstr("there is no item \"\""));
  EXPECT_THAT(refusal<DataError>([&] {
                model.recommend("u1", {.items = {"i1", "x"}});
              }),
              HasSubstr("there is no item \"x\""));
}

TEST_F(Misuse, ListsOfNothing) {
  Trainer trainer(*backend, data, config);
  Recommender model(trainer);
  EXPECT_EQ(refusal<ConfigError>([&] { model.recommend("u1", {.n = 0}); }),
            "n: found 0, expected at least 1");
  EXPECT_THAT(refusal<ConfigError>([&] { model.similar_items("i1", -3); }), HasSubstr("found -3"));
  EXPECT_THAT(refusal<DataError>([&] { model.recommend("u1", {.items = {"cold"}}); }),
              HasSubstr("no item is left to rank"));
}

TEST_F(Misuse, NeighboursOfARandomEmbedding) {
  Trainer trainer(*backend, data, config);
  Recommender model(trainer);
  EXPECT_THAT(refusal<DataError>([&] { model.similar_items("cold"); }),
              HasSubstr("item \"cold\" has no training interactions"));
  EXPECT_THAT(refusal<DataError>([&] { model.similar_users("new"); }),
              HasSubstr("user \"new\" has no training interactions"));
}

TEST_F(Misuse, AnItemOutOfRange) {
  const std::vector<Interaction> pairs{{0, 5}};
  EXPECT_THAT(refusal<ShapeError>([&] { Interactions::from_pairs(1, 5, pairs); }),
              HasSubstr("expected users in [0, 1) and items in [0, 5)"));
  EXPECT_THAT(refusal<ShapeError>([&] { data.train.row(-1); }), HasSubstr("no user -1"));
  EXPECT_THAT(refusal<ShapeError>([&] { data.users.name(25); }), AllOf(HasSubstr("25")));
}

TEST_F(Misuse, ParametersOfAnotherModel) {
  Trainer trainer(*backend, data, config);
  TensorFile parameters = trainer.last();
  parameters.tensors.erase("user_embedding");
  EXPECT_THAT(refusal<DataError>([&] { load_parameters(*backend, trainer.model(), parameters); }),
              HasSubstr("user_embedding"));
}

TEST_F(Misuse, AnUploadOfTheWrongSize) {
  Matrix matrix = backend->allocate(2, 3);
  const std::vector<float> values(5);
  EXPECT_THAT(refusal<ShapeError>([&] { backend->upload(std::span<const float>(values), matrix); }),
              HasSubstr("5"));
}

TEST_F(Misuse, AMatrixOfAnotherBackend) {
  const std::unique_ptr<Backend> other = make_reference_backend();
  const Matrix matrix = other->allocate(2, 3);
  EXPECT_THAT(refusal<ShapeError>([&] { backend->embedding_statistics(matrix); }),
              HasSubstr("backend"));
}

TEST_F(Misuse, ADownloadOfTheWrongSize) {
  const Matrix matrix = backend->allocate(2, 3);
  std::vector<float> values(7);
  EXPECT_THAT(refusal<ShapeError>([&] { backend->download(matrix, std::span<float>(values)); }),
              HasSubstr("7"));
}

TEST_F(Misuse, ALossOfAnotherBackend) {
  const std::unique_ptr<Backend> other = make_reference_backend();
  EXPECT_THAT(
      refusal<ShapeError>([&] {
        Trainer(*backend, data, config, make_loss(*other, config.loss, config.l2, 25)).run();
      }),
      HasSubstr("backend"));
}

TEST_F(Misuse, AModelOfAnotherBackend) {
  const std::unique_ptr<Backend> other = make_reference_backend();
  const Graph graph = other->make_graph(data.train);
  const ModelFactory on_other = [&](Backend& /*backend*/, const Graph& /*graph*/,
                                    const Triplets& triplets) {
    return make_model(*other, graph, triplets, config.model);
  };
  EXPECT_THAT(refusal<ShapeError>([&] { Trainer(*backend, data, config, on_other, loss()).run(); }),
              HasSubstr("backend"));
}

TEST_F(Misuse, DataWithoutInteractions) {
  const Dataset nothing;
  EXPECT_THAT(refusal<ConfigError>([&] { Trainer(*backend, nothing, config); }),
              HasSubstr("no user can be sampled"));
}

TEST_F(Misuse, AStateThatLacksAMoment) {
  Trainer trainer(*backend, data, config);
  trainer.run();
  TrainingState state = trainer.state();
  std::erase_if(state.tensors, [](const auto& entry) {
    return entry.first.starts_with("optimizer.first_moment.");
  });
  Trainer second(*backend, data, config);
  EXPECT_THAT(refusal<DataError>([&] { second.restore(state, "the state"); }),
              HasSubstr("optimizer.first_moment."));
  EXPECT_EQ(second.progress().epoch, 0);
}

TEST_F(Misuse, ARunWithADamagedManifest) {
  Trainer trainer(*backend, data, config);
  Recommender(trainer).save(directory.path() / "run");
  std::ofstream(directory.path() / "run" / "run.json") << "{\"format\":";
  EXPECT_THAT(refusal<DataError>([&] { Recommender::load(directory.path() / "run"); }),
              HasSubstr("run.json"));
}

TEST_F(Misuse, FeaturesOfTooFewRows) {
  DatasetBuilder builder;
  EXPECT_THAT(refusal<DataError>([&] {
                builder.set_features(Side::kItem, {"price"}, {"i0", "i1"}, std::vector{1.0F});
              }),
              HasSubstr("expected"));
}

TEST_F(Misuse, ACallbackThatThrows) {
  Trainer trainer(*backend, data, config);
  TrainerCallbacks callbacks;
  callbacks.on_step = [](const StepProgress&) { throw std::runtime_error("from the callback"); };
  EXPECT_EQ(refusal<std::runtime_error>([&] { trainer.run(callbacks); }), "from the callback");
  EXPECT_EQ(trainer.run().epochs, config.epochs);  // goes on after the step
}

}  // namespace
}  // namespace tern::test
