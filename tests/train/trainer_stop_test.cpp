// Training that stops because its caller asks for it.

#include <gtest/gtest.h>

#include <cstdint>

#include "tern/trainer.hpp"
#include "tests/train/job.hpp"

namespace tern::test {
namespace {

TEST(Trainer, StopsAfterTheStepWhenAsked) {
  Job job;
  std::int64_t steps = 0;
  std::int64_t per_epoch = 0;
  job.callbacks.on_step = [&](const StepProgress& progress) {
    ++steps;
    per_epoch = progress.steps;
    EXPECT_EQ(progress.epoch, 1 + (steps - 1) / progress.steps);
    EXPECT_EQ(progress.step, 1 + (steps - 1) % progress.steps);
  };
  job.callbacks.should_stop = [&] { return steps == per_epoch + 3; };
  const TrainingResult result = job.run();
  EXPECT_EQ(result.reason, StopReason::kRequested);
  EXPECT_EQ(result.epochs, 1);  // finished ones
  EXPECT_EQ(job.records.size(), 1u);
  EXPECT_EQ(steps, per_epoch + 3);
  EXPECT_TRUE(same(job.trainer.best(), job.trainer.last()));  // nothing was evaluated
}

TEST(Trainer, StoppedAfterTheLastStepItHasOnlyToEvaluate) {
  Job job;
  bool at_end = false;
  job.callbacks.on_step = [&](const StepProgress& progress) {
    at_end = progress.step == progress.steps;
  };
  job.callbacks.should_stop = [&] { return at_end; };
  EXPECT_EQ(job.run().reason, StopReason::kRequested);
  EXPECT_EQ(job.trainer.progress().epoch, 0);
  EXPECT_EQ(job.trainer.progress().step, job.trainer.progress().steps);
  EXPECT_TRUE(job.records.empty());
  int steps = 0;
  job.callbacks.on_step = [&](const StepProgress& progress) {
    EXPECT_EQ(progress.epoch, 2);
    ++steps;
  };
  job.callbacks.should_stop = [&] { return steps == 1; };
  EXPECT_EQ(job.run().epochs, 1);
  ASSERT_EQ(job.records.size(), 1u);
  EXPECT_GT(job.records[0].user_gradient_norm, 0.0);
}

}  // namespace
}  // namespace tern::test
