// sampled_contrast: loss and gradient of 2048 pairs with M sampled negatives each, with occurrence
// lists prepared, at the temperature that is published for Gowalla; and as an expression, that of BPR.

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "bench/support/case.hpp"
#include "bench/support/compare.hpp"
#include "bench/support/once.hpp"
#include "tern/expression.hpp"

namespace tern::bench {
namespace {

/// Pairs of the workload's graph, evenly spaced: one batch and no more, as the reference draws a whole
/// epoch of triplets at once.
Interactions one_batch_of(const Workload& w) {
  const Interactions& all = w.interactions();
  const std::int64_t count = std::min(all.size(), Workload::kBatchSize);
  std::vector<Interaction> pairs;
  NodeId user = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const EdgeOffset edge = i * all.size() / count;
    while (all.offsets()[static_cast<std::size_t>(user) + 1] <= edge) ++user;
    pairs.push_back({user, all.items()[static_cast<std::size_t>(edge)]});
  }
  return Interactions::from_pairs(all.num_users(), all.num_items(), pairs);
}

/// The inputs and outputs of the op on one backend.
struct ContrastTables {
  ContrastTables(const Workload& w, Backend& backend, const Interactions& pairs, int negatives,
                 const SampledContrastOptions& options_in)
      : options(options_in),
        graph(backend.make_graph(pairs)),
        triplets(backend.make_triplets(graph,
                                       {.positives = PositiveSampling::kInteraction,
                                        .negatives_per_positive = negatives,
                                        .seed = Workload::sampling().seed},
                                       Workload::kBatchSize * negatives)),
        users(w.table(backend, Side::kUser, 1)),
        items(w.table(backend, Side::kItem, 2)),
        grad_users(backend.allocate(users.rows(), users.cols())),
        grad_items(backend.allocate(items.rows(), items.cols())),
        losses(backend.allocate(2, triplets.num_batches())) {}

  void run(Backend& backend) {
    backend.sampled_contrast(triplets, options, users, items, grad_users, grad_items, losses);
  }

  void reset(Backend& backend) {
    for (Matrix* output : {&grad_users, &grad_items, &losses}) backend.fill(*output, kPoison);
  }

  SampledContrastOptions options;
  Graph graph;
  Triplets triplets;
  Matrix users;
  Matrix items;
  Matrix grad_users;
  Matrix grad_items;
  Matrix losses;
};

Cost cost_of(const std::vector<Triplet>& batch, int negatives, std::int64_t width) {
  std::set<NodeId> users;
  std::set<NodeId> items;
  for (const Triplet& triplet : batch) {
    users.insert(triplet.user);
    items.insert({triplet.positive, triplet.negative});
  }
  return sampled_contrast_cost(std::ssize(batch) / negatives, negatives, std::ssize(users),
                               std::ssize(items), width);
}

PreparedCase prepare(Workload& w, int negatives, const SampledContrastOptions& options) {
  const Interactions pairs = one_batch_of(w);
  auto tables = std::make_shared<ContrastTables>(w, w.backend(), pairs, negatives, options);
  auto expected = std::make_shared<ContrastTables>(w, w.reference(), pairs, negatives, options);
  w.reference().sample(expected->triplets, 0);
  const std::vector<Triplet> epoch = w.reference().get_triplets(expected->triplets);
  w.backend().set_triplets(tables->triplets, epoch);
  PreparedCase ready;
  ready.cost = cost_of(epoch, negatives, w.width());
  ready.run = [&w, tables] { tables->run(w.backend()); };
  ready.reset = [&w, tables] { tables->reset(w.backend()); };
  const auto computed = once([&w, expected] {
    expected->reset(w.reference());
    expected->run(w.reference());
    return expected;
  });
  ready.verify = [&w, tables, computed] {
    const ContrastTables& wanted_tables = *computed();
    const auto compare = [&](const char* part, const Matrix& found, const Matrix& wanted) {
      expect_equal(std::string("sampled_contrast, ") + part, w.backend(), found, w.reference(),
                   wanted);
    };
    compare("gradient of users", tables->grad_users, wanted_tables.grad_users);
    compare("gradient of items", tables->grad_items, wanted_tables.grad_items);
    compare("losses", tables->losses, wanted_tables.losses);
  };
  return ready;
}

}  // namespace

void add_sampled_contrast_cases(Cases& cases, DeviceKind /*device*/) {
  for (const int negatives : {1, 16, 64}) {
    cases.push_back(
        {"sampled_contrast", "negatives_" + std::to_string(negatives), "tern", Bound::kGather,
         [negatives](Workload& w) { return prepare(w, negatives, {.temperature = 0.12}); }});
  }
  const auto bpr = std::make_shared<PairProgram>(
      mean(softplus(Expression::negative() - Expression::positive())).compile());
  cases.push_back({"sampled_contrast", "expression_16", "tern", Bound::kGather, [bpr](Workload& w) {
                     return prepare(w, 16,
                                    {.kind = SampledContrastKind::kExpression,
                                     .program = bpr.get(),
                                     .similarity = PairSimilarity::kDot});
                   }});
}

}  // namespace tern::bench
