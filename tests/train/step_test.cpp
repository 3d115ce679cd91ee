// Whole training steps on the CPU backend, against the reference and against itself.

#include <gtest/gtest.h>

#include <cmath>
#include <span>

#include "host/loss/bpr_loss.hpp"
#include "host/train/optimizer.hpp"
#include "tern/device.hpp"
#include "tern/run.hpp"
#include "tern/trainer.hpp"
#include "tests/support/matrices.hpp"
#include "tests/train/planted.hpp"

namespace tern::test {
namespace {

/// The models with one parameter a side; tests/model has every gradient of gcmc.
constexpr ModelKind kTableModels[] = {ModelKind::kLightGcn, ModelKind::kMatrixFactorization};

/// The results of a few steps: parameters by side, losses, and the last gradients.
struct AfterSteps {
  Values parameters[2];
  Values gradients[2];
  Values losses;
};

AfterSteps run_steps(Backend& backend, const Dataset& data, const Config& config, int steps) {
  const Graph graph = backend.make_graph(data.train);
  SamplingOptions sampling;
  sampling.seed = config.seed;
  Triplets triplets = backend.make_triplets(graph, sampling, config.batch_size);
  const auto model = make_model(backend, graph, triplets, config.model);
  model->initialize(config.seed);
  BprLoss loss(backend, config.l2);
  Optimizer optimizer(backend, model->parameters(), config.optimizer);
  Matrix losses = backend.allocate(BprLoss::kTerms, triplets.num_batches());
  backend.sample(triplets, 1);
  for (int step = 0; step < steps; ++step) {
    optimizer.catch_up();
    model->forward();
    Batch batch(backend, triplets);
    loss.backward(*model, batch, losses);
    optimizer.step();
    backend.next_batch(triplets);
  }
  optimizer.settle();
  AfterSteps after;
  for (int i = 0; i < 2; ++i) {
    after.parameters[i] = values_of(backend, *model->parameters()[i].value);
    after.gradients[i] = values_of(backend, *model->parameters()[i].gradient);
  }
  after.losses = values_of(backend, losses);
  return after;
}

Config step_config(ModelKind kind) {
  Config config = planted_config(kind);
  config.model.width = 17;  // neither a vector's width nor a multiple of it
  config.model.init_std = 0.5;
  config.l2 = 0.01;
  return config;
}

TEST(TrainingStep, OnTheCpuEqualsTheReference) {
  const Dataset data = planted_dataset();
  for (const ModelKind kind : kTableModels) {
    Config config = step_config(kind);
    config.optimizer.kind = OptimizerKind::kSgd;
    config.optimizer.sgd.learning_rate = 5.0;
    config.optimizer.sgd.momentum = 0.5;
    const AfterSteps expected = run_steps(*make_reference_backend(), data, config, 5);
    const AfterSteps actual = run_steps(*make_cpu_backend(2), data, config, 5);
    for (int side = 0; side < 2; ++side) {
      const Values& values = expected.parameters[side];
      for (std::size_t i = 0; i < values.size(); ++i) {
        ASSERT_NEAR(actual.parameters[side][i], values[i], 3e-6) << side << " " << i;
      }
    }
    for (std::size_t i = 0; i < expected.losses.size(); ++i) {
      EXPECT_NEAR(actual.losses[i], expected.losses[i], 2e-6) << i;
    }
  }
}

TEST(TrainingStep, OfAdamOnTheCpuEqualsTheReference) {
  const Dataset data = planted_dataset();
  for (const ModelKind kind : kTableModels) {
    const Config config = step_config(kind);
    const double rate = config.optimizer.adam.learning_rate;
    const AfterSteps expected = run_steps(*make_reference_backend(), data, config, 1);
    const AfterSteps actual = run_steps(*make_cpu_backend(2), data, config, 1);
    for (int side = 0; side < 2; ++side) {
      const Values& values = expected.parameters[side];
      for (std::size_t i = 0; i < values.size(); ++i) {
        // Adam's first step is rate · sign(gradient): if the gradient is as small as its rounding
        // error, either sign is right.
        const bool clear = std::abs(expected.gradients[side][i]) > 1e-5;
        ASSERT_NEAR(actual.parameters[side][i], values[i], clear ? 1e-3 * rate : 2.01 * rate)
            << side << " " << i;
      }
    }
  }
}

/// The parameters after a few epochs.
TensorFile trained(Backend& backend, const Dataset& data, const Config& config,
                   std::vector<EpochRecord>* records = nullptr) {
  Trainer trainer(backend, data, config);
  TrainerCallbacks callbacks;
  callbacks.on_epoch = [&](const EpochRecord& record) {
    if (records != nullptr) records->push_back(record);
  };
  trainer.run(callbacks);
  return trainer.last();
}

const std::vector<float>& f32_values_of(const TensorFile& file, const char* name) {
  return std::get<std::vector<float>>(file.tensors.at(name).values);
}

TEST(CpuTraining, IsTheSameForEveryNumberOfThreads) {
  for (const ModelKind kind : kModels) {
    SCOPED_TRACE(model_name(kind));
    const Dataset data = planted_dataset_for(kind, 800, 300);
    Config config = planted_config(kind);
    config.epochs = 3;
    config.batch_size = 512;
    config.evaluate_every = 1;
    std::vector<EpochRecord> records[4];
    const TensorFile one = trained(*make_cpu_backend(1), data, config, &records[0]);
    const TensorFile two = trained(*make_cpu_backend(2), data, config, &records[1]);
    const TensorFile five = trained(*make_cpu_backend(5), data, config, &records[2]);
    config.seed = Seed{6};
    const TensorFile other = trained(*make_cpu_backend(2), data, config, &records[3]);
    for (const auto& [name, tensor] : one.tensors) {
      const char* const of = name.c_str();
      EXPECT_EQ(f32_values_of(one, of), f32_values_of(two, of)) << name;
      EXPECT_EQ(f32_values_of(one, of), f32_values_of(five, of)) << name;
      EXPECT_NE(f32_values_of(one, of), f32_values_of(other, of)) << name;
    }
    for (std::size_t epoch = 0; epoch < 3; ++epoch) {
      for (int i = 1; i < 3; ++i) {
        EXPECT_EQ(records[0][epoch].loss, records[i][epoch].loss);
        EXPECT_EQ(*records[0][epoch].metrics, *records[i][epoch].metrics);
        EXPECT_EQ(records[0][epoch].users.gram, records[i][epoch].users.gram);
      }
      EXPECT_NE(records[0][epoch].loss, records[3][epoch].loss);
    }
  }
}

TEST(CpuTraining, FollowsTheReference) {
  for (const ModelKind kind : kModels) {
    SCOPED_TRACE(model_name(kind));
    const Dataset data = planted_dataset_for(kind);
    Config config = planted_config(kind);
    config.epochs = 4;
    config.evaluate_every = 2;
    if (kind == ModelKind::kGcMc) {
      // Not Adam: it makes a full step from a gradient that is only rounding, such as that of a
      // bias before a normalisation. With this seed, no ReLU depends on rounding.
      config.optimizer.kind = OptimizerKind::kSgd;
      config.optimizer.sgd.learning_rate = 0.1;
      config.seed = Seed{3};
    }
    std::vector<EpochRecord> cpu;
    std::vector<EpochRecord> reference;
    trained(*make_cpu_backend(2), data, config, &cpu);
    trained(*make_reference_backend(), data, config, &reference);
    for (std::size_t epoch = 0; epoch < 4; ++epoch) {
      EXPECT_NEAR(cpu[epoch].loss, reference[epoch].loss, 1e-4) << epoch;
    }
    EXPECT_NEAR(metric(*cpu[3].metrics, "recall@10"), metric(*reference[3].metrics, "recall@10"),
                0.02);
    EXPECT_NEAR(cpu[3].users.effective_rank, reference[3].users.effective_rank, 1e-2);
  }
}

TEST(CpuTraining, ParametersComeBackBitForBit) {
  for (const ModelKind kind : kModels) {
    SCOPED_TRACE(model_name(kind));
    const Dataset data = planted_dataset_for(kind);
    const Config config = planted_config(kind);
    const auto backend = make_cpu_backend(2);
    const TensorFile saved = trained(*backend, data, config);
    Trainer fresh(*backend, data, config);
    EXPECT_NE(f32_values_of(fresh.last(), "user_embedding"),
              f32_values_of(saved, "user_embedding"));
    load_parameters(*backend, fresh.model(), saved);
    const TensorFile again = fresh.last();
    ASSERT_EQ(again.tensors.size(), saved.tensors.size());
    for (const auto& [name, tensor] : saved.tensors) {
      EXPECT_EQ(again.tensors.at(name).values, tensor.values) << name;
    }
  }
}

}  // namespace
}  // namespace tern::test
