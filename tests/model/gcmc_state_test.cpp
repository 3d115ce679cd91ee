// The state of a GC-MC encoder between steps, and the inputs that it refuses.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "host/loss/bpr_loss.hpp"
#include "host/train/parameters.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"
#include "tern/run.hpp"
#include "tests/model/gcmc_fixture.hpp"

namespace tern::test {
namespace {

using ::testing::HasSubstr;

const GcMcCase kFeatures{"features", 14, 11, 40, {3, 6}, {2, 5}, InputKind::kFeatures, {6}};
const GcMcCase kDropping{"dropping",       14,  11, 40,  {3, 6}, {2, 5},
                         InputKind::kBoth, {6}, 5,  0.3, 0.25};

GcMcCase without_dropout(GcMcCase c) {
  c.dropout = c.message_dropout = 0.0;
  return c;
}

/// Final embeddings of both sides, users first.
Values all_embeddings(ModelFixture& f) {
  Values all = f.embeddings(Side::kUser);
  const Values items = f.embeddings(Side::kItem);
  all.insert(all.end(), items.begin(), items.end());
  return all;
}

void step(ModelFixture& f) {
  f.model->forward();
  Batch batch(*f.backend, f.triplets);
  BprLoss(*f.backend, 0.0).backward(*f.model, batch, f.losses);
}

TEST(GcMc, NamesItsParametersAndBuffers) {
  GcMcFixture g(make_reference_backend(), without_dropout(kDropping));
  std::map<std::string, std::pair<std::int64_t, std::int64_t>> shapes;
  for (const auto& [name, matrix] : g.state()) shapes[name] = {matrix->rows(), matrix->cols()};
  std::map<std::string, std::pair<std::int64_t, std::int64_t>> expected;
  for (const std::string side : {"user", "item"}) {
    const bool users = side == "user";
    expected[side + "_embedding"] = {users ? 14 : 11, 5};
    const auto add_map = [&](const std::string& name, bool of_users) {
      expected[side + name + "_numbers_weight"] = {of_users ? 3 : 2, 6};
      expected[side + name + "_categories_weight"] = {of_users ? 6 : 5, 6};
      expected[side + name + "_learned_weight"] = {5, 6};
      expected[side + name + "_bias"] = {1, 6};
    };
    add_map("_layer1_self", users);
    add_map("_layer1_message", !users);
    for (const std::string map : {"_layer2_self", "_layer2_message"}) {
      expected[side + map + "_learned_weight"] = {6, 5};
      expected[side + map + "_bias"] = {1, 5};
    }
    for (const auto& [layer, width] : {std::pair("_layer1", 6), std::pair("_layer2", 5)}) {
      expected[side + layer + "_mix_weight"] = {width, width};
      for (const char* row : {"_mix_bias", "_norm_scale", "_norm_shift", "_norm_running_mean",
                              "_norm_running_variance"}) {
        expected[side + layer + row] = {1, width};
      }
    }
  }
  EXPECT_EQ(shapes, expected);
  EXPECT_EQ(g.f.model->name(), "gcmc");
  EXPECT_EQ(g.f.model->penalty_target(), PenaltyTarget::kFinal);
  for (const Side side : {Side::kUser, Side::kItem}) {
    EXPECT_EQ(&g.f.model->penalized(side), &g.f.model->embeddings(side));
    EXPECT_EQ(&g.f.model->penalized_gradient(side), &g.f.model->embedding_gradient(side));
  }
}

class GcMcOnDevice : public ::testing::TestWithParam<const char*> {
 protected:
  std::unique_ptr<Backend> backend() const { return make_backend(GetParam(), 2); }
};

TEST_P(GcMcOnDevice, NewNodesAtTheEndLeaveTheOthersAlone) {
  GcMcFixture g(backend(), kFeatures);
  const Values users = (g.f.model->embed(), g.f.embeddings(Side::kUser));
  const Values items = g.f.embeddings(Side::kItem);

  const auto more = [](const EncodedFeatures& few, NodeId nodes) {
    EncodedFeatures all = few;
    all.numbers.resize(few.number_names.size() * static_cast<std::size_t>(nodes), 0.75F);
    std::vector<Interaction> ones;
    for (NodeId node = 0; node < few.num_nodes(); ++node) {
      for (const NodeId category : few.categories.row(node)) ones.push_back({node, category});
    }
    for (NodeId node = few.num_nodes(); node < nodes; ++node) ones.push_back({node, node % 5});
    all.categories = Interactions::from_pairs(nodes, few.categories.num_items(), ones);
    return all;
  };
  std::vector<Interaction> pairs;
  for (NodeId user = 0; user < 14; ++user) {
    for (const NodeId item : g.interactions.row(user)) pairs.push_back({user, item});
  }
  const Graph wider = g.f.backend->make_graph(Interactions::from_pairs(16, 14, pairs));
  const EncodedFeatures more_users = more(*g.features.users, 16);
  const EncodedFeatures more_items = more(*g.features.items, 14);
  const Triplets none;
  const auto model = make_model(*g.f.backend, wider, none, g.options, {&more_users, &more_items});
  load_parameters(*g.f.backend, *model, snapshot(*g.f.backend, *g.f.model));
  model->embed();
  for (const Side side : {Side::kUser, Side::kItem}) {
    const Values& before = side == Side::kUser ? users : items;
    const Values after = values_of(*g.f.backend, model->embeddings(side));
    ASSERT_EQ(after.size(), before.size() + 5 * (side == Side::kUser ? 2 : 3));
    // New nodes differ by their features.
    const Values last(after.end() - 5, after.end());
    EXPECT_NE(last, Values(after.end() - 10, after.end() - 5));
    // Equal except for rounding: with more rows, a matrix product may sum a row in another order.
    for (std::size_t i = 0; i < before.size(); ++i) {
      ASSERT_NEAR(after[i], before[i], 1e-6 * (1 + std::abs(before[i])));
    }
  }
}

TEST_P(GcMcOnDevice, AnIsolatedNodeIsPlacedByItsOwnFeaturesAlone) {
  // The last two nodes of a side have no interactions: with equal features, equal embeddings.
  GcMcFixture g(backend(), kFeatures);
  EncodedFeatures users = *g.features.users;
  std::copy_n(users.numbers.end() - 6, 3, users.numbers.end() - 3);
  std::vector<Interaction> ones;
  for (NodeId node = 0; node < 14; ++node) {
    for (const NodeId category : users.categories.row(std::min<NodeId>(node, 12))) {
      ones.push_back({node, category});
    }
  }
  users.categories = Interactions::from_pairs(14, 6, ones);
  const Triplets none;
  const auto model =
      make_model(*g.f.backend, g.f.graph, none, g.options, {&users, g.features.view().items});
  load_parameters(*g.f.backend, *model, snapshot(*g.f.backend, *g.f.model));
  model->embed();
  const Values rows = values_of(*g.f.backend, model->embeddings(Side::kUser));
  const Values a(rows.end() - 10, rows.end() - 5);
  const Values b(rows.end() - 5, rows.end());
  for (std::size_t c = 0; c < 5; ++c) EXPECT_NEAR(a[c], b[c], 1e-6 * (1 + std::abs(b[c])));
  EXPECT_NE(a, Values(rows.end() - 15, rows.end() - 10));
}

TEST_P(GcMcOnDevice, CheckpointsHoldTheRunningStatistics) {
  GcMcFixture g(backend(), without_dropout(kDropping));
  ModelFixture& f = g.f;
  f.model->embed();
  const Values before = all_embeddings(f);
  for (int i = 0; i < 3; ++i) step(f);  // changes only running statistics
  f.model->embed();
  const Values trained = all_embeddings(f);
  ASSERT_NE(trained, before);
  const TensorFile file = snapshot(*f.backend, *f.model);
  EXPECT_EQ(file.tensors.size(), g.state().size());
  EXPECT_TRUE(file.tensors.contains("item_layer2_norm_running_variance"));
  f.model->initialize(Seed{8});
  f.model->embed();
  ASSERT_NE(all_embeddings(f), trained);
  load_parameters(*f.backend, *f.model, file);
  f.model->embed();
  EXPECT_EQ(all_embeddings(f), trained);

  TensorFile damaged = file;
  damaged.tensors.erase("user_layer1_norm_running_mean");
  EXPECT_THROW(load_parameters(*f.backend, *f.model, damaged), DataError);
}

TEST_P(GcMcOnDevice, StartsAnewFromItsSeed) {
  const GcMcCase c = kDropping;
  GcMcFixture g(backend(), c);
  ModelFixture& f = g.f;
  const auto run = [&](Seed seed) {
    f.model->initialize(seed);
    Values all;
    for (int i = 0; i < 2; ++i) {
      step(f);
      const Values now = all_embeddings(f);
      all.insert(all.end(), now.begin(), now.end());
    }
    f.model->embed();
    const Values last = all_embeddings(f);
    all.insert(all.end(), last.begin(), last.end());
    return all;
  };
  const Values first = run(Seed{7});
  EXPECT_EQ(run(Seed{7}), first);  // masks and running statistics included
  EXPECT_NE(run(Seed{8}), first);
}

TEST_P(GcMcOnDevice, DropsInTrainingAlone) {
  GcMcFixture dropping(backend(), kDropping);
  GcMcFixture plain(backend(), without_dropout(kDropping));
  load_parameters(*plain.f.backend, *plain.f.model,
                  snapshot(*dropping.f.backend, *dropping.f.model));
  dropping.f.model->embed();
  plain.f.model->embed();
  EXPECT_EQ(all_embeddings(dropping.f), all_embeddings(plain.f));
  dropping.f.model->forward();
  plain.f.model->forward();
  EXPECT_NE(all_embeddings(dropping.f), all_embeddings(plain.f));
}

INSTANTIATE_TEST_SUITE_P(, GcMcOnDevice, ::testing::Values("reference", "cpu"),
                         [](const auto& param) { return std::string(param.param); });

TEST(GcMcDropoutOfAStep, IsTheSameInBothPassesAndAnotherInTheNextStep) {
  GcMcFixture g(make_reference_backend(), kDropping);
  ModelFixture& f = g.f;
  // Without backward() it stays the same step.
  const auto loss = [&] {
    f.model->forward();
    f.backend->bpr(f.triplets, f.model->embeddings(Side::kUser), f.model->embeddings(Side::kItem),
                   f.model->embedding_gradient(Side::kUser),
                   f.model->embedding_gradient(Side::kItem), f.losses);
    return values_of(*f.backend, f.losses)[0];
  };
  std::mt19937 random(11);
  std::normal_distribution<double> normal;
  std::vector<double> losses;
  for (int steps = 0; steps < 4; ++steps) {
    losses.push_back(loss());
    EXPECT_EQ(loss(), losses.back());
    std::vector<Values> directions;
    std::vector<double> slopes;
    for (const Parameter& parameter : f.model->parameters()) {
      const Values at = values_of(*f.backend, *parameter.value);
      Values direction(at.size());
      for (double& x : direction) x = normal(random);
      const auto shifted = [&](double by) {
        Values moved = at;
        for (std::size_t i = 0; i < at.size(); ++i) moved[i] += by * direction[i];
        assign(*f.backend, *parameter.value, moved);
        return loss();
      };
      constexpr double kStep = 1e-6;
      slopes.push_back((shifted(kStep) - shifted(-kStep)) / (2 * kStep));
      assign(*f.backend, *parameter.value, at);
      directions.push_back(std::move(direction));
    }
    step(f);
    double largest = 0.0;
    for (std::size_t p = 0; p < directions.size(); ++p) {
      const Parameter& parameter = f.model->parameters()[p];
      const Values gradient = values_of(*f.backend, *parameter.gradient);
      double expected = 0.0;
      for (std::size_t i = 0; i < gradient.size(); ++i) expected += directions[p][i] * gradient[i];
      EXPECT_NEAR(slopes[p], expected, 1e-7 * (1 + std::abs(expected)))
          << "step " << steps << ", " << parameter.name;
      largest = std::max(largest, std::abs(expected));
    }
    EXPECT_GT(largest, 1e-2);
  }
  for (std::size_t i = 0; i < losses.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(losses[i], losses[j]);
  }
}

/// The message of the error that creating a model of this case throws.
template <typename Exception>
std::string refusal(const GcMcCase& c, const ModelOptions& options, NodeId more_nodes = 0) {
  const auto backend = make_reference_backend();
  const Graph graph = backend->make_graph(with_isolated_nodes(c.users, c.items, c.edges, 3));
  const Triplets triplets = backend->make_triplets(graph, {}, 6);
  const SideFeatures features(c, c.users, c.items + more_nodes);
  try {
    make_model(*backend, graph, triplets, options, features.view());
  } catch (const Exception& error) {
    return error.what();
  }
  return "nothing is wrong";
}

TEST(GcMcRefusal, OfFeaturesThatAreNotThere) {
  GcMcCase c = kFeatures;
  EXPECT_EQ(refusal<ConfigError>(c, options_of(c)), "nothing is wrong");
  c.of_items = {};
  EXPECT_THAT(refusal<ConfigError>(c, options_of(c)), HasSubstr("has none of items"));
  c.inputs = InputKind::kBoth;
  EXPECT_THAT(refusal<ConfigError>(c, options_of(c)), HasSubstr("has none of items"));
  c.of_users = {};
  EXPECT_THAT(refusal<ConfigError>(c, options_of(c)), HasSubstr("has none of users"));
  for (const InputKind kind : {InputKind::kAuto, InputKind::kIds}) {
    c.inputs = kind;
    EXPECT_EQ(refusal<ConfigError>(c, options_of(c)), "nothing is wrong");
  }
}

TEST(GcMcRefusal, OfFeaturesOfOtherNodes) {
  EXPECT_THAT(refusal<ShapeError>(kFeatures, options_of(kFeatures), 1),
              HasSubstr("features: found 12 items, expected 11"));
  // Features that no model reads are not checked.
  GcMcCase c = kFeatures;
  c.inputs = InputKind::kIds;
  EXPECT_EQ(refusal<ShapeError>(c, options_of(c), 1), "nothing is wrong");
}

TEST(GcMcRefusal, OfOptionsOutOfRange) {
  const auto refuses = [](auto change, const char* says) {
    ModelOptions options = options_of(kFeatures);
    change(options);
    EXPECT_THAT(refusal<ConfigError>(kFeatures, options), HasSubstr(says));
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const double share : {1.0, 1.5, -0.1, nan}) {
    refuses([&](ModelOptions& o) { o.dropout = share; }, "model.dropout: found");
    refuses([&](ModelOptions& o) { o.message_dropout = share; }, "model.message_dropout: found");
  }
  refuses([](ModelOptions& o) { o.hidden = {4, 0}; }, "model.hidden: found the integer 0");
  refuses([](ModelOptions& o) { o.hidden = {-1}; }, "model.hidden: found the integer -1");
  refuses([](ModelOptions& o) { o.width = 0; }, "width");
  refuses([&](ModelOptions& o) { o.init_std = nan; }, "init_std");
}

}  // namespace
}  // namespace tern::test
