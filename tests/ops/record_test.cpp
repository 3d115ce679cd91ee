#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "tern/error.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/graphs.hpp"
#include "tests/support/training_step.hpp"

namespace tern::test {
namespace {

class Record : public BackendTest {
 protected:
  /// Whether two trainings agree: in every bit or, if the backend's sums do not repeat, closely in all
  /// but one element of a hundred. (Adam's first step takes the sign of a gradient, which may be a
  /// rounding error alone.)
  static testing::AssertionResult agree(const Values& actual, const Values& expected) {
    if (GetParam().repeats || actual.size() != expected.size()) return same_bits(actual, expected);
    std::size_t far = 0;
    for (std::size_t i = 0; i < actual.size(); ++i) {
      if (!(std::abs(actual[i] - expected[i]) <= 1e-3)) ++far;
    }
    if (far * 100 <= actual.size()) return testing::AssertionSuccess();
    return testing::AssertionFailure() << far << " of " << actual.size() << " elements differ";
  }
};

TEST_P(Record, RunsNothingUntilItIsReplayed) {
  Counter counter = backend_.make_counter();
  const auto recording = backend_.record([&] { backend_.increment(counter); });
  EXPECT_EQ(backend_.get(counter), 0);
  recording->replay();
  recording->replay();
  backend_.synchronize();
  EXPECT_EQ(backend_.get(counter), 2);
}

TEST_P(Record, ReplaysSeeWhatMatricesHoldThen) {
  Matrix from = make_matrix(backend_, 1, 3, Values{1, 2, 3});
  Matrix to = backend_.allocate(1, 3);
  const auto recording = backend_.record([&] { backend_.copy(from, to); });
  backend_.upload(Values{4, 5, 6}, from);
  recording->replay();
  EXPECT_TRUE(same_bits(values_of(backend_, to), {4, 5, 6}));
}

TEST_P(Record, ReplayedStepsTrainLikeCalledOnes) {
  const Interactions interactions = random_interactions(40, 30, 0.25, 3);
  TrainingStep called(backend_, interactions, 33, 64);
  TrainingStep replayed(backend_, interactions, 33, 64);
  called.sample(0);
  replayed.sample(0);
  const auto recording = backend_.record([&] { replayed.run(); });
  // Two and a half epochs without drawing again: the first batch follows the last, short one.
  const std::int64_t steps = 2 * called.num_batches() + called.num_batches() / 2;
  ASSERT_GT(called.num_batches(), 3);
  const auto compare = [&] {
    EXPECT_EQ(called.steps(), replayed.steps());
    EXPECT_TRUE(agree(replayed.users(), called.users()));
    EXPECT_TRUE(agree(replayed.items(), called.items()));
    EXPECT_TRUE(agree(replayed.losses(), called.losses()));
  };
  for (std::int64_t step = 0; step < steps; ++step) {
    called.run();
    recording->replay();
    if (step < 3) compare();
  }
  compare();
  EXPECT_EQ(replayed.steps(), steps);

  // The recording follows a new epoch too.
  called.sample(1);
  replayed.sample(1);
  called.run();
  recording->replay();
  compare();
}

TEST_P(Record, AStepMayMoveOverTwoBatches) {
  // An odd number of batches ends an epoch in the middle of a step. simt_late plans about 200
  // triplets ahead, so that some steps begin within a plan and end beyond it.
  const Interactions interactions = random_interactions(40, 30, 0.25, 3);
  for (const std::int64_t batch_size : {20, 24, 64}) {
    TrainingStep called(backend_, interactions, 33, batch_size);
    TrainingStep replayed(backend_, interactions, 33, batch_size);
    called.sample(0);
    replayed.sample(0);
    const auto recording = backend_.record([&] {
      replayed.run();
      replayed.run();
    });
    for (std::int64_t replay = 0; replay <= called.num_batches(); ++replay) {
      if (replay == called.num_batches() - 1) {  // a new epoch in the middle of the old one
        called.sample(1);
        replayed.sample(1);
      }
      called.run();
      called.run();
      recording->replay();
      ASSERT_TRUE(agree(replayed.losses(), called.losses()))
          << "batches of " << batch_size << ", replay " << replay;
    }
    EXPECT_EQ(replayed.steps(), called.steps());
    EXPECT_TRUE(agree(replayed.users(), called.users()));
    EXPECT_TRUE(agree(replayed.items(), called.items()));
  }
}

/// Calls that make or read something, or wait. Each must be refused in a step, by its name.
struct ForbiddenCall {
  const char* name;
  std::function<void()> call;
};

TEST_P(Record, RefusesCallsThatAllocateWaitOrMoveNumbers) {
  const Interactions interactions = random_interactions(40, 30, 0.25, 3);
  const Graph graph = backend_.make_graph(interactions);
  Triplets triplets = backend_.make_triplets(graph, {}, 20);
  backend_.sample(triplets, 0);
  const std::vector<Triplet> given = backend_.get_triplets(triplets);
  Matrix matrix = backend_.allocate(3, 2);
  Counter counter = backend_.make_counter();
  RowSteps steps = backend_.make_row_steps(3);
  const std::vector<NodeId> rows{1};
  const RowSet set = backend_.make_row_set(3, rows);
  const auto recording = backend_.record([&] { backend_.fill(matrix, 1.0); });
  const Values numbers(6);
  std::vector<double> doubles(6);
  std::vector<float> floats(6);
  TopItems top;
  const ForbiddenCall calls[] = {
      {"allocate", [&] { backend_.allocate(1, 1); }},
      {"upload", [&] { backend_.upload(std::span<const double>(numbers), matrix); }},
      {"upload", [&] { backend_.upload(std::span<const float>(floats), matrix); }},
      {"download", [&] { backend_.download(matrix, std::span<double>(doubles)); }},
      {"download", [&] { backend_.download(matrix, std::span<float>(floats)); }},
      {"make_graph", [&] { backend_.make_graph(interactions); }},
      {"make_row_set", [&] { backend_.make_row_set(3, rows); }},
      {"get_rows", [&] { backend_.get_rows(set); }},
      {"make_counter", [&] { backend_.make_counter(); }},
      {"set", [&] { backend_.set(counter, 1); }},
      {"get", [&] { backend_.get(counter); }},
      {"make_row_steps", [&] { backend_.make_row_steps(3); }},
      {"set", [&] { backend_.set(steps, 1); }},
      {"make_triplets", [&] { backend_.make_triplets(graph, {}, 20); }},
      {"sample", [&] { backend_.sample(triplets, 1); }},
      {"set_triplets", [&] { backend_.set_triplets(triplets, given); }},
      {"get_triplets", [&] { backend_.get_triplets(triplets); }},
      {"batch_number", [&] { backend_.batch_number(triplets); }},
      {"get_batch", [&] { backend_.get_batch(triplets); }},
      {"make_dense_state", [&] { backend_.make_dense_state(2, 2); }},
      {"score_topk", [&] { backend_.score_topk(matrix, matrix, rows, {}, 1, top); }},
      {"embedding_statistics", [&] { backend_.embedding_statistics(matrix); }},
      {"synchronize", [&] { backend_.synchronize(); }},
      {"seconds", [&] { backend_.seconds([] {}); }},
      {"record", [&] { backend_.record([] {}); }},
      {"replay", [&] { recording->replay(); }},
  };
  for (const ForbiddenCall& forbidden : calls) {
    EXPECT_NO_THROW(forbidden.call()) << forbidden.name << ", not recorded";
    try {
      backend_.record(forbidden.call)->replay();
      ADD_FAILURE() << forbidden.name << " is not refused";
    } catch (const ShapeError& error) {
      EXPECT_EQ(
          std::string(error.what()).find(std::string(forbidden.name) + "() inside a recorded step"),
          0u)
          << error.what();
    }
  }
  EXPECT_NO_THROW(backend_.synchronize()) << "the failed steps are over";
  recording->replay();
}

TEST_P(Record, RefusesToRecordNothing) {
  EXPECT_THROW(backend_.record({}), Error);
}

INSTANTIATE_TEST_SUITE_P(Backends, Record, testing::ValuesIn(backends_of_batches_under_test()),
                         backend_name);

}  // namespace
}  // namespace tern::test
