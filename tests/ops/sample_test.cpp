#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "tern/alias_table.hpp"
#include "tern/error.hpp"
#include "tern/random.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/graphs.hpp"
#include "tests/support/matrices.hpp"
#include "tests/support/sampling.hpp"

namespace tern::test {
namespace {

constexpr auto kEveryPositive = {PositiveSampling::kUser, PositiveSampling::kInteraction};
constexpr auto kEveryNegative = {NegativeSampling::kUniform, NegativeSampling::kPopularity};

bool observed(const Interactions& graph, NodeId user, NodeId item) {
  return std::ranges::binary_search(graph.row(user), item);
}

/// The r-th item that the user has not interacted with, found by walking all items.
NodeId absent_item(const Interactions& graph, NodeId user, std::uint32_t r) {
  for (NodeId item = 0;; ++item) {
    if (!observed(graph, user, item) && r-- == 0) return item;
  }
}

/// The triplets of an epoch, word for word as Backend::sample documents them.
std::vector<Triplet> documented_triplets(const Interactions& graph, const SamplingOptions& o,
                                         std::uint32_t epoch) {
  std::vector<NodeId> participants;
  std::vector<Interaction> positives;
  std::vector<std::int64_t> degrees(graph.num_items(), 0);
  for (NodeId user = 0; user < graph.num_users(); ++user) {
    const auto row = graph.row(user);
    for (const NodeId item : row) ++degrees[item];
    if (row.empty() || static_cast<NodeId>(row.size()) == graph.num_items()) continue;
    participants.push_back(user);
    for (const NodeId item : row) positives.push_back({user, item});
  }
  const auto num_items = static_cast<std::uint32_t>(graph.num_items());
  const AliasTable table = make_alias_table(degrees, o.popularity_exponent);
  const Permutation permutation(o.seed, epoch, positives.size());
  const int per_positive = std::max(1, o.negatives_per_positive);
  std::vector<Triplet> triplets(positives.size() * per_positive);
  for (std::uint64_t t = 0; t < triplets.size(); ++t) {
    const std::uint64_t q = t / static_cast<std::uint64_t>(per_positive);
    Interaction positive;
    if (o.positives == PositiveSampling::kInteraction) {
      positive = positives[permutation(q)];
    } else {
      RandomStream stream(o.seed, Purpose::kPositive, epoch, q);
      positive.user = participants[stream.below(static_cast<std::uint32_t>(participants.size()))];
      const auto row = graph.row(positive.user);
      positive.item = row[stream.below(static_cast<std::uint32_t>(row.size()))];
    }
    const NodeId user = positive.user;
    if (o.negatives_per_positive == 0) {
      triplets[t] = {user, positive.item, -1};
      continue;
    }
    RandomStream stream(o.seed, Purpose::kNegative, epoch, t);
    NodeId negative = -1;
    const bool popular = o.negatives == NegativeSampling::kPopularity;
    for (int i = 0; popular && negative < 0 && i < o.popularity_tries; ++i) {
      const std::uint32_t cell = stream.below(num_items);
      const std::uint32_t word = stream.next();
      const NodeId item =
          word < table.threshold[cell] ? static_cast<NodeId>(cell) : table.alias[cell];
      if (!observed(graph, user, item)) negative = item;
    }
    if (negative < 0) {
      const auto degree = static_cast<std::uint32_t>(graph.row(user).size());
      negative = absent_item(graph, user, stream.below(num_items - degree));
    }
    triplets[t] = {user, positive.item, negative};
  }
  return triplets;
}

class Sample : public BackendTest {
 protected:
  std::vector<Triplet> epoch_of(Backend& backend, const Interactions& interactions,
                                const SamplingOptions& options, std::uint32_t epoch) {
    const Graph graph = backend.make_graph(interactions);
    Triplets triplets = backend.make_triplets(graph, options, 1 + interactions.size() / 4);
    backend.sample(triplets, epoch);
    return backend.get_triplets(triplets);
  }
};

TEST_P(Sample, DrawsTheTripletsThatAreDocumented) {
  for (const std::uint64_t seed : {0ull, 0x123456789abcdefull}) {
    for (const auto& [users, items, density] :
         {std::tuple{5, 4, 0.5}, {40, 9, 0.8}, {30, 200, 0.1}, {300, 60, 0.3}}) {
      const Interactions graph = random_interactions(users, items, density, 1);
      for (const PositiveSampling positives : kEveryPositive) {
        for (const NegativeSampling negatives : kEveryNegative) {
          for (const int per_positive : {0, 1, 3}) {
            const SamplingOptions options{.positives = positives,
                                          .negatives = negatives,
                                          .popularity_tries = 3,
                                          .negatives_per_positive = per_positive,
                                          .seed = Seed{seed}};
            for (const std::uint32_t epoch : {0u, 1u, 0xffffffffu}) {
              ASSERT_EQ(epoch_of(backend_, graph, options, epoch),
                        documented_triplets(graph, options, epoch));
            }
          }
        }
      }
    }
  }
}

/// The exponent at which cell 0 of the alias table has this threshold. Item 0 has the smallest
/// degree, so the threshold falls as the exponent grows.
std::optional<double> exponent_for(const std::vector<std::int64_t>& degrees,
                                   std::uint32_t threshold) {
  double low = 0;
  double high = 20;
  for (int step = 0; step < 100; ++step) {
    const double middle = low + (high - low) / 2;
    const std::uint32_t found = make_alias_table(degrees, middle).threshold[0];
    if (found == threshold) return middle;
    (found > threshold ? low : high) = middle;
  }
  return std::nullopt;
}

TEST_P(Sample, AWordEqualToTheThresholdGoesToTheAlias) {
  // Items 0, 1, 2 have 1, 5, 2 users. Users 0 and 1 have item 2 alone, so that both the item of
  // cell 0 and its alias, item 1, are accepted.
  const Interactions graph(8, 3, {0, 1, 2, 3, 4, 5, 6, 7, 8}, {2, 2, 0, 1, 1, 1, 1, 1});
  const std::vector<std::int64_t> degrees{1, 5, 2};
  SamplingOptions options{
      .negatives = NegativeSampling::kPopularity, .negatives_per_positive = 40, .seed = Seed{3}};
  const auto triplets = epoch_of(reference_, graph, options, 1);
  int ties = 0;
  for (std::size_t t = 0; t < triplets.size(); ++t) {
    RandomStream stream(options.seed, Purpose::kNegative, 1, t);
    if (triplets[t].user > 1 || stream.below(3) != 0) continue;
    const std::uint32_t word = stream.next();
    // The threshold is the word, and the least that keeps it in its cell.
    for (const auto& [threshold, negative] : {std::pair{word, 1}, {word + 1, 0}}) {
      const std::optional<double> exponent = exponent_for(degrees, threshold);
      ASSERT_TRUE(exponent.has_value()) << threshold;
      options.popularity_exponent = *exponent;
      ASSERT_EQ(make_alias_table(degrees, *exponent).alias[0], 1);
      EXPECT_EQ(epoch_of(backend_, graph, options, 1)[t].negative, negative)
          << "triplet " << t << ", word " << word << ", threshold " << threshold;
    }
    ++ties;
  }
  EXPECT_GE(ties, 3);
}

TEST_P(Sample, EqualsTheReferenceOnTheBatteryAndNeverDrawsAnObservedItem) {
  for (const NamedGraph& named : graph_battery(GetParam().budget)) {
    if (!can_sample(named.interactions)) continue;
    for (const PositiveSampling positives : kEveryPositive) {
      for (const NegativeSampling negatives : kEveryNegative) {
        const SamplingOptions options{.positives = positives,
                                      .negatives = negatives,
                                      .popularity_exponent = 1,
                                      .negatives_per_positive = 2,
                                      .seed = Seed{17}};
        const auto triplets = epoch_of(backend_, named.interactions, options, 5);
        ASSERT_EQ(triplets, epoch_of(reference_, named.interactions, options, 5)) << named.name;
        for (const auto& [user, positive, negative] : triplets) {
          ASSERT_TRUE(observed(named.interactions, user, positive)) << named.name;
          ASSERT_FALSE(observed(named.interactions, user, negative)) << named.name;
        }
      }
    }
  }
}

TEST_P(Sample, DrawsPairsAsTripletsWithOneNegativeButWithoutIt) {
  for (const NamedGraph& named : graph_battery(GetParam().budget)) {
    if (!can_sample(named.interactions)) continue;
    for (const PositiveSampling positives : kEveryPositive) {
      for (const NegativeSampling negatives : kEveryNegative) {
        SamplingOptions options{.positives = positives, .negatives = negatives, .seed = Seed{17}};
        std::vector<Triplet> expected = epoch_of(backend_, named.interactions, options, 5);
        for (Triplet& triplet : expected) triplet.negative = -1;
        options.negatives_per_positive = 0;
        ASSERT_EQ(epoch_of(backend_, named.interactions, options, 5), expected) << named.name;
      }
    }
  }
}

TEST_P(Sample, LeavesOutAndCountsUsersWithNothingOrEverything) {
  // Five items: user 0 has none, 1 all, 2 all but item 3, 3 all, 4 items 0 and 4.
  const Interactions interactions(5, 5, {0, 0, 5, 9, 14, 16},
                                  {0, 1, 2, 3, 4, 0, 1, 2, 4, 0, 1, 2, 3, 4, 0, 4});
  const Graph graph = backend_.make_graph(interactions);
  for (const PositiveSampling positives : kEveryPositive) {
    for (const NegativeSampling negatives : kEveryNegative) {
      Triplets triplets = backend_.make_triplets(
          graph, {.positives = positives, .negatives = negatives, .negatives_per_positive = 20}, 7);
      const SamplingCounts counts = backend_.sampling_counts(triplets);
      EXPECT_EQ(counts.users, 2);
      EXPECT_EQ(counts.users_without_interactions, 1);
      EXPECT_EQ(counts.users_with_every_item, 2);
      EXPECT_EQ(counts.interactions, 6);
      EXPECT_EQ(triplets.size(), 120);
      backend_.sample(triplets, 3);
      for (const Triplet& triplet : backend_.get_triplets(triplets)) {
        ASSERT_TRUE(triplet.user == 2 || triplet.user == 4);
        if (triplet.user == 2) {
          ASSERT_EQ(triplet.negative, 3) << "the one item that it lacks";
        }
      }
    }
  }
}

TEST_P(Sample, TakesEachInteractionOnceAnEpoch) {
  const Interactions graph = random_interactions(60, 30, 0.3, 2);
  const SamplingOptions options{
      .positives = PositiveSampling::kInteraction, .negatives_per_positive = 3, .seed = Seed{4}};
  for (const std::uint32_t epoch : {0u, 9u}) {
    std::map<Interaction, int> taken;
    const auto triplets = epoch_of(backend_, graph, options, epoch);
    for (const auto& [user, positive, negative] : triplets) ++taken[{user, positive}];
    EXPECT_EQ(static_cast<EdgeOffset>(taken.size()), graph.size());
    for (const auto& [pair, times] : taken) {
      EXPECT_EQ(times, 3) << pair.user << ", " << pair.item;
    }
    for (std::size_t t = 0; t < triplets.size(); ++t) {
      EXPECT_EQ(triplets[t].positive, triplets[t / 3 * 3].positive) << "negatives of one positive";
    }
  }
}

TEST_P(Sample, TakesPairsOfTheSameUsersAndEachInteractionOnce) {
  // Four items: user 0 has none, 1 all, 2 lacks one, 3 has one.
  const Interactions interactions(4, 4, {0, 0, 4, 7, 8}, {0, 1, 2, 3, 0, 1, 2, 3});
  const Graph graph = backend_.make_graph(interactions);
  Triplets pairs = backend_.make_triplets(
      graph, {.positives = PositiveSampling::kInteraction, .negatives_per_positive = 0}, 3);
  EXPECT_EQ(pairs.negatives_per_positive(), 0);
  EXPECT_EQ(pairs.size(), 4) << "no user with every item, although nothing is drawn from the rest";
  EXPECT_EQ(backend_.sampling_counts(pairs).users, 2);
  backend_.sample(pairs, 1);
  std::vector<Triplet> drawn = backend_.get_triplets(pairs);
  std::ranges::sort(drawn);
  EXPECT_EQ(drawn, (std::vector<Triplet>{{2, 0, -1}, {2, 1, -1}, {2, 2, -1}, {3, 3, -1}}));
  EXPECT_EQ(
      backend_.make_triplets(graph, {.negatives_per_positive = 2}, 3).negatives_per_positive(), 2);
}

TEST_P(Sample, DependsOnSeedAndEpochAlone) {
  const Interactions graph = random_interactions(60, 30, 0.3, 2);
  for (const PositiveSampling positives : kEveryPositive) {
    const SamplingOptions options{.positives = positives, .seed = Seed{4}};
    SamplingOptions other = options;
    other.seed = Seed{5};
    const auto triplets = epoch_of(backend_, graph, options, 1);
    EXPECT_EQ(triplets, epoch_of(backend_, graph, options, 1));
    EXPECT_NE(triplets, epoch_of(backend_, graph, options, 2));
    EXPECT_NE(triplets, epoch_of(backend_, graph, other, 1));
  }
}

TEST_P(Sample, WithoutTriesPopularityIsUniform) {
  const Interactions graph = random_interactions(40, 30, 0.3, 2);
  const SamplingOptions uniform{.seed = Seed{4}};
  const SamplingOptions tryless{
      .negatives = NegativeSampling::kPopularity, .popularity_tries = 0, .seed = Seed{4}};
  EXPECT_EQ(epoch_of(backend_, graph, uniform, 1), epoch_of(backend_, graph, tryless, 1));
}

TEST_P(Sample, RefusesOptionsOutOfRange) {
  const Graph graph = backend_.make_graph({2, 3, {0, 2, 3}, {0, 2, 1}});
  const auto refuses = [&](const SamplingOptions& options, std::int64_t batch_size) {
    EXPECT_THROW(backend_.make_triplets(graph, options, batch_size), ConfigError);
  };
  EXPECT_EQ(backend_.make_triplets(graph, {}, 2).size(), 3);  // valid as it is
  refuses({}, 0);
  refuses({}, -1);
  refuses({.negatives_per_positive = -1}, 2);
  for (const NegativeSampling negatives : kEveryNegative) {
    refuses({.negatives = negatives, .popularity_tries = -1}, 2);
    refuses({.negatives = negatives, .popularity_exponent = std::nan("")}, 2);
  }
}

TEST_P(Sample, RefusesGraphsWithoutUsersToSample) {
  const std::vector<Interactions> hopeless{
      {}, {3, 4, {0, 0, 0, 0}, {}}, {2, 1, {0, 1, 2}, {0, 0}}, {2, 2, {0, 2, 2}, {0, 1}}};
  for (const Interactions& interactions : hopeless) {
    const Graph graph = backend_.make_graph(interactions);
    EXPECT_THROW(backend_.make_triplets(graph, {}, 2), ConfigError);
  }
  EXPECT_THROW(backend_.make_triplets(Graph(), {}, 2), ShapeError);
  const Graph foreign(std::make_unique<StrangerStorage>(), 3, 4, 2);
  EXPECT_THROW(backend_.make_triplets(foreign, {}, 2), ShapeError);
}

INSTANTIATE_TEST_SUITE_P(Backends, Sample, testing::ValuesIn(backends_under_test()), backend_name);

}  // namespace
}  // namespace tern::test
