#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "host/cpu/storage.hpp"
#include "tern/batch.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/graphs.hpp"
#include "tests/support/matrices.hpp"
#include "tests/support/sampling.hpp"

// The current batch: its number, its rows, and the order of batches in an epoch.
namespace tern::test {
namespace {

class Batches : public BackendTest {
 protected:
  /// Checks that number, triplets and rows of the current batch are those of this one of the epoch.
  void expect_current(Triplets& triplets, std::int64_t batch, const std::string& where) {
    const auto members_of_batch = batch_of(backend_, triplets, batch);
    const Batch current(backend_, triplets);
    EXPECT_EQ(current.number(), batch) << where;
    EXPECT_EQ(current.size(), std::ssize(members_of_batch)) << where << ", batch " << batch;
    EXPECT_EQ(current.read(), members_of_batch) << where << ", batch " << batch;
    for (const Side side : {Side::kUser, Side::kItem}) {
      const RowSet& rows = triplets.rows(side);
      const std::vector<bool> expected = marks(rows.num_nodes(), rows_of(members_of_batch, side));
      EXPECT_EQ(members(backend_, rows), expected) << where << ", batch " << batch;
      EXPECT_EQ(marked(backend_, rows), expected) << where << ", batch " << batch << ", by marks";
      std::vector<NodeId> ids;
      for (NodeId node = 0; node < rows.num_nodes(); ++node) {
        if (expected[static_cast<std::size_t>(node)]) ids.push_back(node);
      }
      EXPECT_EQ(current.read_rows(side), ids) << where << ", batch " << batch;
    }
  }

  static Interactions small_graph() { return {3, 4, {0, 2, 3, 4}, {0, 1, 2, 3}}; }
};

TEST_P(Batches, FollowTheEpochAndWrapAround) {
  for (const NamedGraph& named : graph_battery(GetParam().budget)) {
    if (!can_sample(named.interactions)) continue;
    const Graph graph = backend_.make_graph(named.interactions);
    const std::int64_t batch_size = named.interactions.size() / 3 + 1;
    Triplets triplets = backend_.make_triplets(graph, {.seed = Seed{8}}, batch_size);
    backend_.sample(triplets, 2);
    for (std::int64_t step = 0; step <= triplets.num_batches(); ++step) {
      expect_current(triplets, step % triplets.num_batches(), named.name);
      backend_.next_batch(triplets);
    }
    backend_.sample(triplets, 3);  // in the middle of an epoch: back to the first batch
    expect_current(triplets, 0, named.name);
  }
}

TEST_P(Batches, HaveTheSizesTheyShould) {
  const Graph graph = backend_.make_graph(random_interactions(20, 10, 0.5, 1));
  const std::int64_t size = graph.size();
  for (const std::int64_t batch_size :
       {std::int64_t{1}, std::int64_t{7}, size - 1, size, size + 1, (std::int64_t{1} << 30) - 1}) {
    Triplets triplets = backend_.make_triplets(graph, {}, batch_size);
    EXPECT_EQ(triplets.size(), size);
    EXPECT_EQ(triplets.num_batches(), (size - 1) / batch_size + 1);
    EXPECT_EQ(triplets.rows(Side::kUser).num_nodes(), 20);
    EXPECT_EQ(triplets.rows(Side::kItem).num_nodes(), 10);
    EXPECT_LE(triplets.rows(Side::kUser).capacity(), 20);
    EXPECT_LE(triplets.rows(Side::kItem).capacity(), 10);
    backend_.sample(triplets, 0);
    for (std::int64_t batch = 0; batch < triplets.num_batches(); ++batch) {
      expect_current(triplets, batch, "batches of " + std::to_string(batch_size));
      backend_.next_batch(triplets);
    }
  }
}

TEST_P(Batches, TakeTripletsThatAreGiven) {
  const Graph graph = backend_.make_graph(small_graph());
  Triplets triplets = backend_.make_triplets(graph, {}, 3);
  const std::vector<Triplet> given{{2, 3, 0}, {2, 3, 3}, {0, 0, 1}, {1, 2, 2}};
  backend_.set_triplets(triplets, given);
  EXPECT_EQ(backend_.get_triplets(triplets), given);
  expect_current(triplets, 0, "given");
  EXPECT_EQ(members(backend_, triplets.rows(Side::kUser)), (std::vector<bool>{true, false, true}));
  backend_.next_batch(triplets);
  EXPECT_EQ(members(backend_, triplets.rows(Side::kItem)),
            (std::vector<bool>{false, false, true, false}));
  backend_.set_triplets(triplets, given);  // the first batch again
  expect_current(triplets, 0, "given again");
  backend_.sample(triplets, 0);  // and drawn ones after given ones
  EXPECT_NE(backend_.get_triplets(triplets), given);
  expect_current(triplets, 0, "drawn");
}

TEST_P(Batches, OfPairsHoldTheirPositivesAlone) {
  for (const NamedGraph& named : graph_battery(GetParam().budget)) {
    if (!can_sample(named.interactions)) continue;
    const Graph graph = backend_.make_graph(named.interactions);
    const std::int64_t batch_size = named.interactions.size() / 3 + 1;
    Triplets pairs =
        backend_.make_triplets(graph, {.negatives_per_positive = 0, .seed = Seed{8}}, batch_size);
    EXPECT_LE(pairs.rows(Side::kItem).capacity(), pairs.batch_size());
    backend_.sample(pairs, 2);
    for (std::int64_t step = 0; step <= pairs.num_batches(); ++step) {
      expect_current(pairs, step % pairs.num_batches(), named.name);
      backend_.next_batch(pairs);
    }
  }
}

TEST_P(Batches, TakePairsThatAreGiven) {
  const Graph graph = backend_.make_graph(small_graph());
  Triplets pairs = backend_.make_triplets(graph, {.negatives_per_positive = 0}, 3);
  const std::vector<Triplet> given{{2, 3, -1}, {2, 0, -1}, {0, 3, -1}, {1, 2, -1}};
  backend_.set_triplets(pairs, given);
  EXPECT_EQ(backend_.get_triplets(pairs), given);
  EXPECT_EQ(members(backend_, pairs.rows(Side::kUser)), (std::vector<bool>{true, false, true}));
  EXPECT_EQ(members(backend_, pairs.rows(Side::kItem)),
            (std::vector<bool>{true, false, false, true}));
  backend_.next_batch(pairs);  // shorter than the batch before
  EXPECT_EQ(members(backend_, pairs.rows(Side::kUser)), (std::vector<bool>{false, true, false}));
  EXPECT_EQ(members(backend_, pairs.rows(Side::kItem)),
            (std::vector<bool>{false, false, true, false}));
  for (const NodeId negative : {0, 3, 4, -2}) {
    std::vector<Triplet> values = given;
    values[2].negative = negative;
    EXPECT_THROW(backend_.set_triplets(pairs, values), ShapeError) << negative;
  }
  EXPECT_EQ(backend_.get_triplets(pairs), given) << "a refusal changes nothing";
}

TEST_P(Batches, StayTogetherWhenTheHandleMoves) {
  const Graph graph = backend_.make_graph(small_graph());
  Triplets first = backend_.make_triplets(graph, {}, 3);
  backend_.sample(first, 0);
  Triplets moved = std::move(first);
  expect_current(moved, 0, "moved");
  backend_.next_batch(moved);
  expect_current(moved, 1, "moved");
}

TEST_P(Batches, RefuseTripletsThatDoNotFit) {
  const Graph graph = backend_.make_graph(small_graph());
  Triplets triplets = backend_.make_triplets(graph, {}, 3);
  EXPECT_THROW(backend_.get_triplets(triplets), ShapeError) << "nothing was drawn yet";
  EXPECT_THROW(backend_.next_batch(triplets), ShapeError);
  const std::vector<Triplet> sound{{2, 3, 0}, {2, 3, 3}, {0, 0, 1}, {1, 2, 2}};
  const auto refuses = [&](std::vector<Triplet> values) {
    EXPECT_THROW(backend_.set_triplets(triplets, values), ShapeError);
  };
  EXPECT_THROW(backend_.batch_number(triplets), ShapeError) << "nothing is sampled";
  EXPECT_THROW(backend_.get_batch(triplets), ShapeError) << "nothing is sampled";
  EXPECT_THROW(backend_.get_rows({}), ShapeError);
  refuses({sound.begin(), sound.end() - 1});
  refuses({});
  for (const Triplet& wrong : {Triplet{3, 0, 0}, Triplet{-1, 0, 0}, Triplet{0, 4, 0},
                               Triplet{0, -1, 0}, Triplet{0, 0, 4}, Triplet{0, 0, -1}}) {
    std::vector<Triplet> values = sound;
    values[2] = wrong;
    refuses(values);
  }
  Triplets none;
  Triplets foreign(std::make_unique<StrangerStorage>(), 4, 3, backend_.make_row_set(3, {}),
                   backend_.make_row_set(4, {}));
  for (Triplets* wrong : {&none, &foreign}) {
    EXPECT_THROW(backend_.sample(*wrong, 0), ShapeError);
    EXPECT_THROW(backend_.set_triplets(*wrong, sound), ShapeError);
    EXPECT_THROW(backend_.get_triplets(*wrong), ShapeError);
    EXPECT_THROW(backend_.next_batch(*wrong), ShapeError);
    EXPECT_THROW(backend_.batch_number(*wrong), ShapeError);
    EXPECT_THROW(backend_.get_batch(*wrong), ShapeError);
    EXPECT_THROW(backend_.sampling_counts(*wrong), ShapeError);
  }
}

/// The numbers of the occurrences of batch 0 on one side, ordered by row, as the CPU stores them.
std::vector<std::int32_t> cpu_occurrences(int negatives_per_positive,
                                          const std::vector<Triplet>& values, Side side) {
  const auto backend = make_cpu_backend(1);
  const Graph graph = backend->make_graph({3, 4, {0, 2, 3, 4}, {0, 1, 2, 3}});
  Triplets triplets =
      backend->make_triplets(graph, {.negatives_per_positive = negatives_per_positive}, 3);
  backend->set_triplets(triplets, values);
  const auto& storage = dynamic_cast<const cpu::TripletsStorage&>(*triplets.storage());
  return storage.occurrences[static_cast<int>(side)].occurrences;
}

/// The ops of a batch rely on these numbers. The plan of CUDA is tested in tests/simt_backend.
TEST(BatchesOfTheCpu, NumberPositivesEvenAndNegativesOdd) {
  const std::vector<Triplet> triplets{{2, 3, 0}, {2, 0, 3}, {0, 3, 1}, {1, 2, 2}};
  using Numbers = std::vector<std::int32_t>;
  EXPECT_EQ(cpu_occurrences(1, triplets, Side::kUser), (Numbers{2, 0, 1}));
  EXPECT_EQ(cpu_occurrences(1, triplets, Side::kItem), (Numbers{1, 2, 5, 0, 3, 4}));
  const std::vector<Triplet> pairs{{2, 3, -1}, {2, 0, -1}, {0, 3, -1}, {1, 2, -1}};
  EXPECT_EQ(cpu_occurrences(0, pairs, Side::kUser), (Numbers{2, 0, 1}));
  EXPECT_EQ(cpu_occurrences(0, pairs, Side::kItem), (Numbers{2, 0, 4}));
}

INSTANTIATE_TEST_SUITE_P(Backends, Batches, testing::ValuesIn(backends_of_batches_under_test()),
                         backend_name);

}  // namespace
}  // namespace tern::test
