#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "host/config/batch.hpp"
#include "host/distributed/column_backend.hpp"
#include "host/train/optimizer.hpp"
#include "host/train/sampling.hpp"
#include "tern/loss.hpp"
#include "tern/trainer.hpp"
#include "tests/distributed/ranks_in_threads.hpp"
#include "tests/support/matrices.hpp"
#include "tests/train/job.hpp"

namespace tern::test {

/// 40 columns: five groups, which two or three ranks do not share evenly.
inline Config wide_config(ModelKind kind, int width = 40) {
  Config config = planted_config(kind);
  config.model.width = width;
  config.model.init_std = 0.3;
  config.l2 = 0.01;
  config.epochs = 6;
  config.evaluate_every = 2;
  return config;
}

/// The losses of the first steps, (terms, batches) for each epoch, and the parameters after them, by side.
struct AfterSteps {
  Values losses;
  Values parameters[2];
};

inline AfterSteps run_steps(Backend& backend, const Dataset& data, const Config& config,
                            int steps) {
  const Graph graph = backend.make_graph(data.train);
  Triplets triplets = backend.make_triplets(graph, sampling_of(config), batch_triplets(config));
  const auto model = make_model(backend, graph, triplets, config.model);
  model->initialize(config.seed);
  const auto loss = make_loss(backend, config.loss, config.l2, graph.num_nodes(Side::kUser));
  Optimizer optimizer(backend, model->parameters(), config.optimizer);
  AfterSteps after;
  for (int epoch = 1; steps > 0; ++epoch) {
    Matrix losses =
        backend.allocate(loss_terms(*model), triplets.num_batches(), {.replicated = true});
    loss->begin_epoch(*model, epoch, {});
    backend.sample(triplets, static_cast<std::uint32_t>(epoch));
    for (std::int64_t step = 0; step < triplets.num_batches() && steps > 0; ++step, --steps) {
      optimizer.catch_up();
      model->forward();
      Batch batch(backend, triplets);
      loss->backward(*model, batch, losses);
      optimizer.step();
      backend.next_batch(triplets);
    }
    const Values more = values_of(backend, losses);
    after.losses.insert(after.losses.end(), more.begin(), more.end());
  }
  optimizer.settle();
  for (int side = 0; side < 2; ++side) {
    after.parameters[side] = values_of(backend, *model->parameters()[side].value);
  }
  return after;
}

/// The results of every rank.
inline std::vector<AfterSteps> run_steps_by_ranks(int ranks, const Dataset& data,
                                                  const Config& config, int steps,
                                                  int threads = 1) {
  std::vector<AfterSteps> all(static_cast<std::size_t>(ranks));
  const auto failures = run_ranks(ranks, [&](distributed::Communicator& communicator) {
    distributed::ColumnBackend backend(communicator, threads);
    all[static_cast<std::size_t>(communicator.rank())] = run_steps(backend, data, config, steps);
  });
  EXPECT_THAT(failures, testing::Each(""));
  return all;
}

}  // namespace tern::test
