#pragma once

#include <cmath>
#include <memory>
#include <optional>
#include <ostream>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tern/feature_encoding.hpp"
#include "tests/model/model_fixture.hpp"
#include "tests/support/gcmc_oracle.hpp"

namespace tern::test {

inline constexpr Seed kSeed{7};  // as ModelFixture initialises

/// The numbers of features of a side.
struct FeatureSizes {
  int numbers = 0;
  NodeId categories = 0;
};

struct GcMcCase {
  const char* name;
  NodeId users;
  NodeId items;
  int edges;
  FeatureSizes of_users = {};
  FeatureSizes of_items = {};
  InputKind inputs = InputKind::kAuto;
  std::vector<int> hidden = {};
  int width = 5;
  double dropout = 0.0;
  double message_dropout = 0.0;
};

/// Features of one side: normal numbers, and categories; a node has about a third of them.
inline EncodedFeatures random_features(NodeId nodes, int numbers, NodeId categories,
                                       std::uint32_t seed) {
  EncodedFeatures features;
  features.number_names.assign(static_cast<std::size_t>(numbers), "number");
  features.category_names.assign(static_cast<std::size_t>(categories), "category");
  const Values values = random_values(static_cast<std::int64_t>(nodes) * numbers, seed, 1.5);
  features.numbers.assign(values.begin(), values.end());
  std::mt19937 random(seed);
  std::vector<Interaction> ones;
  for (NodeId node = 0; node < nodes; ++node) {
    for (NodeId category = 0; category < categories; ++category) {
      if (random() % 3 == 0) ones.push_back({node, category});
    }
  }
  features.categories = Interactions::from_pairs(nodes, categories, ones);
  return features;
}

inline void PrintTo(const GcMcCase& c, std::ostream* out) {
  *out << c.name;
}

inline ModelOptions options_of(const GcMcCase& c) {
  ModelOptions options;
  options.kind = ModelKind::kGcMc;
  options.width = c.width;
  options.hidden = c.hidden;
  options.inputs = c.inputs;
  options.dropout = c.dropout;
  options.message_dropout = c.message_dropout;
  return options;
}

/// Features of both sides, if their sizes are not 0.
struct SideFeatures {
  std::optional<EncodedFeatures> users;
  std::optional<EncodedFeatures> items;

  SideFeatures(const GcMcCase& c, NodeId num_users, NodeId num_items) {
    const auto some = [](FeatureSizes of) { return of.numbers + of.categories > 0; };
    if (some(c.of_users)) {
      users = random_features(num_users, c.of_users.numbers, c.of_users.categories, 21);
    }
    if (some(c.of_items)) {
      items = random_features(num_items, c.of_items.numbers, c.of_items.categories, 22);
    }
  }
  NodeFeatures view() const {
    return {users.has_value() ? &*users : nullptr, items.has_value() ? &*items : nullptr};
  }
};

/// The model of a case with random parameters and running statistics, and the oracle beside it.
struct GcMcFixture {
  GcMcFixture(std::unique_ptr<Backend> backend, const GcMcCase& c)
      : interactions(with_isolated_nodes(c.users, c.items, c.edges, 3)),
        features(c, c.users, c.items),
        options(options_of(c)),
        f(std::move(backend), interactions, options, 6, features.view()),
        oracle(interactions, features.view(), options, kSeed) {
    std::uint64_t seed = 100;
    for (const auto& [name, matrix] : state()) {
      Values values = random_values(matrix->size(), ++seed, 0.8);
      // γ and variances: positive, away from 0.
      if (name.ends_with("_scale") || name.ends_with("_variance")) {
        for (double& value : values) value = static_cast<float>(std::abs(value) + 0.5);
      }
      assign(*f.backend, *matrix, values);
    }
  }

  /// Everything that the formula refers to, by name.
  std::vector<NamedBuffer> state() {
    std::vector<NamedBuffer> all = f.model->buffers();
    for (const Parameter& of : f.model->parameters()) all.push_back({of.name, of.value});
    return all;
  }
  Table table(const Matrix& matrix) {
    Table table(matrix.rows(), matrix.cols());
    table.values = values_of(*f.backend, matrix);
    return table;
  }
  Tables tables() {
    Tables tables;
    for (const auto& [name, matrix] : state()) tables[name] = table(*matrix);
    return tables;
  }

  Interactions interactions;
  SideFeatures features;
  ModelOptions options;
  ModelFixture f;
  GcMcOracle oracle;
};

}  // namespace tern::test
