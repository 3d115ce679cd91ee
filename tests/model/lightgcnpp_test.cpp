#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <tuple>

#include "host/model/lightgcnpp.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"
#include "tests/model/model_fixture.hpp"

namespace tern::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr int kPlusWidth = 5;

ModelOptions plus_options(int layers, int width = kPlusWidth, PropagationOptions propagation = {}) {
  ModelOptions options = model_options(ModelKind::kLightGcn, width, layers);
  options.init_std = 0.5;
  propagation.kind = PropagationKind::kLightGcnPlusPlus;
  options.propagation = propagation;
  return options;
}

/// Rows of users, then those of items.
using PlusRows = std::vector<Values>;

PlusRows rows_of_values(const Values& values, std::size_t width) {
  PlusRows rows;
  for (std::size_t i = 0; i < values.size(); i += width) {
    rows.emplace_back(values.begin() + i, values.begin() + i + width);
  }
  return rows;
}

PlusRows plus_units(PlusRows rows) {
  for (Values& row : rows) {
    double square = 0;
    for (const double value : row) square += value * value;
    for (double& value : row) value /= std::max(std::sqrt(square), 1e-12);
  }
  return rows;
}

/// Layers 0 to L with dense matrices, from their definition.
std::vector<PlusRows> plus_layers(const Interactions& interactions, const ModelOptions& options,
                                  const PlusRows& start) {
  const std::size_t nodes = start.size();
  const auto users = static_cast<std::size_t>(interactions.num_users());
  std::vector<Values> adjacency(nodes, Values(nodes));
  Values degrees(nodes);
  for (std::size_t u = 0; u < users; ++u) {
    for (const NodeId item : interactions.row(static_cast<NodeId>(u))) {
      adjacency[u][users + item] = adjacency[users + item][u] = 1;
      ++degrees[u];
      ++degrees[users + item];
    }
  }
  std::vector<PlusRows> layers{start};
  for (int layer = 1; layer <= options.layers; ++layer) {
    const PlusRows units = plus_units(layers.back());
    PlusRows next(nodes, Values(start[0].size()));
    for (std::size_t i = 0; i < nodes; ++i) {
      for (std::size_t j = 0; j < nodes; ++j) {
        if (adjacency[i][j] == 0) continue;
        const double weight = std::pow(degrees[i], -options.propagation.alpha) *
                              std::pow(degrees[j], -options.propagation.beta);
        for (std::size_t d = 0; d < next[i].size(); ++d) next[i][d] += weight * units[j][d];
      }
    }
    layers.push_back(std::move(next));
  }
  return layers;
}

PlusRows plus_finals(const std::vector<PlusRows>& layers, double gamma) {
  PlusRows finals = layers[0];
  const double mean = (1 - gamma) / static_cast<double>(layers.size() - 1);
  for (std::size_t i = 0; i < finals.size(); ++i) {
    for (std::size_t d = 0; d < finals[i].size(); ++d) {
      finals[i][d] *= gamma;
      for (std::size_t l = 1; l < layers.size(); ++l) finals[i][d] += mean * layers[l][i][d];
    }
  }
  return finals;
}

class LightGcnPlusPlusByHand : public testing::Test {
 protected:
  // u0 - i0, u0 - i1, u1 - i1; u2 and i2 alone. Degrees: u0 2, u1 1; i0 1, i1 2.
  // Unit rows: u0 (0.6, 0.8), u1 (0, 1); i0 (1, 0), i1 (0, -1).
  Values finals(int layers) {
    const std::vector<Interaction> pairs{{0, 0}, {0, 1}, {1, 1}};
    ModelFixture f(make_reference_backend(), Interactions::from_pairs(3, 3, pairs),
                   plus_options(layers, 2, {.alpha = 1, .beta = -1, .gamma = 0.25}), 2);
    assign(*f.backend, *f.model->parameters()[0].value, {3, 4, 0, 2, 1, 1});
    assign(*f.backend, *f.model->parameters()[1].value, {5, 0, 0, -1, 0, 7});
    f.model->embed();
    Values all = f.embeddings(Side::kUser);
    const Values items = f.embeddings(Side::kItem);
    all.insert(all.end(), items.begin(), items.end());
    return all;
  }

  static void expect_near(const Values& actual, const Values& expected) {
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t i = 0; i < actual.size(); ++i) EXPECT_NEAR(actual[i], expected[i], 1e-14) << i;
  }
};

TEST_F(LightGcnPlusPlusByHand, OneLayer) {
  // E¹: u0 1/2 (1 (1, 0) + 2 (0, -1)), u1 2 (0, -1); i0 2 (0.6, 0.8), i1 1/2 (2 (0.6, 0.8) + (0, 1)).
  expect_near(finals(1), {0.75 + 0.75 * 0.5, 1 - 0.75, 0, 0.5 - 1.5, 0.25, 0.25,  //
                          1.25 + 0.75 * 1.2, 0.75 * 1.6, 0.75 * 0.6, -0.25 + 0.75 * 1.3, 0, 1.75});
}

TEST_F(LightGcnPlusPlusByHand, TwoLayers) {
  // Unit rows of E¹: u0 (0.5, -1) / √1.25, u1 (0, -1); i0 (0.6, 0.8), i1 (0.6, 1.3) / √2.05.
  const double u = std::sqrt(1.25);
  const double i = std::sqrt(2.05);
  expect_near(finals(2),
              {0.75 + 0.375 * (0.5 + 0.3 + 0.6 / i), 1 + 0.375 * (-1 + 0.4 + 1.3 / i),  //
               0.375 * (1.2 / i), 0.5 + 0.375 * (-2 + 2.6 / i), 0.25, 0.25,             //
               1.25 + 0.375 * (1.2 + 1 / u), 0.375 * (1.6 - 2 / u),                     //
               0.375 * (0.6 + 0.5 / u), -0.25 + 0.375 * (1.3 - 1 / u - 0.5), 0, 1.75});
}

/// Numbers of layers, each on every backend.
class LightGcnPlusPlusLayers : public testing::TestWithParam<std::tuple<int, std::string>> {
 protected:
  const std::string device = std::get<1>(GetParam());
  const double tolerance = device == "reference" ? 1e-14 : 2e-6;
  const Interactions interactions = with_isolated_nodes(14, 11, 40, 3);
  const ModelOptions options = plus_options(std::get<0>(GetParam()));
  ModelFixture f{make_backend(device, 2), interactions, options, 6};

  PlusRows start() {
    PlusRows rows =
        rows_of_values(values_of(*f.backend, f.model->penalized(Side::kUser)), kPlusWidth);
    for (Values& row :
         rows_of_values(values_of(*f.backend, f.model->penalized(Side::kItem)), kPlusWidth)) {
      rows.push_back(std::move(row));
    }
    return rows;
  }
};

TEST_P(LightGcnPlusPlusLayers, EmbedsAsDenseMatricesDo) {
  const PlusRows expected = plus_finals(plus_layers(interactions, options, start()), 0.2);
  f.model->embed();
  const PlusRows users = rows_of_values(f.embeddings(Side::kUser), kPlusWidth);
  const PlusRows items = rows_of_values(f.embeddings(Side::kItem), kPlusWidth);
  for (std::size_t n = 0; n < expected.size(); ++n) {
    const Values& found = n < 14 ? users[n] : items[n - 14];
    for (int d = 0; d < kPlusWidth; ++d) EXPECT_NEAR(found[d], expected[n][d], tolerance) << n;
  }
}

TEST_P(LightGcnPlusPlusLayers, ForwardAtTheBatchEqualsEmbedBitForBit) {
  f.model->embed();
  const Values users = f.embeddings(Side::kUser);
  const Values items = f.embeddings(Side::kItem);
  // Other parameters in between, so that results of embed() cannot pass for those of forward().
  f.model->initialize(Seed{8});
  f.model->embed();
  EXPECT_NE(f.embeddings(Side::kUser), users);
  f.model->initialize(Seed{7});
  for (std::int64_t b = 0; b < f.triplets.num_batches(); ++b, f.backend->next_batch(f.triplets)) {
    f.model->forward();
    const Values batch_users = f.embeddings(Side::kUser);
    const Values batch_items = f.embeddings(Side::kItem);
    for (const auto& [user, positive, negative] : f.batch(b)) {
      for (int d = 0; d < kPlusWidth; ++d) {
        EXPECT_EQ(batch_users[user * kPlusWidth + d], users[user * kPlusWidth + d]);
        EXPECT_EQ(batch_items[positive * kPlusWidth + d], items[positive * kPlusWidth + d]);
        EXPECT_EQ(batch_items[negative * kPlusWidth + d], items[negative * kPlusWidth + d]);
      }
    }
    f.model->backward();  // must leave nothing behind
  }
}

TEST_P(LightGcnPlusPlusLayers, SumsTheUnitRowsOfAllLayersButTheLast) {
  std::vector<PlusRows> layers = plus_layers(interactions, options, start());
  layers.pop_back();
  const Triplets none;
  LightGcnPlusPlus model(*f.backend, f.graph, none, options);
  model.initialize(Seed{7});
  const PlusRows found = rows_of_values(model.sum_of_units(Side::kItem), kPlusWidth);
  for (NodeId item = 0; item < 11; ++item) {
    for (int d = 0; d < kPlusWidth; ++d) {
      double sum = 0;
      for (const PlusRows& layer : layers) sum += plus_units(layer)[14 + item][d];
      EXPECT_NEAR(found[item][d], sum, tolerance) << item;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, LightGcnPlusPlusLayers,
                         testing::Combine(testing::Range(1, 5),
                                          testing::Values("reference", "cpu")),
                         [](const auto& param) {
                           return "L" + std::to_string(std::get<0>(param.param)) + "_" +
                                  std::get<1>(param.param);
                         });

TEST(LightGcnPlusPlus, LastLayerIsComputedAtTheBatchOnly) {
  ModelFixture f(make_reference_backend(), with_isolated_nodes(14, 11, 40, 3), plus_options(2), 1);
  f.model->embed();
  const Values before = f.embeddings(Side::kUser);
  f.model->initialize(Seed{8});
  f.model->forward();
  const Values after = f.embeddings(Side::kUser);
  const NodeId in_batch = f.batch(0).front().user;
  for (NodeId user = 0; user < 14; ++user) {
    EXPECT_EQ(after[user * kPlusWidth] == before[user * kPlusWidth], user != in_batch) << user;
  }
}

TEST(LightGcnPlusPlus, EmbedsWithoutTriplets) {
  for (const int layers : {1, 2, 4}) {
    ModelFixture f(make_reference_backend(), with_isolated_nodes(14, 11, 40, 3),
                   plus_options(layers), 6);
    f.model->embed();
    const Triplets none;
    const auto model = make_model(*f.backend, f.graph, none, plus_options(layers));
    EXPECT_EQ(model->name(), "lightgcn++");
    model->initialize(Seed{7});
    model->embed();
    EXPECT_EQ(values_of(*f.backend, model->embeddings(Side::kItem)), f.embeddings(Side::kItem));
  }
}

TEST(LightGcnPlusPlus, RefusesWhatItCannotBe) {
  const std::vector<Interaction> pairs{{0, 0}, {1, 0}, {1, 1}};
  const auto backend = make_reference_backend();
  const Graph graph = backend->make_graph(Interactions::from_pairs(2, 2, pairs));
  const Triplets triplets = backend->make_triplets(graph, {}, 1);
  const auto message = [&](const ModelOptions& options) {
    Config config;
    config.model = options;
    EXPECT_THROW(validate(config), ConfigError);
    try {
      make_model(*backend, graph, triplets, options);
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(message(plus_options(0)),
              HasSubstr("propagation.kind = lightgcn++ needs model.kind = lightgcn with "
                        "model.layers from 1, found model.layers = 0"));
  for (const ModelKind kind : {ModelKind::kMatrixFactorization, ModelKind::kGcMc}) {
    ModelOptions options = plus_options(2);
    options.kind = kind;
    EXPECT_THAT(message(options), HasSubstr("needs model.kind = lightgcn"));
  }
  ModelOptions options = plus_options(2);
  options.contrast.kind = ContrastKind::kXSimGcl;
  EXPECT_THAT(message(options),
              AllOf(HasSubstr("propagation.kind = lightgcn++"), HasSubstr("contrast.kind")));
  EXPECT_THAT(message(plus_options(2, 4, {.gamma = 1})),
              HasSubstr("propagation.gamma: found the number 1.0"));
  EXPECT_THAT(message(plus_options(2, 4, {.alpha = std::nan("")})),
              HasSubstr("propagation.alpha: found"));
}

TEST(LightGcnPlusPlus, RefusesScalesThatF32CannotHold) {
  // A node with 10,000 interactions: 10,000^±10 is 10^±40.
  std::vector<Interaction> pairs;
  for (NodeId user = 0; user < 10'000; ++user) pairs.push_back({user, 0});
  const auto backend = make_reference_backend();
  const Graph graph = backend->make_graph(Interactions::from_pairs(10'000, 2, pairs));
  const Triplets triplets = backend->make_triplets(graph, {}, 1);
  const auto make = [&](const PropagationOptions& propagation) {
    make_model(*backend, graph, triplets, plus_options(1, 1, propagation));
  };
  make({.alpha = 9, .beta = -9});
  try {
    make({.alpha = -10});
    FAIL() << "not refused";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("propagation.alpha: found -10"),
                                    HasSubstr("1e+40 of a node with 10000 interactions")));
  }
  EXPECT_THROW(make({.beta = 10}), ConfigError);
}

}  // namespace
}  // namespace tern::test
