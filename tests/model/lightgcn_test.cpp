#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <tuple>

#include "tern/device.hpp"
#include "tern/error.hpp"
#include "tests/model/model_fixture.hpp"

namespace tern::test {
namespace {

constexpr auto kKind = ModelKind::kLightGcn;

/// A plain dense matrix, row-major.
struct Dense {
  std::size_t rows;
  std::size_t cols;
  std::vector<double> values;
  double& at(std::size_t r, std::size_t c) { return values[r * cols + c]; }
  double at(std::size_t r, std::size_t c) const { return values[r * cols + c]; }
};

/// Â of users followed by items, from its definition.
Dense normalised_adjacency(const Interactions& interactions) {
  const auto users = static_cast<std::size_t>(interactions.num_users());
  const auto nodes = users + static_cast<std::size_t>(interactions.num_items());
  Dense adjacency{nodes, nodes, std::vector<double>(nodes * nodes)};
  for (NodeId user = 0; user < interactions.num_users(); ++user) {
    for (const NodeId item : interactions.row(user)) {
      const auto u = static_cast<std::size_t>(user);
      const auto i = users + static_cast<std::size_t>(item);
      adjacency.at(u, i) = adjacency.at(i, u) = 1.0;
    }
  }
  std::vector<double> degree(nodes);
  for (std::size_t r = 0; r < nodes; ++r) {
    for (std::size_t c = 0; c < nodes; ++c) degree[r] += adjacency.at(r, c);
  }
  for (std::size_t r = 0; r < nodes; ++r) {
    for (std::size_t c = 0; c < nodes; ++c) {
      if (adjacency.at(r, c) != 0.0) adjacency.at(r, c) /= std::sqrt(degree[r] * degree[c]);
    }
  }
  return adjacency;
}

Dense product(const Dense& a, const Dense& b) {
  Dense result{a.rows, b.cols, std::vector<double>(a.rows * b.cols)};
  for (std::size_t r = 0; r < a.rows; ++r) {
    for (std::size_t k = 0; k < a.cols; ++k) {
      for (std::size_t c = 0; c < b.cols; ++c) result.at(r, c) += a.at(r, k) * b.at(k, c);
    }
  }
  return result;
}

/// The plain mean of the L + 1 layers: users, then items.
std::vector<double> mean_of_layers(const Interactions& interactions, int layers, Dense embeddings) {
  const Dense adjacency = normalised_adjacency(interactions);
  std::vector<double> sum = embeddings.values;
  for (int layer = 0; layer < layers; ++layer) {
    embeddings = product(adjacency, embeddings);
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += embeddings.values[i];
  }
  for (double& value : sum) value /= layers + 1;
  return sum;
}

std::vector<double> joined(std::vector<double> users, const std::vector<double>& items) {
  users.insert(users.end(), items.begin(), items.end());
  return users;
}

class LightGcnByHand : public ::testing::Test {
 protected:
  // u0 - i0, u0 - i1, u1 - i1; u2 and i2 alone. Â(u0,i0) = 1/√2, Â(u0,i1) = 1/2, Â(u1,i1) = 1/√2.
  std::vector<double> final_embeddings(int layers) {
    const std::vector<Interaction> pairs{{0, 0}, {0, 1}, {1, 1}};
    const Interactions interactions = Interactions::from_pairs(3, 3, pairs);
    ModelFixture f(make_reference_backend(), interactions, model_options(kKind, 1, layers), 2);
    assign(*f.backend, *f.model->parameters()[0].value, {1.0, 2.0, 3.0});
    assign(*f.backend, *f.model->parameters()[1].value, {4.0, 6.0, 5.0});
    f.model->embed();
    return joined(f.embeddings(Side::kUser), f.embeddings(Side::kItem));
  }

  void expect_near(const std::vector<double>& actual, const std::vector<double>& expected) {
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t i = 0; i < actual.size(); ++i) EXPECT_NEAR(actual[i], expected[i], 1e-14) << i;
  }

  const double root2 = std::sqrt(2.0);
};

TEST_F(LightGcnByHand, NoLayerIsTheParameters) {
  expect_near(final_embeddings(0), {1.0, 2.0, 3.0, 4.0, 6.0, 5.0});
}

TEST_F(LightGcnByHand, OneLayer) {
  expect_near(final_embeddings(1),
              {2.0 + root2, 1.0 + 1.5 * root2, 1.5, 2.0 + root2 / 4.0, 3.25 + root2 / 2.0, 2.5});
}

TEST_F(LightGcnByHand, TwoLayers) {
  expect_near(final_embeddings(2),
              {(4.75 + 2.5 * root2) / 3.0, (3.0 + 3.25 * root2) / 3.0, 1.0,
               (6.0 + 2.0 * root2) / 3.0, (11.0 + 2.0 * root2) / 3.0, 5.0 / 3.0});
}

/// Numbers of layers, each on every backend.
class LightGcnLayers : public ::testing::TestWithParam<std::tuple<int, std::string>> {
 protected:
  const int layers = std::get<0>(GetParam());
  const std::string device = std::get<1>(GetParam());
  const Interactions interactions = with_isolated_nodes(14, 11, 40, 3);
  ModelFixture f{make_backend(device, 2), interactions, model_options(kKind, 5, layers), 6};
};

TEST_P(LightGcnLayers, FinalIsThePlainMeanOfLayers) {
  const std::vector<double> start = joined(values_of(*f.backend, f.model->penalized(Side::kUser)),
                                           values_of(*f.backend, f.model->penalized(Side::kItem)));
  const std::vector<double> expected = mean_of_layers(interactions, layers, {25, 5, start});
  f.model->embed();
  const std::vector<double> actual = joined(f.embeddings(Side::kUser), f.embeddings(Side::kItem));
  const double tolerance = device == "reference" ? 1e-15 : 5e-7;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(actual[i], expected[i], tolerance) << i;
  }
}

TEST_P(LightGcnLayers, ForwardAtTheBatchEqualsEmbedBitForBit) {
  f.model->embed();
  const std::vector<double> users = f.embeddings(Side::kUser);
  const std::vector<double> items = f.embeddings(Side::kItem);
  // Other parameters in between, so that results of embed() cannot pass for those of forward().
  f.model->initialize(Seed{8});
  f.model->embed();
  EXPECT_NE(f.embeddings(Side::kUser), users);
  f.model->initialize(Seed{7});
  for (std::int64_t b = 0; b < f.triplets.num_batches(); ++b, f.backend->next_batch(f.triplets)) {
    f.model->forward();
    const std::vector<double> batch_users = f.embeddings(Side::kUser);
    const std::vector<double> batch_items = f.embeddings(Side::kItem);
    for (const Triplet& triplet : f.batch(b)) {
      for (std::size_t c = 0; c < 5; ++c) {
        EXPECT_EQ(batch_users[triplet.user * 5 + c], users[triplet.user * 5 + c]);
        EXPECT_EQ(batch_items[triplet.positive * 5 + c], items[triplet.positive * 5 + c]);
        EXPECT_EQ(batch_items[triplet.negative * 5 + c], items[triplet.negative * 5 + c]);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, LightGcnLayers,
                         ::testing::Combine(::testing::Range(0, 5),
                                            ::testing::Values("reference", "cpu")),
                         [](const auto& param) {
                           return "L" + std::to_string(std::get<0>(param.param)) + "_" +
                                  std::get<1>(param.param);
                         });

TEST(LightGcn, LastLayerIsComputedAtTheBatchOnly) {
  const Interactions interactions = with_isolated_nodes(14, 11, 40, 3);
  ModelFixture f(make_reference_backend(), interactions, model_options(kKind, 4, 1), 1);
  f.model->embed();
  const std::vector<double> before = f.embeddings(Side::kUser);
  f.model->initialize(Seed{8});
  f.model->forward();
  const std::vector<double> after = f.embeddings(Side::kUser);
  const NodeId in_batch = f.batch(0).front().user;
  for (NodeId user = 0; user < 14; ++user) {
    EXPECT_EQ(after[user * 4] == before[user * 4], user != in_batch) << user;
  }
}

TEST(LightGcn, EmbedsWithoutTriplets) {
  const Interactions interactions = with_isolated_nodes(14, 11, 40, 3);
  ModelFixture f(make_reference_backend(), interactions, model_options(kKind, 4, 3), 6);
  f.model->embed();
  const Triplets none;
  const auto model = make_model(*f.backend, f.graph, none, model_options(kKind, 4, 3));
  model->initialize(Seed{7});
  model->embed();
  EXPECT_EQ(values_of(*f.backend, model->embeddings(Side::kItem)), f.embeddings(Side::kItem));
}

TEST(LightGcn, RefusesOptionsOutOfRange) {
  const std::vector<Interaction> pairs{{0, 0}, {1, 1}};
  const auto backend = make_reference_backend();
  const Graph graph = backend->make_graph(Interactions::from_pairs(2, 2, pairs));
  const Triplets triplets = backend->make_triplets(graph, {}, 1);
  EXPECT_THROW(make_model(*backend, graph, triplets, model_options(kKind, 0, 3)), ConfigError);
  EXPECT_THROW(make_model(*backend, graph, triplets, model_options(kKind, 4, -1)), ConfigError);
  ModelOptions options;
  options.init_std = std::nan("");
  EXPECT_THROW(make_model(*backend, graph, triplets, options), ConfigError);
}

}  // namespace
}  // namespace tern::test
