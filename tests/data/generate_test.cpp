#include "tern/generate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>

#include "host/support/parallel.hpp"
#include "tern/dataset.hpp"
#include "tests/data/data_files.hpp"

namespace tern {
namespace {

using testing::complaint;
using ::testing::HasSubstr;
using testing::numbered;
using testing::read_bytes;
using testing::TemporaryDirectory;

GenerateOptions small() {
  GenerateOptions options;
  options.users = 2000;
  options.items = 1000;
  options.interactions = 40'000;
  options.tastes = 8;
  return options;
}

TEST(Generate, MakesWhatIsAskedFor) {
  for (const std::int64_t interactions : {2000, 2001, 40'000, 900'000, 1'000'000}) {
    GenerateOptions options = small();
    options.interactions = interactions;
    const GeneratedData data = generate(options);
    EXPECT_EQ(data.interactions.size(), interactions);
    EXPECT_EQ(data.interactions.num_users(), 2000);
    EXPECT_EQ(data.interactions.num_items(), 1000);
    for (NodeId user = 0; user < 2000; ++user) {
      const std::size_t degree = data.interactions.row(user).size();
      ASSERT_GE(degree, 1u);
      ASSERT_LE(degree, 500u);
    }
  }
  GenerateOptions least;
  least.users = 1;
  least.items = 2;
  least.interactions = 1;
  least.tastes = 1;
  EXPECT_EQ(generate(least).interactions.size(), 1);
}

TEST(Generate, IsTheSameForASeedAndAnyThreads) {
  const GenerateOptions options = small();
  const auto run = [&](int threads) {
    const ThreadLimit limit(threads);
    return generate(options);
  };
  const GeneratedData one = run(1);
  const GeneratedData four = run(4);
  EXPECT_EQ(one.interactions, four.interactions);
  EXPECT_EQ(one.user_tastes, four.user_tastes);
  GenerateOptions other = options;
  other.seed = Seed{1};
  EXPECT_NE(generate(other).interactions, one.interactions);
}

/// Slope of log(degree) over log(rank), from rank `first` to rank `last`.
double rank_slope(std::vector<std::int64_t> degrees, std::size_t first, std::size_t last) {
  std::sort(degrees.rbegin(), degrees.rend());
  return (std::log(static_cast<double>(degrees[last])) -
          std::log(static_cast<double>(degrees[first]))) /
         (std::log(static_cast<double>(last + 1)) - std::log(static_cast<double>(first + 1)));
}

TEST(Generate, DegreesFollowPowerLaws) {
  GenerateOptions options;
  options.users = 20'000;
  options.items = 5000;
  options.interactions = 400'000;
  options.tastes = 1;
  options.user_exponent = 2.5;
  options.item_exponent = 3.0;
  const Interactions data = generate(options).interactions;
  std::vector<std::int64_t> users;
  for (NodeId user = 0; user < data.num_users(); ++user)
    users.push_back(std::ssize(data.row(user)));
  const Interactions transposed = data.transposed();
  std::vector<std::int64_t> items;
  for (NodeId item = 0; item < data.num_items(); ++item) {
    items.push_back(std::ssize(transposed.row(item)));
  }
  // Zipf's exponent of ranks is 1 / (γ - 1).
  EXPECT_NEAR(rank_slope(users, 20, 2000), -1 / 1.5, 0.03);
  EXPECT_NEAR(rank_slope(items, 20, 2000), -1 / 2.0, 0.1);
}

TEST(Generate, TastesCanBeToldFromTheInteractions) {
  const GenerateOptions options = small();
  const GeneratedData data = generate(options);
  // The share of interactions within the user's taste: all but the noise, and the noise that hits the
  // taste by chance. Users who could exhaust a taste (125 items) are left out.
  std::int64_t within = 0;
  std::int64_t total = 0;
  for (NodeId user = 0; user < options.users; ++user) {
    if (data.interactions.row(user).size() > 60) continue;
    for (const NodeId item : data.interactions.row(user)) {
      within += data.user_tastes[user] == data.item_tastes[item] ? 1 : 0;
      ++total;
    }
  }
  EXPECT_GT(total, 20'000);
  EXPECT_NEAR(static_cast<double>(within) / static_cast<double>(total), 0.9 + 0.1 / 8, 0.015);

  // Without knowing tastes: the item that shares most users with a given item has the same taste.
  const Interactions by_item = data.interactions.transposed();
  int right = 0;
  int asked = 0;
  for (NodeId item = 0; item < options.items; ++item) {
    if (by_item.row(item).size() < 20) continue;
    std::unordered_map<NodeId, double> together;
    for (const NodeId user : by_item.row(item)) {
      for (const NodeId other : data.interactions.row(user)) together[other] += 1.0;
    }
    NodeId best = -1;
    double most = 0;
    for (const auto& [other, count] : together) {
      const double cosine = count / std::sqrt(static_cast<double>(by_item.row(other).size()));
      if (other != item && by_item.row(other).size() >= 20 && cosine > most) {
        most = cosine;
        best = other;
      }
    }
    ++asked;
    right += best >= 0 && data.item_tastes[best] == data.item_tastes[item] ? 1 : 0;
  }
  EXPECT_GT(asked, 300);
  EXPECT_GT(right, asked * 95 / 100);
}

TEST(Generate, NoiseHidesTastes) {
  GenerateOptions options = small();
  options.noise = 1.0;
  const GeneratedData data = generate(options);
  std::int64_t within = 0;
  for (NodeId user = 0; user < options.users; ++user) {
    for (const NodeId item : data.interactions.row(user)) {
      within += data.user_tastes[user] == data.item_tastes[item] ? 1 : 0;
    }
  }
  EXPECT_NEAR(static_cast<double>(within) / static_cast<double>(data.interactions.size()), 1.0 / 8,
              0.03);
}

TEST(Generate, TakesExtremeExponents) {
  GenerateOptions options = small();
  for (const double exponent : {1.0001, 1e6}) {
    options.user_exponent = exponent;
    options.item_exponent = exponent;
    EXPECT_EQ(generate(options).interactions.size(), options.interactions);
  }
}

TEST(Generate, RefusesOptionsOutOfRange) {
  const auto message = [](auto&& change) {
    GenerateOptions options = small();
    change(options);
    return complaint<ConfigError>([&] { generate(options); });
  };
  EXPECT_THAT(message([](auto& o) { o.users = 0; }), HasSubstr("users: found 0"));
  EXPECT_THAT(message([](auto& o) { o.items = 1; }), HasSubstr("items: found 1"));
  EXPECT_THAT(message([](auto& o) { o.interactions = 1999; }),
              HasSubstr("interactions: found 1999"));
  EXPECT_THAT(message([](auto& o) { o.interactions = 1'000'001; }), HasSubstr("half of all pairs"));
  EXPECT_THAT(message([](auto& o) { o.tastes = 0; }), HasSubstr("tastes: found 0"));
  EXPECT_THAT(message([](auto& o) { o.tastes = 1001; }), HasSubstr("tastes: found 1001"));
  EXPECT_THAT(message([](auto& o) { o.user_exponent = 1.0; }), HasSubstr("user_exponent: found 1"));
  EXPECT_THAT(message([](auto& o) { o.item_exponent = NAN; }),
              HasSubstr("item_exponent: found nan"));
  EXPECT_THAT(message([](auto& o) { o.noise = 1.5; }), HasSubstr("noise: found 1.5"));
}

TEST(WriteInteractions, ReadBackTheSame) {
  const TemporaryDirectory directory;
  const Interactions written = generate(small()).interactions;
  write_adjacency(directory / "train.txt", written);
  DataOptions options;
  options.test_fraction = 0;
  options.valid_fraction = 0;
  EXPECT_EQ(load_dataset(directory / "train.txt", options).train, written);

  Vocabulary users;
  Vocabulary items;
  for (NodeId user = 0; user < written.num_users(); ++user) users.add(numbered("u", user));
  for (NodeId item = 0; item < written.num_items(); ++item) items.add(numbered("i", item));
  write_interactions_tsv(directory / "interactions.tsv", written, users, items);
  const Dataset table = load_dataset(directory / "interactions.tsv", options);
  EXPECT_EQ(table.train.size(), written.size());
  for (NodeId user = 0; user < written.num_users(); ++user) {
    const NodeId read = *table.users.find(numbered("u", user));
    ASSERT_EQ(table.train.row(read).size(), written.row(user).size());
  }
  EXPECT_THROW(write_interactions_tsv(directory / "x.tsv", written, users, Vocabulary()),
               ShapeError);
}

TEST(WriteInteractions, KeepsEmptyUsers) {
  const TemporaryDirectory directory;
  const std::vector<Interaction> pairs{{1, 2}, {1, 0}};
  write_adjacency(directory / "a.txt", Interactions::from_pairs(3, 3, pairs));
  EXPECT_EQ(read_bytes(directory / "a.txt"), "0\n1 0 2\n2\n");
}

}  // namespace
}  // namespace tern
