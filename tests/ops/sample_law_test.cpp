#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "tests/support/backends.hpp"
#include "tests/support/chi_square.hpp"

// The distributions of sampling, by chi-square tests over many epochs. All backends draw the same
// triplets (sample_test.cpp), but each backend is tested here.
namespace tern::test {
namespace {

// Users 0: {0}, 1: {0, 1, 2, 5}, 2: {}, 3: {0, 2, 3, 4, 5, 6, 7}: all but item 1, 4: {6, 7}.
Interactions lopsided_graph() {
  return {5, 8, {0, 1, 5, 5, 12, 14}, {0, 0, 1, 2, 5, 0, 2, 3, 4, 5, 6, 7, 6, 7}};
}

constexpr int kEpochs = 2000;

class SampleLaw : public BackendTest {
 protected:
  std::vector<Triplet> many_epochs(const SamplingOptions& options) {
    const Graph graph = backend_.make_graph(lopsided_graph());
    Triplets triplets = backend_.make_triplets(graph, options, 14);
    std::vector<Triplet> all;
    for (std::uint32_t epoch = 0; epoch < kEpochs; ++epoch) {
      backend_.sample(triplets, epoch);
      const auto drawn = backend_.get_triplets(triplets);
      all.insert(all.end(), drawn.begin(), drawn.end());
    }
    return all;
  }

  /// Compares the negatives of each user with a law over items.
  template <typename Law>
  void expect_negatives(const std::vector<Triplet>& triplets, const Law& law_of_user) {
    const Interactions graph = lopsided_graph();
    for (const NodeId user : {0, 1, 4}) {
      std::vector<std::int64_t> counts(8, 0);
      for (const Triplet& triplet : triplets) {
        if (triplet.user == user) ++counts[triplet.negative];
      }
      const auto row = graph.row(user);
      std::vector<bool> seen(8, false);
      for (const NodeId item : row) seen[item] = true;
      EXPECT_LT(chi_square_deviate(counts, law_of_user(seen)), kMaxDeviate) << "user " << user;
    }
  }
};

std::vector<double> uniform_law(const std::vector<bool>& seen) {
  std::vector<double> law(seen.size(), 0);
  const auto absent = static_cast<double>(std::ranges::count(seen, false));
  for (std::size_t item = 0; item < seen.size(); ++item) law[item] = seen[item] ? 0 : 1 / absent;
  return law;
}

TEST_P(SampleLaw, NegativesAreUniformOverTheUnobserved) {
  for (const PositiveSampling positives :
       {PositiveSampling::kUser, PositiveSampling::kInteraction}) {
    expect_negatives(many_epochs({.positives = positives, .seed = Seed{1}}), uniform_law);
  }
}

TEST_P(SampleLaw, SeveralNegativesOfAPositiveAreIndependent) {
  const auto triplets = many_epochs(
      {.positives = PositiveSampling::kInteraction, .negatives_per_positive = 2, .seed = Seed{2}});
  // User 4 lacks items 0 to 5: all 36 pairs of two negatives are alike.
  std::vector<std::int64_t> pairs(36, 0);
  for (std::size_t t = 0; t < triplets.size(); t += 2) {
    if (triplets[t].user == 4) ++pairs[triplets[t].negative * 6 + triplets[t + 1].negative];
  }
  EXPECT_LT(chi_square_deviate(pairs, std::vector<double>(36, 1.0 / 36)), kMaxDeviate);
}

TEST_P(SampleLaw, PopularNegativesFollowDegrees) {
  // r = the law's mass on the user's own items; after T tries the uniform law takes over:
  // P(n) = (1 - rᵀ) p_n / (1 - r) + rᵀ / (I - deg).
  const std::vector<double> degrees{3, 1, 2, 1, 1, 2, 2, 2};
  for (const int tries : {1, 2, 16}) {
    for (const double exponent : {0.0, 0.75, 2.0}) {
      const auto law = [&](const std::vector<bool>& seen) {
        std::vector<double> powers;
        double total = 0;
        double own = 0;
        for (std::size_t item = 0; item < seen.size(); ++item) {
          powers.push_back(std::pow(degrees[item], exponent));
          total += powers.back();
          if (seen[item]) own += powers.back();
        }
        const double rejected = std::pow(own / total, tries);
        std::vector<double> result = uniform_law(seen);
        for (std::size_t item = 0; item < seen.size(); ++item) {
          result[item] *= rejected;
          if (!seen[item]) result[item] += (1 - rejected) * powers[item] / (total - own);
        }
        return result;
      };
      expect_negatives(many_epochs({.negatives = NegativeSampling::kPopularity,
                                    .popularity_exponent = exponent,
                                    .popularity_tries = tries,
                                    .seed = Seed{3}}),
                       law);
    }
  }
}

TEST_P(SampleLaw, UserPositivesAreUniformOverUsersThenOverTheirItems) {
  const Interactions graph = lopsided_graph();
  const std::vector<NodeId> participants{0, 1, 3, 4};
  std::vector<double> law;
  std::map<Interaction, std::size_t> place;
  for (const NodeId user : participants) {
    for (const NodeId item : graph.row(user)) {
      place[{user, item}] = law.size();
      law.push_back(1.0 / 4 / static_cast<double>(graph.row(user).size()));
    }
  }
  std::vector<std::int64_t> counts(law.size(), 0);
  for (const auto& [user, positive, negative] : many_epochs({.seed = Seed{4}})) {
    ASSERT_TRUE(place.contains({user, positive}));
    ++counts[place[{user, positive}]];
  }
  EXPECT_LT(chi_square_deviate(counts, law), kMaxDeviate);
}

TEST_P(SampleLaw, InteractionPositivesComeInUniformOrder) {
  // The place at which each interaction comes first in the epoch: uniform over the 14.
  const auto triplets = many_epochs({.positives = PositiveSampling::kInteraction, .seed = Seed{5}});
  std::map<Interaction, std::vector<std::int64_t>> counts;
  for (std::size_t t = 0; t < triplets.size(); ++t) {
    auto& places = counts[{triplets[t].user, triplets[t].positive}];
    places.resize(14, 0);
    ++places[t % 14];
  }
  ASSERT_EQ(counts.size(), 14u);
  for (const auto& [pair, places] : counts) {
    EXPECT_LT(chi_square_deviate(places, std::vector<double>(14, 1.0 / 14)), kMaxDeviate)
        << pair.user << ", " << pair.item;
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, SampleLaw, testing::ValuesIn(backends_under_test()),
                         backend_name);

}  // namespace
}  // namespace tern::test
