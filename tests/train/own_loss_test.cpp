// Losses of a user's own, as host/loss/README.md shows them: formulas of the scores of a pair, and a class
// over host loops. Each trains on every backend.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "host/loss/penalty.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"
#include "tern/trainer.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/matrices.hpp"
#include "tests/train/job.hpp"
#include "tests/train/planted.hpp"

namespace tern::test {
namespace {

using ::testing::HasSubstr;

constexpr int kOwnNegatives = 4;
constexpr NodeId kOwnItems = 80;  // of planted_dataset()

struct OwnLoss {
  const char* name;
  Expression expression;
  PairSimilarity similarity = PairSimilarity::kDot;
};

std::vector<OwnLoss> own_losses() {
  const Expression p = Expression::positive();
  const Expression n = Expression::negative();
  const Expression violation = max(0.0, 1.0 - p + n);
  const Expression violators = sum(step(1.0 - p + n));
  // The rank is estimated from the share of violators; step has no derivative, so that it only weighs.
  const Expression rank = (kOwnItems - 1.0) * violators / Expression::negatives();
  return {{"own_bpr", mean(softplus(n - p))},
          {"hinge", mean(violation)},
          {"own_ccl", 1.0 - p + 4.0 * mean(max(0.0, n - 0.3)), PairSimilarity::kCosine},
          {"warp", log(1.0 + rank) * sum(violation) / max(1.0, violators)}};
}

Config own_config() {
  Config config = planted_config();
  config.sampling.negatives_per_positive = kOwnNegatives;
  config.batch_size = 50 * kOwnNegatives;  // triplets
  config.evaluate_every = 0;
  return config;
}

/// Trains with a loss made by a function of the backend, and keeps the records.
struct OwnJob {
  using MakeLoss = std::function<std::unique_ptr<Loss>(Backend&)>;

  OwnJob(Backend& backend, const Dataset& data, const Config& config, const MakeLoss& make)
      : trainer(backend, data, config, make(backend)) {
    TrainerCallbacks callbacks;
    callbacks.on_epoch = [this](const EpochRecord& record) { records.push_back(record); };
    result = trainer.run(callbacks);
  }

  Trainer trainer;
  std::vector<EpochRecord> records;
  TrainingResult result;
};

OwnJob::MakeLoss maker_of(const OwnLoss& loss) {
  return [loss](Backend& backend) {
    return make_expression_loss(backend, loss.name, loss.expression,
                                {.similarity = loss.similarity, .l2 = 1e-4});
  };
}

TEST(OwnLosses, LearnThePlantedGroups) {
  const Dataset data = planted_dataset();
  Config config = own_config();
  config.evaluate_every = 5;
  for (const OwnLoss& loss : own_losses()) {
    SCOPED_TRACE(loss.name);
    const auto backend = make_cpu_backend(2);
    const OwnJob job(*backend, data, config, maker_of(loss));
    EXPECT_GT(job.result.best_metric, 2 * 0.15);  // recall@10: twice that by chance
    ASSERT_EQ(job.records.size(), 20u);
    EXPECT_EQ(job.records[0].loss_name, loss.name);
    EXPECT_LT(job.records[19].ranking_loss, job.records[0].ranking_loss);
    EXPECT_GT(job.records[0].l2_loss, 0);
  }
}

TEST(OwnLosses, TheNumberOfThreadsLeavesTheBits) {
  const Dataset data = planted_dataset();
  Config config = own_config();
  config.epochs = 2;
  config.batch_size = 300 * kOwnNegatives;  // several blocks of pairs
  for (const OwnLoss& loss : own_losses()) {
    const auto parameters_of = [&](int threads) {
      return OwnJob(*make_cpu_backend(threads), data, config, maker_of(loss)).trainer.last();
    };
    const TensorFile one = parameters_of(1);
    EXPECT_TRUE(same(parameters_of(2), one)) << loss.name;
    EXPECT_TRUE(same(parameters_of(5), one)) << loss.name;
  }
}

TEST(OwnLosses, FollowTheReferenceOnEveryBackend) {
  const Dataset data = planted_dataset();
  Config config = own_config();
  config.epochs = 2;
  config.optimizer.kind = OptimizerKind::kSgd;  // steps in proportion to gradients
  config.optimizer.sgd.learning_rate = 0.05;
  for (const OwnLoss& loss : own_losses()) {
    const auto reference = make_reference_backend();
    const OwnJob expected(*reference, data, config, maker_of(loss));
    for (const BackendCase& tested : one_backend_of_each_family()) {
      const auto backend = tested.make();
      const OwnJob job(*backend, data, config, maker_of(loss));
      for (std::size_t epoch = 0; epoch < 2; ++epoch) {
        EXPECT_NEAR(job.records[epoch].loss, expected.records[epoch].loss,
                    1e-3 * std::abs(expected.records[epoch].loss))
            << loss.name << " on " << tested.name << ", epoch " << epoch;
      }
    }
  }
}

TEST(OwnLosses, TrainAsTheBuiltInOnes) {
  const Dataset data = planted_dataset();
  Config config = own_config();
  config.epochs = 2;
  config.l2 = 1e-4;
  config.optimizer.kind = OptimizerKind::kSgd;
  config.optimizer.sgd.learning_rate = 0.05;
  const std::vector<OwnLoss> own = own_losses();
  Config ccl = config;
  ccl.loss.kind = LossKind::kCcl;
  ccl.loss.margin = 0.3;
  ccl.loss.softmax.negative_weight = 4.0;
  ccl.batch_size = 50;  // a built-in loss over several negatives counts pairs
  for (const auto& [built_in, name] : {std::pair{config, "own_bpr"}, {ccl, "own_ccl"}}) {
    for (const OwnLoss& loss : own) {
      if (std::string_view(loss.name) != name) continue;
      const auto backend = make_reference_backend();
      const OwnJob job(*backend, data, config, maker_of(loss));
      const OwnJob expected(*backend, data, built_in, [&](Backend& on) {
        return make_loss(on, built_in.loss, built_in.l2, data.train.num_users());
      });
      for (std::size_t epoch = 0; epoch < 2; ++epoch) {
        EXPECT_NEAR(job.records[epoch].ranking_loss, expected.records[epoch].ranking_loss, 1e-10)
            << name;
        EXPECT_NEAR(job.records[epoch].l2_loss, expected.records[epoch].l2_loss, 1e-10) << name;
      }
    }
  }
}

/// Stops a training within its first epoch, goes on with another trainer, and compares with one that was not
/// stopped, on a backend of each family.
void expect_same_bits_after_a_resume(const OwnJob::MakeLoss& make) {
  const Dataset data = planted_dataset();
  Config config = own_config();
  config.epochs = 2;
  for (const BackendCase& tested : one_backend_of_each_family()) {
    SCOPED_TRACE(tested.name);
    const auto backend = tested.make();
    Trainer whole(*backend, data, config, make(*backend));
    whole.run();
    Trainer first(*backend, data, config, make(*backend));
    TrainerCallbacks callbacks;
    callbacks.should_stop = [&] { return first.progress().step == 2; };
    first.run(callbacks);
    Trainer second(*backend, data, config, make(*backend));
    second.restore(first.state(), "state");
    second.run();
    EXPECT_TRUE(same(second.state(), whole.state()));
  }
}

TEST(OwnLosses, ResumeBitForBitWithinAnEpoch) {
  expect_same_bits_after_a_resume(maker_of(own_losses().back()));
}

/// The hinge loss by a loop over downloaded embeddings, as somebody tries it first.
class HingeByLoops : public Loss {
 public:
  explicit HingeByLoops(Backend& backend) : backend_(backend) {}
  std::string_view name() const override { return "hinge"; }
  bool is_recorded() const override { return false; }

  void backward(Model& model, Batch& batch, Matrix& losses) override {
    const Values users = values_of(backend_, model.embeddings(Side::kUser));
    const Values items = values_of(backend_, model.embeddings(Side::kItem));
    const auto width = static_cast<std::size_t>(model.embeddings(Side::kUser).cols());
    Values of_users(users.size());
    Values of_items(items.size());
    double loss = 0;
    const double share = 1.0 / static_cast<double>(batch.size());
    for (const auto& [u, p, n] : batch.read()) {
      double margin = 1;
      for (std::size_t d = 0; d < width; ++d) {
        margin += users[u * width + d] * (items[n * width + d] - items[p * width + d]);
      }
      if (margin <= 0) continue;
      loss += share * margin;
      for (std::size_t d = 0; d < width; ++d) {
        of_users[u * width + d] += share * (items[n * width + d] - items[p * width + d]);
        of_items[p * width + d] -= share * users[u * width + d];
        of_items[n * width + d] += share * users[u * width + d];
      }
    }
    backend_.upload(std::span<const double>(of_users), model.embedding_gradient(Side::kUser));
    backend_.upload(std::span<const double>(of_items), model.embedding_gradient(Side::kItem));
    backward_with_penalty(backend_, 1e-4, model, batch, losses);
    Values all = values_of(backend_, losses);
    all[static_cast<std::size_t>(batch.number())] = loss;
    backend_.upload(std::span<const double>(all), losses);
  }

 private:
  Backend& backend_;
};

TEST(OwnLosses, AClassOverHostLoopsIsTheExpressionOnEveryBackend) {
  const Dataset data = planted_dataset();
  Config config = own_config();
  config.epochs = 1;
  config.optimizer.kind = OptimizerKind::kSgd;
  config.optimizer.sgd.learning_rate = 0.05;
  for (const BackendCase& tested : one_backend_of_each_family()) {
    const auto backend = tested.make();
    const OwnJob expected(*backend, data, config, maker_of(own_losses()[1]));
    const OwnJob job(*backend, data, config,
                     [](Backend& on) { return std::make_unique<HingeByLoops>(on); });
    EXPECT_NEAR(job.records[0].loss, expected.records[0].loss, 1e-4) << tested.name;
  }
}

/// The same, without saying that it must not be recorded.
class HingeThatWaits final : public HingeByLoops {
 public:
  using HingeByLoops::HingeByLoops;
  bool is_recorded() const override { return true; }
};

TEST(OwnLosses, ADownloadInARecordedStepIsRefusedOnEveryBackend) {
  const Dataset data = planted_dataset();
  for (const BackendCase& tested : one_backend_of_each_family()) {
    const auto backend = tested.make();
    Trainer trainer(*backend, data, own_config(), std::make_unique<HingeThatWaits>(*backend));
    try {
      trainer.run();
      ADD_FAILURE() << tested.name << ": not refused";
    } catch (const ShapeError& error) {
      EXPECT_THAT(error.what(), HasSubstr("download() inside a recorded step")) << tested.name;
    }
  }
}

/// BPR whose gradient of the users passes through a matrix of the loss.
class BprByWorkspace final : public Loss {
 public:
  explicit BprByWorkspace(Backend& backend) : backend_(backend) {}
  std::string_view name() const override { return "bpr"; }
  void prepare(Model& model) override {
    const Matrix& users = model.embeddings(Side::kUser);
    workspace_ = backend_.allocate(users.rows(), users.cols());
  }
  void backward(Model& model, Batch& batch, Matrix& losses) override {
    backend_.bpr(batch.triplets(), model.embeddings(Side::kUser), model.embeddings(Side::kItem),
                 workspace_, model.embedding_gradient(Side::kItem), losses);
    backend_.copy(workspace_, model.embedding_gradient(Side::kUser));
    backward_with_penalty(backend_, 1e-4, model, batch, losses);
  }

 private:
  Backend& backend_;
  Matrix workspace_;
};

TEST(OwnLosses, KeepWhatTheyPrepareAlsoAfterAResumeWithinAnEpoch) {
  expect_same_bits_after_a_resume(
      [](Backend& backend) { return std::make_unique<BprByWorkspace>(backend); });
}

TEST(OwnLosses, HalfAPairIsRefused) {
  const Dataset data = planted_dataset();
  Config config = own_config();
  config.batch_size = 2 * kOwnNegatives + 1;
  const auto backend = make_cpu_backend(1);
  Trainer trainer(*backend, data, config, maker_of(own_losses()[0])(*backend));
  EXPECT_THROW(trainer.run(), ShapeError);
  EXPECT_THROW(make_expression_loss(*backend, "l2", Expression::positive(), {.l2 = -1}),
               ConfigError);
}

}  // namespace
}  // namespace tern::test
