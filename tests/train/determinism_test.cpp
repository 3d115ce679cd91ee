// The comparison behind tern train --verify-determinism: it must see a single bit.

#include "host/train/determinism.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tern/device.hpp"
#include "tests/train/job.hpp"

namespace tern::test {
namespace {

using ::testing::HasSubstr;

ShortTraining trained(int threads, std::uint64_t seed, std::int64_t steps) {
  Config config = planted_config();
  config.seed = Seed{seed};
  const auto backend = make_cpu_backend(threads);
  return train_briefly(*backend, planted_dataset(), config, steps);
}

TEST(Determinism, TrainsAsManyStepsAsAskedFor) {
  const ShortTraining training = trained(1, 1, 13);
  EXPECT_EQ(training.state.progress.updates, 13);
  EXPECT_EQ(training.state.progress.epoch, 1);  // an epoch has nine steps
  EXPECT_FALSE(training.metrics.empty());
}

TEST(Determinism, FindsNoDifferenceWhereThereIsNone) {
  const ShortTraining first = trained(1, 1, 13);
  EXPECT_EQ(find_difference(first, trained(1, 1, 13)), std::nullopt);
  EXPECT_EQ(find_difference(first, trained(2, 1, 13)), std::nullopt);
}

TEST(Determinism, FindsOneBit) {
  const ShortTraining first = trained(1, 1, 3);
  EXPECT_THAT(find_difference(first, trained(1, 2, 3)).value_or(""), HasSubstr(" differs in "));
  for (const auto& [name, tensor] : first.state.tensors) {
    ShortTraining other = first;
    auto& values = std::get<std::vector<float>>(other.state.tensors.at(name).values);
    values.back() = std::nextafter(values.back(), 10.0F);
    EXPECT_THAT(find_difference(first, other).value_or(""),
                HasSubstr(name + " differs in 1 of " + std::to_string(values.size())));
  }
  ShortTraining other = first;
  other.metrics[2].second = std::nextafter(other.metrics[2].second, 1.0);
  EXPECT_THAT(find_difference(first, other).value_or(""), HasSubstr("ndcg@5 differs"));
  other = first;
  other.state.progress.updates = 4;
  EXPECT_THAT(find_difference(first, other).value_or(""), HasSubstr("training progress differs"));
  other = first;
  other.state.counters["dropout_steps"] = 1;
  EXPECT_THAT(find_difference(first, other).value_or(""), HasSubstr("counters differ"));
}

}  // namespace
}  // namespace tern::test
