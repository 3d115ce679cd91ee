// Features of two clusters, given as an array and as a table.

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "tern/dataset.hpp"
#include "tern/feature_encoding.hpp"
#include "tern/model.hpp"
#include "tern/tensor_file.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/train/job.hpp"

namespace tern::test {
namespace {

constexpr NodeId kNodes = 40;  // of each side

/// Interactions within two clusters of numbered users and items, in random order.
std::string shuffled_interactions(std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<Interaction> pairs;
  for (NodeId user = 0; user < kNodes; ++user) {
    for (NodeId k = 0; k < 8; ++k) pairs.push_back({user, (user + 2 * k) % kNodes});
  }
  std::shuffle(pairs.begin(), pairs.end(), random);
  std::string text = "user,item\n";
  for (const auto& [user, item] : pairs) {
    text.append(std::to_string(user)).append(",").append(std::to_string(item)).append("\n");
  }
  return text;
}

/// The cluster of a node beside a number of its own.
float feature(NodeId node, int column) {
  return column == 0 ? static_cast<float>(node % 2) * 3.0F
                     : static_cast<float>(node * node % 31) / 4.0F;
}

/// Final embeddings of both sides after a short training of the encoder, with features as
/// write_features writes them.
template <typename Write>
std::vector<double> trained(std::uint32_t seed, const Write& write_features) {
  const TemporaryDirectory directory;
  directory.write("interactions.csv", shuffled_interactions(seed));
  write_features(directory);
  Config config = planted_config(ModelKind::kGcMc);
  config.model.inputs = InputKind::kFeatures;
  config.epochs = 2;
  Job job(load_dataset(directory.path()), config);
  job.run();
  const Graph graph = job.backend->make_graph(job.data.train);
  const Triplets none;
  const EncodedDataset features = encode_features(job.data);
  const auto model = make_model(*job.backend, graph, none, config.model, features.view());
  load_parameters(*job.backend, *model, job.trainer.last());
  model->embed();
  std::vector<double> embeddings;
  for (const Side side : {Side::kUser, Side::kItem}) {
    std::vector<double> rows(static_cast<std::size_t>(model->embeddings(side).size()));
    job.backend->download(model->embeddings(side), std::span<double>(rows));
    embeddings.insert(embeddings.end(), rows.begin(), rows.end());
  }
  return embeddings;
}

void write_arrays(const TemporaryDirectory& directory) {
  std::vector<double> values;
  for (NodeId node = 0; node < kNodes; ++node) {
    for (const int c : {0, 1}) values.push_back(feature(node, c));
  }
  for (const char* name : {"user_features.npy", "item_features.npy"}) {
    write_npy(directory / name, {{kNodes, 2}, values});
  }
}

void write_tables(const TemporaryDirectory& directory) {
  std::string text = "id,cluster,number\n";
  for (NodeId node = kNodes - 1; node >= 0; --node) {
    text.append(std::to_string(node)).append(",").append(std::to_string(feature(node, 0)));
    text.append(",").append(std::to_string(feature(node, 1))).append("\n");
  }
  directory.write("user_features.csv", text);
  directory.write("item_features.csv", text);
}

TEST(FeatureRows, AnArrayTrainsAsATableKeyedById) {
  for (const std::uint32_t seed : {1u, 2u, 3u}) {
    EXPECT_EQ(trained(seed, write_arrays), trained(seed, write_tables)) << seed;
  }
}

TEST(FeatureRows, TheComparisonNoticesRowsOfOtherNodes) {
  const auto write_scrambled = [](const TemporaryDirectory& directory) {
    write_arrays(directory);
    std::string ids;
    for (NodeId node = 0; node < kNodes; ++node) {
      ids.append(std::to_string((node + 1) % kNodes)).append("\n");
    }
    directory.write("item_ids.txt", ids);
  };
  EXPECT_NE(trained(1, write_arrays), trained(1, write_scrambled));
}

}  // namespace
}  // namespace tern::test
