// Every loss and variant by several ranks, which are threads here, beside one: losses, parameters, equal
// bits, and the bytes that a step exchanges.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tests/distributed/rank_steps.hpp"

namespace tern::test {
namespace {

using distributed::ColumnBackend;
using distributed::columns_of;
using distributed::Communicator;
using distributed::TcpCommunicator;

/// What a batch has of distinct rows, and more.
struct BatchSizes {
  std::int64_t users = 0;
  std::int64_t items = 0;  // positives and negatives
  std::int64_t positives = 0;
  std::int64_t triplets = 0;
  std::int64_t pairs = 0;
  std::int64_t negatives = 0;  // of a pair
};

/// What ranks exchange in a step.
struct Exchanges {
  std::vector<std::int64_t> sums = {};     // the numbers of sums over columns of each message
  std::vector<std::int64_t> gathers = {};  // the numbers of rows of each message

  Exchanges& operator+=(const Exchanges& more) {
    sums.insert(sums.end(), more.sums.begin(), more.sums.end());
    gathers.insert(gathers.end(), more.gathers.begin(), more.gathers.end());
    return *this;
  }
};

using ChooseLoss = std::function<void(Config&)>;
using CountExchanges = std::function<Exchanges(const BatchSizes&)>;

/// A loss or variant, and what its steps exchange without the penalty.
struct LossCase {
  std::string name;
  ChooseLoss choose;
  CountExchanges exchanges;
};

Exchanges of_triplets(const BatchSizes& batch) {
  return {.sums = {batch.triplets}};
}
Exchanges of_rows(const BatchSizes& batch) {
  return {.sums = {batch.users + batch.items}, .gathers = {batch.users + batch.items}};
}
Exchanges of_scores(const BatchSizes& batch) {
  return {.sums = {batch.users + batch.items, batch.pairs * (1 + batch.negatives)}};
}
/// The views and the final rows of the distinct users, then of the distinct positive items.
Exchanges of_contrast(const BatchSizes& batch) {
  const std::vector<std::int64_t> rows{2 * batch.users, 2 * batch.positives};
  return {.sums = rows, .gathers = rows};
}
/// Two layers of the planted users and items, forward and back.
Exchanges of_norms(const BatchSizes& /*batch*/) {
  return {.sums = {120, 80, 120, 80, 240, 160, 240, 160}};
}

CountExchanges both(const CountExchanges& one, const CountExchanges& other) {
  return [=](const BatchSizes& batch) { return Exchanges(one(batch)) += other(batch); };
}

LossCase softmax_case(const std::string& name, SoftmaxNegatives negatives,
                      const ChooseLoss& more = {}, LossKind kind = LossKind::kSoftmax) {
  return {name,
          [=](Config& config) {
            config.loss.kind = kind;
            config.loss.negatives = negatives;
            config.loss.softmax.temperature = 0.2;
            config.loss.at_k = {.k = 5, .weight_temperature = 0.5, .refresh_every = 1};
            config.sampling.positives = PositiveSampling::kInteraction;
            config.sampling.negatives_per_positive = 5;
            if (more) more(config);
          },
          negatives == SoftmaxNegatives::kSampled ? of_scores : of_rows};
}

std::vector<LossCase> loss_cases() {
  using enum SoftmaxNegatives;
  const auto same_item = [](Config& c) { c.loss.softmax.mask = SoftmaxMask::kSameItem; };
  const auto corrected = [](Config& c) {
    c.loss.softmax.mask = SoftmaxMask::kObserved;
    c.loss.softmax.popularity_correction = 0.5;
    c.loss.softmax.negative_weight = 0.9;
  };
  return {
      {"bpr", [](Config&) {}, of_triplets},
      softmax_case("softmax", kBatch),
      softmax_case("same_item", kBatch, same_item),
      softmax_case("corrected", kBatch, corrected),
      softmax_case("mixed", kMixed, corrected),
      softmax_case("sampled", kSampled),
      softmax_case("at_k", kBatch, same_item, LossKind::kSoftmaxAtK),
      softmax_case("at_k_mixed", kMixed, {}, LossKind::kSoftmaxAtK),
      softmax_case("at_k_sampled", kSampled, {}, LossKind::kSoftmaxAtK),
      softmax_case("directau", kBatch, {}, LossKind::kDirectAu),
      softmax_case("ccl", kSampled, {}, LossKind::kCcl),
  };
}

std::vector<LossCase> lightgcn_cases() {
  const auto xsimgcl = [](Config& config) { config.model.contrast.kind = ContrastKind::kXSimGcl; };
  const auto plus_plus = [](Config& config) {
    config.model.propagation.kind = PropagationKind::kLightGcnPlusPlus;
  };
  std::vector<LossCase> all = loss_cases();
  all.push_back({"xsimgcl", xsimgcl, both(of_triplets, of_contrast)});
  all.push_back(softmax_case("xsimgcl_sampled", SoftmaxNegatives::kSampled, xsimgcl));
  all.back().exchanges = both(of_scores, of_contrast);
  all.push_back({"lightgcnpp", plus_plus, both(of_triplets, of_norms)});
  all.push_back(softmax_case("lightgcnpp_softmax", SoftmaxNegatives::kBatch, plus_plus));
  all.back().exchanges = both(of_rows, of_norms);
  return all;
}

Config config_of(const LossCase& tested, ModelKind kind, int width = 40) {
  Config config = wide_config(kind, width);
  config.batch_size = 300;  // two groups of rows in a softmax
  tested.choose(config);
  return config;
}

std::vector<std::pair<LossCase, ModelKind>> all_cases() {
  std::vector<std::pair<LossCase, ModelKind>> all;
  for (const LossCase& tested : loss_cases()) {
    all.emplace_back(tested, ModelKind::kMatrixFactorization);
  }
  for (const LossCase& tested : lightgcn_cases()) all.emplace_back(tested, ModelKind::kLightGcn);
  return all;
}

class ColumnLosses : public testing::TestWithParam<std::pair<LossCase, ModelKind>> {
 protected:
  Config config(int width = 40) const {
    return config_of(GetParam().first, GetParam().second, width);
  }
  Dataset data = planted_dataset();
};

TEST_P(ColumnLosses, FirstStepsAreThoseOfOneRank) {
  const AfterSteps expected = run_steps(*make_cpu_backend(1), data, config(), 50);
  for (const int ranks : {1, 2, 3}) {
    for (const AfterSteps& actual : run_steps_by_ranks(ranks, data, config(), 50)) {
      ASSERT_EQ(actual.losses.size(), expected.losses.size());
      for (std::size_t i = 0; i < expected.losses.size(); ++i) {
        // Losses are f32: a large one has steps of more than 1e-6.
        const double allowed = 1e-6 * std::max(1.0, std::abs(expected.losses[i]));
        ASSERT_NEAR(actual.losses[i], expected.losses[i], allowed) << ranks << " ranks, loss " << i;
      }
    }
  }
}

TEST_P(ColumnLosses, EqualRunsGiveEqualBitsOnEveryRank) {
  const auto first = run_steps_by_ranks(3, data, config(), 20);
  const auto second = run_steps_by_ranks(3, data, config(), 20, 2);
  for (std::size_t rank = 0; rank < first.size(); ++rank) {
    for (const AfterSteps* other : {&first[rank], &second[rank]}) {
      EXPECT_EQ(other->losses, first[0].losses);
      for (int side = 0; side < 2; ++side) {
        EXPECT_EQ(other->parameters[side], first[0].parameters[side]);
      }
    }
  }
}

/// The formulas of host/distributed/README.md, in bytes that a rank sends.
std::int64_t sum_bytes(std::int64_t n, int rank, int ranks) {
  if (n <= static_cast<std::int64_t>(TcpCommunicator::kFewValues)) return 8 * n * (ranks - 1);
  const std::int64_t own = n * (rank + 1) / ranks - n * rank / ranks;
  return 8 * (n - own) + 8 * own * (ranks - 1);
}
std::int64_t gather_bytes(std::int64_t rows, std::int64_t columns, int ranks) {
  return 4 * rows * columns * (ranks - 1);
}

BatchSizes sizes_of(const std::vector<Triplet>& batch, std::int64_t negatives) {
  std::set<NodeId> users, items, positives;
  for (const Triplet& triplet : batch) {
    users.insert(triplet.user);
    positives.insert(triplet.positive);
    items.insert(triplet.positive);
    if (triplet.negative != kNoItem) items.insert(triplet.negative);
  }
  return {.users = std::ssize(users),
          .items = std::ssize(items),
          .positives = std::ssize(positives),
          .triplets = std::ssize(batch),
          .pairs = std::ssize(batch) / std::max<std::int64_t>(1, negatives),
          .negatives = negatives};
}

TEST_P(ColumnLosses, AStepExchangesWhatItsFormulaSays) {
  constexpr int kRanks = 3;
  const Config job = config();
  const auto failures = run_ranks(kRanks, [&](Communicator& communicator) {
    ColumnBackend columns(communicator, 1);
    Backend& backend = columns;
    const Graph graph = backend.make_graph(data.train);
    Triplets triplets = backend.make_triplets(graph, sampling_of(job), batch_triplets(job));
    const auto model = make_model(backend, graph, triplets, job.model);
    model->initialize(Seed{1});
    const auto loss = make_loss(backend, job.loss, job.l2, graph.num_nodes(Side::kUser));
    Matrix losses =
        backend.allocate(loss_terms(*model), triplets.num_batches(), {.replicated = true});
    backend.sample(triplets, 1);
    const std::int64_t before = communicator.traffic().sent;
    model->forward();
    Batch batch(backend, triplets);
    loss->backward(*model, batch, losses);
    const std::int64_t sent = communicator.traffic().sent - before;

    const BatchSizes sizes =
        sizes_of(backend.get_batch(triplets), triplets.negatives_per_positive());
    const int rank = communicator.rank();
    std::int64_t expected = sum_bytes(1, rank, kRanks);  // of the penalty
    const Exchanges exchanges = GetParam().first.exchanges(sizes);
    for (const std::int64_t n : exchanges.sums) expected += sum_bytes(n, rank, kRanks);
    for (const std::int64_t rows : exchanges.gathers) {
      expected += gather_bytes(rows, columns_of(job.model.width, rank, kRanks).size(), kRanks);
    }
    EXPECT_EQ(sent, expected) << "rank " << rank;
  });
  EXPECT_THAT(failures, testing::Each(""));
}

INSTANTIATE_TEST_SUITE_P(Cases, ColumnLosses, testing::ValuesIn(all_cases()), [](const auto& info) {
  return std::string(model_name(info.param.second)) + "_" + info.param.first.name;
});

/// Calls use(backend), which returns rows of this width, with the backend of one process, then with that of each
/// of three ranks, and expects the same rows, but for rounding.
void expect_as_one_rank(int width, const std::function<Values(Backend&)>& use) {
  const Values expected = use(*make_cpu_backend(1));
  const auto failures = run_ranks(3, [&](Communicator& communicator) {
    ColumnBackend columns(communicator, 1);
    const Values actual = use(columns);
    ASSERT_EQ(actual.size(), expected.size());
    for (auto row = expected.begin(); row < expected.end(); row += width) {
      const auto [least, greatest] = std::minmax_element(row, row + width);
      const double allowed = 1e-6 * std::max(-*least, *greatest);
      for (auto value = row; value < row + width; ++value) {
        const std::ptrdiff_t i = value - expected.begin();
        EXPECT_NEAR(actual[static_cast<std::size_t>(i)], *value, allowed) << "element " << i;
      }
    }
  });
  EXPECT_THAT(failures, testing::Each(""));
}

/// Rows of any length: 0, squares that f32 does not hold in all columns or in some, and plain ones.
Values rows_of_any_length(int width) {
  const double first[] = {0.0, 1e-20, 1e-20, 1e25, 1e25, 1.0, -3.0};
  const double rest[] = {0.0, 2e-20, 1e-9, -1e25, 1.0, 2.0, 0.5};
  Values values;
  for (std::size_t row = 0; row < std::size(first); ++row) {
    for (int c = 0; c < width; ++c) values.push_back(c < width / 2 ? first[row] : rest[row]);
  }
  return values;
}

TEST(ColumnRows, OfAnyLengthAreNormalised) {
  expect_as_one_rank(40, [](Backend& backend) {
    const Values values = rows_of_any_length(40);
    const std::int64_t rows = std::ssize(values) / 40;
    Matrix x = backend.allocate(rows, 40, {});
    Matrix y = backend.allocate(rows, 40, {});
    Matrix sum = backend.allocate(rows, 40, {});
    backend.upload(std::span<const double>(values), x);
    backend.normalize_rows(x, y, {.sum = &sum, .weight = 0.5, .begin = RowSum::Begin::kAtZero});
    Values all = values_of(backend, y);
    const Values summed = values_of(backend, sum);
    all.insert(all.end(), summed.begin(), summed.end());
    return all;
  });
}

TEST(ColumnRows, OfAnyLengthCarryGradientsBack) {
  expect_as_one_rank(40, [](Backend& backend) {
    const Values values = rows_of_any_length(40);
    const std::int64_t rows = std::ssize(values) / 40;
    Values given;
    for (std::int64_t i = 0; i < std::ssize(values); ++i) {
      given.push_back(std::sin(static_cast<double>(i)));
    }
    Matrix x = backend.allocate(rows, 40, {});
    Matrix grad_y = backend.allocate(rows, 40, {});
    Matrix grad_x = backend.allocate(rows, 40, {});
    backend.upload(std::span<const double>(values), x);
    backend.upload(std::span<const double>(given), grad_y);
    backend.normalize_rows_backward(x, grad_y, grad_x, {.matrix = &grad_y, .weight = 0.5});
    return values_of(backend, grad_x);
  });
}

/// 1100 columns: a row is drawn in two pieces.
TEST(ColumnRows, GetTheNoiseOfWholeRows) {
  for (const int width : {40, 1100}) {
    expect_as_one_rank(width, [width](Backend& backend) {
      Matrix values = backend.allocate(5, width, {});
      backend.fill(values, -1.0);
      const Counter step = backend.make_counter(3);
      backend.perturb({.magnitude = 10.0, .seed = Seed{7}, .place = 2}, step, values);
      return values_of(backend, values);
    });
  }
}

}  // namespace
}  // namespace tern::test
