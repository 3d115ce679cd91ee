// sample: an epoch's triplets, drawn and brought to the host; the laws of either kind.

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "bench/support/case.hpp"
#include "tern/error.hpp"

namespace tern::bench {
namespace {

/// Throws Error unless every positive is observed and no negative is.
void expect_valid(const Interactions& interactions, const std::vector<Triplet>& triplets) {
  for (const Triplet& t : triplets) {
    const auto row = interactions.row(t.user);
    if (!std::ranges::binary_search(row, t.positive) ||
        std::ranges::binary_search(row, t.negative)) {
      throw Error(fmt::format("sample: wrong triplet ({}, {}, {}); not timed", t.user, t.positive,
                              t.negative));
    }
  }
}

PreparedCase prepare(Workload& w, PositiveSampling positives, NegativeSampling negatives) {
  SamplingOptions options = Workload::sampling();
  options.positives = positives;
  options.negatives = negatives;
  auto triplets = std::make_shared<Triplets>(
      w.backend().make_triplets(w.graph(), options, Workload::kBatchSize));
  PreparedCase ready;
  ready.cost = sample_cost(triplets->size());
  ready.run = [&w, triplets] {
    w.backend().sample(*triplets, 0);
    w.backend().get_triplets(*triplets);
  };
  ready.verify = [&w, triplets] {
    w.backend().sample(*triplets, 0);
    expect_valid(w.interactions(), w.backend().get_triplets(*triplets));
  };
  return ready;
}

}  // namespace

void add_sample_cases(Cases& cases, const std::string& /*device*/) {
  const auto add = [&](const char* variant, PositiveSampling positives,
                       NegativeSampling negatives) {
    cases.push_back({"sample", variant, "tern", Bound::kNone,
                     [=](Workload& w) { return prepare(w, positives, negatives); }});
  };
  add("epoch_user", PositiveSampling::kUser, NegativeSampling::kUniform);
  add("epoch_interaction", PositiveSampling::kInteraction, NegativeSampling::kUniform);
  add("epoch_user_popularity", PositiveSampling::kUser, NegativeSampling::kPopularity);
}

}  // namespace tern::bench
