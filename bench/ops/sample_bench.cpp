// sample: draws an epoch's triplets and copies them to the host. One case each for positives
// by user, positives by interaction, and negatives by popularity.

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "bench/support/case.hpp"
#include "bench/support/once.hpp"
#include "tern/error.hpp"

namespace tern::bench {
namespace {

/// Throws Error unless all ids of the triplets equal the reference's.
void expect_same(const std::vector<Triplet>& found, const std::vector<Triplet>& expected) {
  if (found.size() != expected.size()) {
    throw Error(fmt::format("sample: {} triplets, expected {}", found.size(), expected.size()));
  }
  const auto [at, wanted] = std::ranges::mismatch(found, expected);
  if (at == found.end()) return;
  throw Error(fmt::format("sample: triplet {} is ({}, {}, {}), expected ({}, {}, {})",
                          at - found.begin(), at->user, at->positive, at->negative, wanted->user,
                          wanted->positive, wanted->negative));
}

PreparedCase prepare(Workload& w, PositiveSampling positives, NegativeSampling negatives) {
  SamplingOptions options = Workload::sampling();
  options.positives = positives;
  options.negatives = negatives;
  auto triplets =
      std::make_shared<Triplets>(w.backend().make_triplets(w.graph(), options, w.batch_size()));
  PreparedCase ready;
  ready.cost = sample_cost(triplets->size());
  ready.run = [&w, triplets] {
    w.backend().sample(*triplets, 0);
    w.backend().get_triplets(*triplets);
  };
  ready.reset = [&w, triplets] {
    const Triplet none{0, 0, 0};
    w.backend().set_triplets(
        *triplets, std::vector<Triplet>(static_cast<std::size_t>(triplets->size()), none));
  };
  const auto expected = once([&w, options] {
    Triplets drawn = w.reference().make_triplets(w.reference_graph(), options, w.batch_size());
    w.reference().sample(drawn, 0);
    return w.reference().get_triplets(drawn);
  });
  ready.verify = [&w, triplets, expected] {
    expect_same(w.backend().get_triplets(*triplets), expected());
  };
  return ready;
}

}  // namespace

void add_sample_cases(Cases& cases, DeviceKind /*device*/) {
  const auto add = [&](const char* variant, PositiveSampling positives,
                       NegativeSampling negatives) {
    cases.push_back({"sample", variant, "tern", Bound::kNone,
                     [=](Workload& w) { return prepare(w, positives, negatives); }, kReadsBatch});
  };
  add("epoch_user", PositiveSampling::kUser, NegativeSampling::kUniform);
  add("epoch_interaction", PositiveSampling::kInteraction, NegativeSampling::kUniform);
  add("epoch_user_popularity", PositiveSampling::kUser, NegativeSampling::kPopularity);
}

}  // namespace tern::bench
