#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <tuple>
#include <utility>

#include "tern/device.hpp"
#include "tern/error.hpp"
#include "tern/random.hpp"
#include "tests/model/model_fixture.hpp"

namespace tern::test {
namespace {

constexpr NodeId kXUsers = 14;
constexpr NodeId kXItems = 11;
constexpr int kXWidth = 5;
constexpr double kXMagnitude = 0.2;

ModelOptions xsimgcl_options(int layers, int view) {
  ModelOptions options = model_options(ModelKind::kLightGcn, kXWidth, layers);
  options.init_std = 0.5;
  options.contrast = {.kind = ContrastKind::kXSimGcl, .magnitude = kXMagnitude, .layer = view};
  return options;
}

/// The rows of users, then those of items.
using XLayer = std::vector<Values>;

/// Â E, from its definition: row n is the sum over its neighbours m of E_m / √(d_n d_m).
XLayer xsimgcl_spread(const Interactions& interactions, const XLayer& from) {
  std::vector<double> degrees(from.size());
  const auto for_edges = [&](const auto& visit) {
    for (NodeId user = 0; user < interactions.num_users(); ++user) {
      for (const NodeId item : interactions.row(user)) visit(user, interactions.num_users() + item);
    }
  };
  for_edges([&](NodeId user, NodeId item) {
    ++degrees[user];
    ++degrees[item];
  });
  XLayer to(from.size(), Values(kXWidth));
  for_edges([&](NodeId user, NodeId item) {
    const double weight = 1.0 / std::sqrt(degrees[user] * degrees[item]);
    for (int c = 0; c < kXWidth; ++c) {
      to[user][c] += weight * from[item][c];
      to[item][c] += weight * from[user][c];
    }
  });
  return to;
}

/// Adds ε sign(e) ⊙ r / ‖r‖ to every row; layers count from 1.
void xsimgcl_add_noise(XLayer& rows, int layer, Seed seed, std::uint32_t step) {
  for (std::size_t node = 0; node < rows.size(); ++node) {
    const bool is_user = node < kXUsers;
    const std::uint64_t row = is_user ? node : node - kXUsers;
    const std::uint64_t place = 2 * (layer - 1) + (is_user ? 0 : 1);
    Values r(kXWidth);
    double square = 0;
    for (std::uint64_t c = 0; c < kXWidth; ++c) {
      const std::uint64_t i = row * kXWidth + c;
      RandomStream stream(seed, Purpose::kPerturb, step, (place << 48) + i / 4);
      for (std::uint64_t skipped = 0; skipped < i % 4; ++skipped) stream.next();
      r[c] = stream.uniform();
      square += r[c] * r[c];
    }
    for (int c = 0; c < kXWidth; ++c) {
      double& e = rows[node][c];
      if (e != 0) e += (e > 0 ? kXMagnitude : -kXMagnitude) * r[c] / std::sqrt(square);
    }
  }
}

struct XViews {
  XLayer final;
  XLayer view;
};

/// The plain mean of layers 1 to L, and the view, with the noise of this step or without.
XViews xsimgcl_views(const Interactions& interactions, const ModelOptions& options, XLayer rows,
                     const std::uint32_t* step) {
  XViews found{XLayer(rows.size(), Values(kXWidth)), {}};
  for (int layer = 1; layer <= options.layers; ++layer) {
    rows = xsimgcl_spread(interactions, rows);
    if (step != nullptr) xsimgcl_add_noise(rows, layer, Seed{7}, *step);
    if (layer == options.contrast.layer) found.view = rows;
    for (std::size_t n = 0; n < rows.size(); ++n) {
      for (int c = 0; c < kXWidth; ++c) found.final[n][c] += rows[n][c] / options.layers;
    }
  }
  return found;
}

/// Numbers of layers and the view, on every backend.
class XSimGclLayers : public testing::TestWithParam<std::tuple<std::pair<int, int>, std::string>> {
 protected:
  const std::string device = std::get<1>(GetParam());
  const double tolerance = device == "reference" ? 1e-14 : 2e-6;
  const Interactions interactions = with_isolated_nodes(kXUsers, kXItems, 40, 3);
  const ModelOptions options =
      xsimgcl_options(std::get<0>(GetParam()).first, std::get<0>(GetParam()).second);
  ModelFixture f{make_backend(device, 2), interactions, options, 6};

  XLayer start() {
    XLayer rows;
    for (const Side side : {Side::kUser, Side::kItem}) {
      const Values values = values_of(*f.backend, f.model->penalized(side));
      for (std::size_t i = 0; i < values.size(); i += kXWidth) {
        rows.emplace_back(values.begin() + i, values.begin() + i + kXWidth);
      }
    }
    return rows;
  }

  void expect_row(const Values& actual, NodeId row, const Values& expected) {
    for (int c = 0; c < kXWidth; ++c)
      EXPECT_NEAR(actual[row * kXWidth + c], expected[c], tolerance);
  }
};

TEST_P(XSimGclLayers, FinalIsThePlainMeanOfLayersWithoutTheFirst) {
  const XViews expected = xsimgcl_views(interactions, options, start(), nullptr);
  f.model->embed();
  for (NodeId n = 0; n < kXUsers; ++n) expect_row(f.embeddings(Side::kUser), n, expected.final[n]);
  for (NodeId n = 0; n < kXItems; ++n) {
    expect_row(f.embeddings(Side::kItem), n, expected.final[kXUsers + n]);
  }
}

TEST_P(XSimGclLayers, TrainingPerturbsEachLayerAnewInEveryStep) {
  const XLayer rows = start();
  const Contrast* contrast = f.model->contrast();
  ASSERT_NE(contrast, nullptr);
  for (std::uint32_t step = 0; step < 3; ++step, f.backend->next_batch(f.triplets)) {
    f.model->embed();  // must leave nothing behind
    f.model->forward();
    const XViews expected = xsimgcl_views(interactions, options, rows, &step);
    const Values users = f.embeddings(Side::kUser);
    const Values items = f.embeddings(Side::kItem);
    const Values user_views = values_of(*f.backend, *contrast->views[0]);
    const Values item_views = values_of(*f.backend, *contrast->views[1]);
    for (const auto& [user, positive, negative] : f.batch(step)) {
      expect_row(users, user, expected.final[user]);
      expect_row(items, positive, expected.final[kXUsers + positive]);
      expect_row(items, negative, expected.final[kXUsers + negative]);
      expect_row(user_views, user, expected.view[user]);
      expect_row(item_views, positive, expected.view[kXUsers + positive]);
    }
    for (Matrix* gradient : contrast->gradients) {
      EXPECT_EQ(values_of(*f.backend, *gradient), Values(gradient->size(), 0.0));
    }
    f.model->backward();
  }
  ASSERT_EQ(f.model->counters().size(), 1u);
  EXPECT_EQ(f.model->counters()[0].name, "noise_steps");
  EXPECT_EQ(f.backend->get(*f.model->counters()[0].value), 3);
  f.model->initialize(Seed{7});
  EXPECT_EQ(f.backend->get(*f.model->counters()[0].value), 0);
}

INSTANTIATE_TEST_SUITE_P(, XSimGclLayers,
                         testing::Combine(testing::Values(std::pair{1, 1}, std::pair{2, 1},
                                                          std::pair{2, 2}, std::pair{3, 1},
                                                          std::pair{3, 2}, std::pair{4, 1},
                                                          std::pair{5, 2}, std::pair{5, 5}),
                                          testing::Values("reference", "cpu")),
                         [](const auto& param) {
                           const auto depths = std::get<0>(param.param);
                           return "L" + std::to_string(depths.first) + "_" +
                                  std::to_string(depths.second) + "_" + std::get<1>(param.param);
                         });

TEST(XSimGcl, LastLayerIsComputedAtTheBatchOnly) {
  const Interactions interactions = with_isolated_nodes(kXUsers, kXItems, 40, 3);
  ModelFixture f(make_reference_backend(), interactions, xsimgcl_options(2, 1), 1);
  f.model->embed();
  const Values before = f.embeddings(Side::kUser);
  f.model->initialize(Seed{8});
  f.model->forward();
  const Values after = f.embeddings(Side::kUser);
  const NodeId in_batch = f.batch(0).front().user;
  for (NodeId user = 0; user < kXUsers; ++user) {
    EXPECT_EQ(after[user * kXWidth] == before[user * kXWidth], user != in_batch) << user;
  }
}

TEST(XSimGcl, EmbedsWithoutTriplets) {
  const Interactions interactions = with_isolated_nodes(kXUsers, kXItems, 40, 3);
  ModelFixture f(make_reference_backend(), interactions, xsimgcl_options(3, 1), 6);
  f.model->embed();
  const Triplets none;
  const auto model = make_model(*f.backend, f.graph, none, xsimgcl_options(3, 1));
  model->initialize(Seed{7});
  model->embed();
  EXPECT_EQ(values_of(*f.backend, model->embeddings(Side::kItem)), f.embeddings(Side::kItem));
  EXPECT_EQ(model->contrast(), nullptr);
}

TEST(XSimGcl, RefusesModelsWithoutItsLayers) {
  const std::vector<Interaction> pairs{{0, 0}, {1, 1}};
  const auto backend = make_reference_backend();
  const Graph graph = backend->make_graph(Interactions::from_pairs(2, 2, pairs));
  const Triplets triplets = backend->make_triplets(graph, {}, 1);
  const auto message = [&](const ModelOptions& options) {
    Config config;
    config.model = options;
    std::string found;
    try {
      make_model(*backend, graph, triplets, options);
    } catch (const ConfigError& error) {
      found = error.what();
    }
    EXPECT_THROW(validate(config), ConfigError);
    return found;
  };
  using testing::HasSubstr;
  EXPECT_THAT(
      message(xsimgcl_options(0, 1)),
      HasSubstr("needs model.kind = lightgcn with model.layers from 1, found model.layers = 0"));
  EXPECT_THAT(message(xsimgcl_options(2, 3)), HasSubstr("contrast.view_layer: found 3"));
  EXPECT_THAT(message(xsimgcl_options(2, 0)), HasSubstr("contrast.view_layer: found"));
  for (const ModelKind kind : {ModelKind::kMatrixFactorization, ModelKind::kGcMc}) {
    ModelOptions options = xsimgcl_options(2, 1);
    options.kind = kind;
    EXPECT_THAT(message(options), HasSubstr("needs model.kind = lightgcn"));
  }
  ModelOptions options = xsimgcl_options(2, 1);
  options.contrast.magnitude = -1;
  EXPECT_THAT(message(options), HasSubstr("contrast.magnitude"));
}

}  // namespace
}  // namespace tern::test
