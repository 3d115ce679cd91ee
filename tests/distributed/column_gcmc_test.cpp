// gcmc by several ranks, which are threads here, beside one rank: losses of steps, bits, states, and the
// bytes that a step exchanges.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "host/distributed/column_backend.hpp"
#include "host/loss/bpr_loss.hpp"
#include "host/model/message.hpp"
#include "host/train/optimizer.hpp"
#include "tern/device.hpp"
#include "tern/trainer.hpp"
#include "tests/distributed/ranks_in_threads.hpp"
#include "tests/support/matrices.hpp"
#include "tests/train/job.hpp"

namespace tern::test {
namespace {

using distributed::ColumnBackend;
using distributed::Communicator;
using ::testing::Each;

struct GcMcJob {
  const char* name;
  InputKind inputs;
  std::vector<int> hidden;
  int width;
  double dropout = 0.0;
  double message_dropout = 0.0;
};

/// Numbers, categories and ids; one layer to three. From wide to narrow, messages are mapped and then
/// propagated; from narrow to wide the other way round. 40 columns: two or three ranks have uneven parts.
const GcMcJob kGcMcJobs[] = {
    {"ids", InputKind::kIds, {}, 40},
    {"ids_narrow_then_wide", InputKind::kIds, {24, 64}, 40},
    {"features", InputKind::kFeatures, {}, 40},
    {"features_and_ids", InputKind::kBoth, {40}, 24},
    {"dropouts", InputKind::kBoth, {24}, 40, 0.2, 0.1},
};

Config gcmc_config(const GcMcJob& job) {
  Config config = planted_config(ModelKind::kGcMc);
  config.model.inputs = job.inputs;
  config.model.hidden = job.hidden;
  config.model.width = job.width;
  config.model.dropout = job.dropout;
  config.model.message_dropout = job.message_dropout;
  config.l2 = 0.01;
  config.epochs = 6;
  config.evaluate_every = 2;
  return config;
}

/// A training whose steps are called one by one.
struct GcMcSteps {
  GcMcSteps(Backend& on, const Dataset& data, const Config& config)
      : backend(on),
        features(features_for(data, config.model)),
        graph(backend.make_graph(data.train)),
        triplets(backend.make_triplets(graph, {.seed = config.seed}, config.batch_size)),
        model(make_model(backend, graph, triplets, config.model, features.view())),
        loss(backend, config.l2),
        optimizer(backend, model->parameters(), config.optimizer),
        losses(backend.allocate(BprLoss::kTerms, triplets.num_batches(), {.replicated = true})) {
    model->initialize(config.seed);
  }

  void step() {
    if (done++ % triplets.num_batches() == 0) backend.sample(triplets, ++epoch);
    model->forward();
    Batch batch(backend, triplets);
    loss.backward(*model, batch, losses);
    optimizer.step();
    backend.next_batch(triplets);
  }

  /// The losses of the next steps.
  std::vector<double> run(int steps) {
    std::vector<double> all;
    for (int i = 0; i < steps; ++i) {
      const auto column = static_cast<std::size_t>(done % triplets.num_batches());
      step();
      const Values now = values_of(backend, losses);
      all.push_back(now[column] + now[column + now.size() / 2]);
    }
    return all;
  }

  Backend& backend;
  EncodedDataset features;
  Graph graph;
  Triplets triplets;
  std::unique_ptr<Model> model;
  BprLoss loss;
  Optimizer optimizer;
  Matrix losses;
  std::int64_t done = 0;
  std::uint32_t epoch = 0;
};

/// The results of body(training) on every rank.
template <class Result, class Body>
std::vector<Result> on_ranks(int ranks, int threads, const Dataset& data, const Config& config,
                             const Body& body) {
  std::vector<Result> all(static_cast<std::size_t>(ranks));
  const auto failures = run_ranks(ranks, [&](Communicator& communicator) {
    ColumnBackend backend(communicator, threads);
    GcMcSteps steps(backend, data, config);
    all[static_cast<std::size_t>(communicator.rank())] = body(steps, communicator);
  });
  EXPECT_THAT(failures, Each(""));
  return all;
}

/// With ε = 1e-8, Adam moves an element by the learning rate even if its gradient is 0 but for rounding, as
/// that of a bias in front of a batch normalisation may be: then one rank in f32 is as far from f64 as from
/// other ranks. With this ε a step is a smooth function of the gradients, except where a ReLU opens or
/// shuts; so f32 rounds the losses alone, of which a unit is 5e-7 here.
TEST(ColumnGcMc, FirstStepsAreThoseOfOneRank) {
  const Dataset data = with_planted_features(planted_dataset());
  for (const GcMcJob& job : kGcMcJobs) {
    Config config = gcmc_config(job);
    config.optimizer.adam.epsilon = 1e-3;
    config.optimizer.adam.learning_rate = 1e-4;
    const auto backend = make_cpu_backend(1);
    const std::vector<double> expected = GcMcSteps(*backend, data, config).run(50);
    ASSERT_LT(expected.back(), 0.9 * expected.front()) << job.name << " does not learn";
    for (const int ranks : {1, 2, 3}) {
      const auto all = on_ranks<std::vector<double>>(
          ranks, 1, data, config, [](GcMcSteps& steps, Communicator&) { return steps.run(50); });
      for (const std::vector<double>& actual : all) {
        ASSERT_EQ(actual.size(), expected.size());
        double sum = 0.0;
        for (std::size_t i = 0; i < actual.size(); ++i) {
          ASSERT_NEAR(actual[i], expected[i], 2e-5) << job.name << ", step " << i;  // a ReLU
          sum += std::abs(actual[i] - expected[i]);
        }
        EXPECT_LE(sum / 50, 1e-6 * expected.front()) << job.name << ", " << ranks << " ranks";
      }
    }
  }
}

/// Everything that a training has: parameters, running statistics, and moments.
std::vector<Values> all_of(GcMcSteps& steps) {
  std::vector<Values> all;
  for (const Parameter& parameter : steps.model->parameters()) {
    all.push_back(values_of(steps.backend, *parameter.value));
  }
  for (const NamedBuffer& buffer : steps.model->buffers()) {
    all.push_back(values_of(steps.backend, *buffer.value));
  }
  for (const NamedBuffer& buffer : steps.optimizer.buffers()) {
    all.push_back(values_of(steps.backend, *buffer.value));
  }
  return all;
}

TEST(ColumnGcMc, EqualRunsGiveEqualBitsOnEveryRank) {
  const Dataset data = with_planted_features(planted_dataset());
  for (const GcMcJob& job : kGcMcJobs) {
    const auto run = [&](int threads) {
      return on_ranks<std::vector<Values>>(3, threads, data, gcmc_config(job),
                                           [](GcMcSteps& steps, Communicator&) {
                                             steps.run(20);
                                             return all_of(steps);
                                           });
    };
    const auto first = run(1);
    const auto second = run(2);
    for (std::size_t rank = 0; rank < first.size(); ++rank) {
      EXPECT_EQ(first[rank], first[0]) << job.name;
      EXPECT_EQ(second[rank], first[0]) << job.name;
    }
  }
}

/// The tables that a forward pass gathers: rows and columns.
std::vector<std::array<std::int64_t, 2>> gathered_tables(const GcMcSteps& steps, const GcMcJob& job,
                                                         std::set<MessageOrder>* orders = nullptr) {
  std::vector<std::array<std::int64_t, 2>> tables;
  std::vector<int> widths = job.hidden;
  widths.push_back(job.width);
  std::int64_t learned = job.inputs == InputKind::kFeatures ? 0 : job.width;
  for (std::size_t layer = 0; layer < widths.size(); ++layer) {
    const bool reads_features = layer == 0 && job.inputs != InputKind::kIds;
    for (const Side side : {Side::kUser, Side::kItem}) {
      const Side sender = side == Side::kUser ? Side::kItem : Side::kUser;
      const std::int64_t nodes = steps.graph.num_nodes(side);
      const EncodedFeatures* features = reads_features ? steps.features.view().of(sender) : nullptr;
      MessageSizes sizes{.senders = steps.graph.num_nodes(sender),
                         .receivers = nodes,
                         .edges = steps.graph.size(),
                         .learned = learned,
                         .width = widths[layer]};
      if (features != nullptr) {
        sizes.numbers = std::ssize(features->number_names);
        sizes.categories = features->categories.num_items();
        sizes.ones = features->categories.size();
      }
      const MessageOrder order = cheaper_order(sizes);
      if (orders != nullptr && learned > 0) orders->insert(order);
      const bool linear_first = order == MessageOrder::kLinearFirst;
      tables.push_back({nodes, learned});                                 // x W1
      tables.push_back({linear_first ? sizes.senders : nodes, learned});  // x' Wc
      tables.push_back({nodes, widths[layer]});                           // h W3
    }
    learned = widths[layer];
  }
  return tables;
}

TEST(ColumnGcMc, AStepExchangesTheBytesOfTheFormula) {
  const Dataset data = with_planted_features(planted_dataset());
  for (const GcMcJob& job : kGcMcJobs) {
    for (const int ranks : {1, 2, 3}) {
      Config config = gcmc_config(job);
      config.batch_size = 120;
      on_ranks<bool>(ranks, 1, data, config, [&](GcMcSteps& steps, Communicator& communicator) {
        std::int64_t own = 0;
        std::int64_t others = 0;
        for (const auto& [rows, width] : gathered_tables(steps, job)) {
          const auto mine = distributed::columns_of(width, communicator.rank(), ranks).size();
          own += 4 * rows * mine;
          others += 4 * rows * (width - mine);
        }
        const std::int64_t scores = 2 * 8 * 120 * (ranks - 1) / ranks;
        const distributed::Traffic before = communicator.traffic();
        steps.step();
        const distributed::Traffic after = communicator.traffic();
        // Gathered forward and backward, and gradients to their owners; the norm of the penalty.
        const std::int64_t sent = 2 * (ranks - 1) * own + others;
        const std::int64_t received = 2 * others + (ranks - 1) * own;
        EXPECT_EQ(after.sent - before.sent, sent + scores + 8 * (ranks - 1)) << job.name;
        EXPECT_EQ(after.received - before.received, received + scores + 8 * (ranks - 1));
        return true;
      });
    }
  }
}

TEST(ColumnGcMc, TheJobsHaveBothOrdersOfMessages) {
  const Dataset data = with_planted_features(planted_dataset());
  std::set<MessageOrder> orders;
  for (const GcMcJob& job : kGcMcJobs) {
    const auto backend = make_cpu_backend(1);
    gathered_tables(GcMcSteps(*backend, data, gcmc_config(job)), job, &orders);
  }
  EXPECT_EQ(orders.size(), 2U);
}

std::vector<TrainingState> states_by_ranks(int ranks, const Dataset& data, const Config& config,
                                           const TrainingState* from = nullptr) {
  std::vector<TrainingState> all(static_cast<std::size_t>(ranks));
  const auto failures = run_ranks(ranks, [&](Communicator& communicator) {
    ColumnBackend backend(communicator, 1);
    Trainer trainer(backend, data, config);
    trainer.rehearse();
    if (from != nullptr) trainer.restore(*from);
    trainer.run();
    all[static_cast<std::size_t>(communicator.rank())] = trainer.state();
  });
  EXPECT_THAT(failures, Each(""));
  return all;
}

TEST(ColumnGcMc, AStateIsWholeAndResumes) {
  const Dataset data = with_planted_features(planted_dataset());
  for (const GcMcJob& job : kGcMcJobs) {
    Config config = gcmc_config(job);
    const TrainingState whole = states_by_ranks(3, data, config)[0];
    config.epochs = 4;
    const TrainingState half = states_by_ranks(3, data, config)[0];
    const TensorFile shapes = trained_parameters(*make_cpu_backend(1), data, config);
    for (const auto& [name, tensor] : shapes.tensors) {
      EXPECT_EQ(half.tensors.at(name).shape, tensor.shape) << job.name << ", " << name;
    }
    // No epoch is left: what was restored is saved again, under any number of ranks.
    for (const int ranks : {1, 2}) {
      for (const TrainingState& again : states_by_ranks(ranks, data, config, &half)) {
        EXPECT_TRUE(same(again, half)) << job.name;
      }
    }
    config.epochs = 6;
    for (const TrainingState& resumed : states_by_ranks(3, data, config, &half)) {
      EXPECT_TRUE(same(resumed, whole)) << job.name;
    }
    for (const TrainingState& resumed : states_by_ranks(2, data, config, &half)) {
      EXPECT_EQ(resumed.progress.epoch, whole.progress.epoch) << job.name;
      EXPECT_EQ(resumed.counters, whole.counters) << job.name;
    }
  }
}

}  // namespace
}  // namespace tern::test
