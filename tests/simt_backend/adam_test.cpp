// Adam's powers of β, which increment keeps beside the counter of steps.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>

#include "cuda/backend.hpp"
#include "tests/simt_backend/simt_backend.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/matrices.hpp"

namespace tern::test {
namespace {

constexpr std::int64_t kRows = 40;
constexpr std::int64_t kCols = 6;

/// A parameter with its moments.
struct Table {
  explicit Table(Backend& b)
      : backend(b),
        gradient(make_matrix(b, kRows, kCols, random_values(kRows * kCols, 1))),
        parameter(make_matrix(b, kRows, kCols, random_values(kRows * kCols, 2))),
        state{b.allocate(kRows, kCols), b.allocate(kRows, kCols)} {}
  void step(const AdamOptions& options, const Counter& counter) {
    backend.adam(options, counter, gradient, parameter, state);
  }
  Values values() const { return values_of(backend, parameter); }

  Backend& backend;
  Matrix gradient;
  Matrix parameter;
  AdamState state;
};

constexpr SimtOptions kEveryForm[] = {kPlainSimt, kLateSimt};

TEST(SimtAdam, PowersAreComputedOnceAStepBesideTheCounter) {
  for (const SimtOptions& form : kEveryForm) {
    const auto backend = make_simt_backend(form);
    Table table(*backend);
    Counter counter = backend->make_counter(0);
    const cuda::StepDecay& decay = *cuda::storage(counter).decay.data();
    backend->increment(counter);
    table.step({.beta1 = 0.75, .beta2 = 0.875}, counter);
    for (const std::int64_t t : {2, 3, 4}) {
      backend->increment(counter);
      backend->synchronize();
      EXPECT_EQ(decay.step, t);
      EXPECT_EQ(decay.power1, std::pow(0.75, static_cast<double>(t)));
      EXPECT_EQ(decay.power2, std::pow(0.875, static_cast<double>(t)));
      table.step({.beta1 = 0.75, .beta2 = 0.875}, counter);
    }
  }
}

TEST(SimtAdam, KernelsReadThePowers) {
  const auto backend = make_simt_backend(kPlainSimt);
  Table sound(*backend);
  Table spoilt(*backend);
  Counter counter = backend->make_counter(0);
  backend->increment(counter);
  sound.step({}, counter);
  cuda::storage(counter).decay.data()->power1 =
      0.5;  // the memory of an emulated device is the host's
  spoilt.step({}, counter);
  EXPECT_FALSE(same_bits(spoilt.values(), sound.values()));
}

/// The same bits whoever computes the powers: increment, adam's first call, or, if the counter was
/// set or two options take turns, each block.
TEST(SimtAdam, BitsDoNotDependOnWhoComputesThePowers) {
  const AdamOptions first{.beta1 = 0.9, .beta2 = 0.999};
  const AdamOptions second{.beta1 = 0.8, .beta2 = 0.99};
  for (const SimtOptions& form : kEveryForm) {
    const auto backend = make_simt_backend(form);
    Table incremented(*backend);
    Table fresh(*backend);
    Table recorded(*backend);
    Table mixed(*backend);
    Table other(*backend);
    Counter steps = backend->make_counter(0);
    Counter shared = backend->make_counter(0);
    Counter replayed = backend->make_counter(0);
    const auto recording = backend->record([&] {
      backend->increment(replayed);
      recorded.step(first, replayed);
    });
    for (std::int64_t t = 1; t <= 5; ++t) {
      backend->increment(steps);
      incremented.step(first, steps);
      fresh.step(first, backend->make_counter(t));
      backend->set(shared, t);
      other.step(second, shared);
      mixed.step(first, shared);
      // Powers of other betas in between do not spoil a captured step.
      if (t == 4) other.step(second, replayed);
      recording->replay();
    }
    EXPECT_TRUE(same_bits(fresh.values(), incremented.values()));
    EXPECT_TRUE(same_bits(mixed.values(), incremented.values()));
    EXPECT_TRUE(same_bits(recorded.values(), incremented.values()));
    EXPECT_FALSE(same_bits(other.values(), incremented.values()));
  }
}

}  // namespace
}  // namespace tern::test
