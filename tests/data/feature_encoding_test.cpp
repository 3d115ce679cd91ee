#include "tern/feature_encoding.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "host/data/fingerprint.hpp"
#include "tern/error.hpp"
#include "tern/model.hpp"
#include "tests/data/data_files.hpp"

namespace tern {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;
using ::testing::IsEmpty;

/// The categories of every node.
std::vector<std::vector<NodeId>> rows_of(const Interactions& categories) {
  std::vector<std::vector<NodeId>> rows;
  for (NodeId node = 0; node < categories.num_users(); ++node) {
    rows.emplace_back(categories.row(node).begin(), categories.row(node).end());
  }
  return rows;
}

/// `nodes` rows of `binary` columns. The first `ones` cells are 1, counted column by column.
Features binary_table(std::size_t nodes, std::size_t columns, std::size_t ones) {
  Features features;
  for (std::size_t c = 0; c < columns; ++c) features.names.push_back("c");
  features.values.assign(nodes * columns, 0.0F);
  for (std::size_t i = 0; i < ones; ++i) features.values[i % nodes * columns + i / nodes] = 1.0F;
  return features;
}

TEST(FeatureEncoding, TellsCategoriesFromNumbers) {
  Features features;
  features.names = {"size", "kind=a", "same", "kind=b", "two", "never"};
  features.values = {1, 1, 7, 0, 0, 0,  //
                     3, 0, 7, 1, 2, 0,  //
                     5, 0, 7, 0, 0, 0,  //
                     7, 0, 7, 0, 2, 0,  //
                     1, 0, 7, 0, 0, 0,  //
                     3, 0, 7, 0, 2, 0,  //
                     5, 0, 7, 0, 0, 0,  //
                     7, 0, 7, 0, 2, 0};
  const EncodedFeatures encoded = FeatureEncoding(features).encode(features);
  EXPECT_THAT(encoded.category_names, ElementsAre("kind=a", "kind=b", "never"));
  EXPECT_THAT(rows_of(encoded.categories),
              ElementsAre(ElementsAre(0), ElementsAre(1), IsEmpty(), IsEmpty(), IsEmpty(),
                          IsEmpty(), IsEmpty(), IsEmpty()));
  EXPECT_EQ(encoded.categories.num_items(), 3);
  EXPECT_EQ(encoded.num_nodes(), 8);
  // size: mean 4, variance (9 + 1 + 1 + 9) / 4 = 5; two: mean 1, deviation 1; same: 7 - 7.
  EXPECT_THAT(encoded.number_names, ElementsAre("size", "same", "two"));
  ASSERT_EQ(encoded.numbers.size(), 24u);
  const double root = std::sqrt(5.0);
  for (std::size_t node = 0; node < 8; ++node) {
    const double size = static_cast<double>(2 * (node % 4)) - 3.0;
    EXPECT_THAT(encoded.numbers[3 * node], FloatEq(static_cast<float>(size / root))) << node;
    EXPECT_EQ(encoded.numbers[3 * node + 1], 0.0F) << node;
    EXPECT_EQ(encoded.numbers[3 * node + 2], node % 2 == 1 ? 1.0F : -1.0F) << node;
  }
}

TEST(FeatureEncoding, FullCategoriesAreNumbersAsTheyAre) {
  // 16 nodes and 2 columns: 4 ones are one eighth.
  const EncodedFeatures sparse =
      FeatureEncoding(binary_table(16, 2, 4)).encode(binary_table(16, 2, 4));
  EXPECT_EQ(sparse.category_names.size(), 2u);
  EXPECT_THAT(sparse.number_names, IsEmpty());
  EXPECT_THAT(sparse.numbers, IsEmpty());
  EXPECT_EQ(sparse.categories.size(), 4);
  EXPECT_EQ(sparse.num_nodes(), 16);

  const Features full = binary_table(16, 2, 5);
  const EncodedFeatures dense = FeatureEncoding(full).encode(full);
  EXPECT_THAT(dense.category_names, IsEmpty());
  EXPECT_EQ(dense.number_names.size(), 2u);
  EXPECT_EQ(dense.numbers, full.values);
  EXPECT_EQ(dense.categories.num_items(), 0);
  EXPECT_EQ(dense.num_nodes(), 16);
}

TEST(FeatureEncoding, FullnessIsThatOfAllCategoriesAlone) {
  // A full column beside seven empty ones makes one eighth; numeric columns do not count.
  Features features = binary_table(8, 9, 8);
  for (std::size_t node = 0; node < 8; ++node) {
    features.values[node * 9 + 8] = static_cast<float>(node);
  }
  EXPECT_EQ(FeatureEncoding(features).encode(features).category_names.size(), 8u);
  features.values[1] = 1.0F;
  EXPECT_EQ(FeatureEncoding(features).encode(features).category_names.size(), 0u);
}

TEST(FeatureEncoding, NewNodesAreEncodedAsTheFirstOnesDecide) {
  Features features;
  features.names = {"number", "category"};
  features.values = {2, 0, 4, 0, 2, 0, 4, 0, 2, 0, 4, 0, 2, 0, 4, 1};
  const EncodedFeatures before = FeatureEncoding(features).encode(features);
  // The new nodes would move the mean, and change the kind of both columns.
  features.values.insert(features.values.end(), {100, 0.5F, -1, 3, 3, 0});
  const EncodedFeatures after = FeatureEncoding(features, 8).encode(features);
  EXPECT_EQ(after.number_names, before.number_names);
  EXPECT_EQ(after.category_names, before.category_names);
  EXPECT_TRUE(std::equal(before.numbers.begin(), before.numbers.end(), after.numbers.begin()));
  EXPECT_THAT(std::vector<float>(after.numbers.begin() + 8, after.numbers.end()),
              ElementsAre(97.0F, -4.0F, 0.0F));
  EXPECT_EQ(after.num_nodes(), 11);
  EXPECT_THAT(rows_of(after.categories),
              ElementsAre(IsEmpty(), IsEmpty(), IsEmpty(), IsEmpty(), IsEmpty(), IsEmpty(),
                          IsEmpty(), ElementsAre(0), ElementsAre(0), ElementsAre(0), IsEmpty()));

  Dataset data;
  data.item_features = features;
  data.new_items = 3;
  const EncodedDataset encoded = encode_features(data);
  EXPECT_FALSE(encoded.users.has_value());
  EXPECT_EQ(encoded.view().users, nullptr);
  EXPECT_EQ(encoded.view().of(Side::kItem)->numbers, after.numbers);
  EXPECT_EQ(encoded.view().items->categories, after.categories);
}

TEST(FeatureEncoding, RefusesOtherColumns) {
  Features features;
  features.names = {"a", "b"};
  features.values = {1, 2, 3, 4};
  const FeatureEncoding encoding(features);
  Features other = features;
  other.names = {"a", "c"};
  EXPECT_THROW(encoding.encode(other), ShapeError);
  other = {{"a"}, {1, 2}};
  EXPECT_THROW(encoding.encode(other), ShapeError);
}

TEST(FeatureEncoding, OfNoNodes) {
  Features features;
  features.names = {"a", "b"};
  const EncodedFeatures none = FeatureEncoding(features).encode(features);
  EXPECT_EQ(none.num_nodes(), 0);
  EXPECT_THAT(none.numbers, IsEmpty());
}

TEST(FeaturesFor, AreReadByModelsThatWantThem) {
  Dataset data;
  data.user_features = Features{{"a"}, {1, 2, 3}};
  ModelOptions options;
  for (const ModelKind kind : {ModelKind::kLightGcn, ModelKind::kMatrixFactorization}) {
    options.kind = kind;
    EXPECT_FALSE(features_for(data, options).users.has_value());
  }
  options.kind = ModelKind::kGcMc;
  for (const InputKind inputs : {InputKind::kAuto, InputKind::kFeatures, InputKind::kBoth}) {
    options.inputs = inputs;
    EXPECT_TRUE(features_for(data, options).users.has_value());
    EXPECT_FALSE(features_for(data, options).items.has_value());
  }
  options.inputs = InputKind::kIds;
  EXPECT_FALSE(features_for(data, options).users.has_value());
}

TEST(FeatureFingerprint, FollowsEveryValueNameAndSide) {
  const Features features{{"a", "b"}, {1, 2, 3, 4}};
  const auto of = [](const std::optional<Features>& users, const std::optional<Features>& items) {
    return feature_fingerprint(users, items);
  };
  EXPECT_EQ(of({}, {}), 0u);
  std::vector<std::uint64_t> all{0, of(features, {}), of({}, features), of(features, features)};
  for (std::size_t i = 0; i < 4; ++i) {
    Features other = features;
    other.values[i] += 0.125F;
    all.push_back(of(other, {}));
    all.push_back(of(features, other));
  }
  for (std::size_t i = 0; i < 2; ++i) {
    Features other = features;
    other.names[i] += "x";
    all.push_back(of(other, {}));
    all.push_back(of(features, other));
  }
  all.push_back(of(Features{{"b", "a"}, {1, 2, 3, 4}}, {}));
  all.push_back(of(Features{{"a", "b"}, {3, 4, 1, 2}}, {}));
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(all[i], all[j]) << i << " and " << j;
  }
  EXPECT_EQ(of(features, {}), of(Features(features), {}));
}

TEST(FeatureFingerprint, IsApartFromThatOfTheSplits) {
  const testing::TemporaryDirectory directory;
  directory.write("interactions.tsv", "b\tx\na\tx\na\ty\nb\ty\nc\tz\n");
  const Dataset plain = load_dataset(directory.path());
  EXPECT_EQ(plain.feature_fingerprint, 0u);
  const auto of = [&](const std::string& features) {
    directory.write("item_features.tsv", features);
    const Dataset data = load_dataset(directory.path());
    EXPECT_EQ(data.fingerprint, plain.fingerprint);
    return data.feature_fingerprint;
  };
  const std::uint64_t first = of("item\tsize\nx\t1\ny\t2\n");
  EXPECT_EQ(of("item\tsize\ny\t2\nx\t1\n"), first);  // rows in another order
  EXPECT_NE(of("item\tsize\nx\t1\ny\t3\n"), first);
  EXPECT_NE(of("item\tage\nx\t1\ny\t2\n"), first);
  EXPECT_NE(of("item\tsize\nx\t1\n"), first);
}

}  // namespace
}  // namespace tern
