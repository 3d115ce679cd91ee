// The law of the initial embeddings, by model.init, in every model that learns embeddings of ids.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "host/model/embedding_tables.hpp"
#include "tern/device.hpp"
#include "tern/model.hpp"
#include "tests/support/matrices.hpp"

namespace tern::test {
namespace {

constexpr NodeId kUsers = 40;
constexpr NodeId kItems = 9;
constexpr int kWidth = 6;

ModelOptions options_with(ModelKind kind, EmbeddingInit init) {
  ModelOptions options;
  options.kind = kind;
  options.width = kWidth;
  options.init = init;
  return options;
}

/// The embeddings of both sides that a model of these options starts with, by Side.
std::array<std::vector<double>, 2> start_of(Backend& backend, const ModelOptions& options,
                                            Seed seed) {
  const Graph graph =
      backend.make_graph(Interactions::from_pairs(kUsers, kItems, {{{0, 0}, {1, 0}, {1, 2}}}));
  const Triplets no_triplets;
  const std::unique_ptr<Model> model = make_model(backend, graph, no_triplets, options);
  model->initialize(seed);
  std::array<std::vector<double>, 2> start;
  for (const Parameter& parameter : model->parameters()) {
    if (parameter.name == "user_embedding") start[0] = values_of(backend, *parameter.value);
    if (parameter.name == "item_embedding") start[1] = values_of(backend, *parameter.value);
  }
  return start;
}

class EmbeddingStart : public testing::TestWithParam<ModelKind> {};

TEST_P(EmbeddingStart, OfXavierIsUniformWithTheBoundOfEachTable) {
  const auto backend = make_reference_backend();
  const ModelOptions options = options_with(GetParam(), EmbeddingInit::kXavier);
  const auto start = start_of(*backend, options, Seed{5});
  for (const Side side : kSides) {
    const NodeId nodes = side == Side::kUser ? kUsers : kItems;
    Matrix expected = backend->allocate(nodes, kWidth);
    const double bound = std::sqrt(6.0 / (nodes + kWidth));
    initialize_uniform(*backend, expected, bound, Seed{5}, side == Side::kUser ? 0 : 1);
    const std::vector<double>& found = start[static_cast<std::size_t>(side)];
    EXPECT_EQ(found, values_of(*backend, expected)) << to_string(side);
    // Of 54 draws or more, the largest is near the bound.
    const auto [low, high] = std::ranges::minmax(found);
    EXPECT_THAT(std::max(high, -low),
                testing::AllOf(testing::Le(1.000001 * bound), testing::Ge(0.85 * bound)));
  }
}

TEST_P(EmbeddingStart, OfXavierDoesNotDependOnTheDeviation) {
  const auto backend = make_cpu_backend(1);
  ModelOptions options = options_with(GetParam(), EmbeddingInit::kXavier);
  const auto start = start_of(*backend, options, Seed{5});
  options.init_std = 7.0;
  EXPECT_EQ(start_of(*backend, options, Seed{5}), start);
  EXPECT_NE(start_of(*backend, options, Seed{6}), start);
}

TEST_P(EmbeddingStart, IsNormalByDefault) {
  const auto backend = make_reference_backend();
  const ModelOptions options = options_with(GetParam(), ModelOptions{}.init);
  const auto start = start_of(*backend, options, Seed{5});
  for (const Side side : kSides) {
    Matrix expected = backend->allocate(side == Side::kUser ? kUsers : kItems, kWidth);
    initialize_normal(*backend, expected, 0.1, Seed{5}, side == Side::kUser ? 0 : 1);
    EXPECT_EQ(start[static_cast<std::size_t>(side)], values_of(*backend, expected));
  }
}

INSTANTIATE_TEST_SUITE_P(Models, EmbeddingStart,
                         testing::Values(ModelKind::kLightGcn, ModelKind::kMatrixFactorization,
                                         ModelKind::kGcMc),
                         [](const auto& info) { return std::string(model_name(info.param)); });

}  // namespace
}  // namespace tern::test
