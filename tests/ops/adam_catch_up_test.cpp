// Rows that make their steps of adam later get the bits of adam over every row in every step.

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "tern/device.hpp"
#include "tern/error.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/matrices.hpp"

namespace tern::test {
namespace {

class AdamCatchUp : public BackendTest {
 protected:
  /// A table with random values and moments.
  struct Table {
    Table(Backend& b, std::int64_t rows, std::int64_t cols)
        : backend(b),
          parameter(make_matrix(b, rows, cols, random_values(rows * cols, 1))),
          state{make_matrix(b, rows, cols, random_values(rows * cols, 2)),
                make_matrix(b, rows, cols, absolute(random_values(rows * cols, 3)))} {}

    Values all() const {
      Values values = values_of(backend, parameter);
      for (const Matrix* moment : {&state.first_moment, &state.second_moment}) {
        const Values more = values_of(backend, *moment);
        values.insert(values.end(), more.begin(), more.end());
      }
      return values;
    }

    Backend& backend;
    Matrix parameter;
    AdamState state;
  };

  Table make_late(std::int64_t rows, std::int64_t cols, std::int64_t step = 0) {
    Table table(backend_, rows, cols);
    table.state.row_steps = backend_.make_row_steps(rows);
    backend_.set(table.state.row_steps, step);
    return table;
  }

  /// Steps a table for the rows of random sets alone, and its twin whole, with gradient 0 elsewhere.
  void check(const AdamOptions& options, std::int64_t rows, std::int64_t cols, double share,
             std::int64_t first_step = 1, std::int64_t num_steps = 300) {
    SCOPED_TRACE(std::to_string(rows) + " x " + std::to_string(cols));
    Table whole(backend_, rows, cols);
    Table late = make_late(rows, cols, first_step - 1);
    Counter step = backend_.make_counter(first_step - 1);
    for (std::int64_t i = 0; i < num_steps; ++i) {
      const auto seed = static_cast<std::uint64_t>(100 + i);
      const std::vector<NodeId> some = random_rows(static_cast<NodeId>(rows), seed, share);
      const RowSet set = backend_.make_row_set(static_cast<NodeId>(rows), some);
      const std::vector<bool> chosen = marks(rows, some);
      const Values drawn = random_values(rows * cols, seed);
      Values padded = drawn;
      for (std::size_t e = 0; e < padded.size(); ++e) {
        if (!chosen[e / static_cast<std::size_t>(cols)]) padded[e] = 0.0;
      }
      backend_.adam_catch_up(options, step, late.parameter, late.state, &set);
      if (i % 60 == 59) {  // the rows that a forward pass reads now
        const Values now = poison_rows(values_of(backend_, late.parameter), cols, chosen);
        EXPECT_TRUE(
            same_bits(now, poison_rows(values_of(backend_, whole.parameter), cols, chosen)));
      }
      backend_.increment(step);
      backend_.adam(options, step, make_matrix(backend_, rows, cols, padded), whole.parameter,
                    whole.state);
      backend_.adam(options, step,
                    make_matrix(backend_, rows, cols, poison_rows(drawn, cols, chosen)),
                    late.parameter, late.state, &set);
    }
    EXPECT_FALSE(same_bits(late.all(), whole.all())) << "no row has missed a step";
    backend_.adam_catch_up(options, step, late.parameter, late.state);
    EXPECT_TRUE(same_bits(late.all(), whole.all()));
    backend_.adam_catch_up(options, step, late.parameter, late.state);
    EXPECT_TRUE(same_bits(late.all(), whole.all())) << "a step was made twice";
  }
};

TEST_P(AdamCatchUp, MatchesHandComputation) {
  // β1 = β2 = 1/2, lr = 1, ε = 0, m = 3, v = 9 after step 1. Step 2: m = 1.5, v = 4.5,
  // 1.5/(3/4) / sqrt(4.5/(3/4)) = 2 / sqrt 6. Step 3: m = 0.75, v = 2.25,
  // 0.75/(7/8) / sqrt(2.25/(7/8)) = (6/7) / sqrt(18/7).
  const AdamOptions options{.learning_rate = 1, .beta1 = 0.5, .beta2 = 0.5, .epsilon = 0};
  Matrix parameter = make_matrix(backend_, 1, 1, Values{10});
  AdamState state{make_matrix(backend_, 1, 1, Values{3}), make_matrix(backend_, 1, 1, Values{9}),
                  backend_.make_row_steps(1)};
  backend_.set(state.row_steps, 1);
  backend_.adam_catch_up(options, backend_.make_counter(3), parameter, state);
  EXPECT_NEAR(values_of(backend_, parameter)[0],
              10 - 2 / std::sqrt(6.0) - 6.0 / 7.0 / std::sqrt(18.0 / 7.0), 64 * epsilon() * 10);
  EXPECT_EQ(values_of(backend_, state.first_moment)[0], 0.75);
  EXPECT_EQ(values_of(backend_, state.second_moment)[0], 2.25);
}

TEST_P(AdamCatchUp, GivesTheBitsOfADenseStep) {
  for (const std::int64_t cols : {1, 33, 64}) check({}, 37, cols, 0.03);
  check({.learning_rate = 0.05, .weight_decay = 0.1}, 37, 20, 0.03);
  check({.learning_rate = 0.05, .beta1 = 0.5, .beta2 = 0.9, .epsilon = 1e-3}, 20, 6, 0.1);
  check({.beta1 = 0.0, .weight_decay = 1e-3}, 20, 6, 0.1, 1, 50);
  check({}, 37, 150, 0.1, 1, 30);   // wide rows
  check({}, 20'001, 2, 0.3, 1, 5);  // many rows
}

TEST_P(AdamCatchUp, GivesThemLateInATraining) {
  // With the default betas, the second correction stops changing at about step 17,000.
  for (const std::int64_t first : {16'500, 1'000'000'000}) check({}, 9, 5, 0.1, first, 300);
}

/// Rows come to rest, and their first moments become denormal.
TEST_P(AdamCatchUp, GivesThemAfterManySteps) {
  for (const AdamOptions& options :
       {AdamOptions{}, AdamOptions{.beta1 = 0.5, .beta2 = 0.9}, AdamOptions{.epsilon = 0.1},
        AdamOptions{.learning_rate = 0.1, .weight_decay = 0.01}}) {
    const auto make = [&](bool late) {
      Table table = late ? make_late(6, 3) : Table(backend_, 6, 3);
      Values values = values_of(backend_, table.parameter);
      values[0] = 0.0;
      values[1] = 0x1p-100;
      values[2] = -0x1p20;
      backend_.upload(std::span<const double>(values), table.parameter);
      for (Matrix* moment : {&table.state.first_moment, &table.state.second_moment}) {
        Values moments = values_of(backend_, *moment);
        for (std::size_t i = 3; i < 8; ++i) moments[i] = 0.0;
        backend_.upload(std::span<const double>(moments), *moment);
      }
      return table;
    };
    Table whole = make(false);
    const Matrix zeros = backend_.allocate(6, 3);
    Counter step = backend_.make_counter();
    for (const std::int64_t end : {100, 190, 280, 700, 1500}) {
      while (backend_.get(step) < end) {
        backend_.increment(step);
        backend_.adam(options, step, zeros, whole.parameter, whole.state);
      }
      Table late = make(true);
      backend_.adam_catch_up(options, step, late.parameter, late.state);
      EXPECT_TRUE(same_bits(late.all(), whole.all())) << end;
    }
  }
}

TEST_P(AdamCatchUp, FollowsAChangeOfTheOptions) {
  Table whole(backend_, 6, 5);
  Table late = make_late(6, 5);
  const Matrix zeros = backend_.allocate(6, 5);
  Counter step = backend_.make_counter();
  for (const AdamOptions& options :
       {AdamOptions{}, AdamOptions{.learning_rate = 0.5}, AdamOptions{.beta2 = 0.9}}) {
    for (int i = 0; i < 4; ++i) {
      backend_.increment(step);
      backend_.adam(options, step, zeros, whole.parameter, whole.state);
    }
    backend_.adam_catch_up(options, step, late.parameter, late.state);
    EXPECT_TRUE(same_bits(late.all(), whole.all()));
  }
}

TEST_P(AdamCatchUp, TakesTheRowsOfASetAlone) {
  Table late = make_late(5, 3);
  const Values before = late.all();
  const RowSet some = backend_.make_row_set(5, std::vector<NodeId>{1, 4});
  const Counter step = backend_.make_counter(3);
  backend_.adam_catch_up({}, step, late.parameter, late.state, &some);
  const Values after = late.all();
  for (std::size_t i = 0; i < before.size(); ++i) {
    const std::size_t row = i / 3 % 5;
    EXPECT_EQ(after[i] != before[i], row == 1 || row == 4) << i;
  }
  const RowSet none = backend_.make_row_set(5, {});
  backend_.adam_catch_up({}, step, late.parameter, late.state, &none);
  EXPECT_TRUE(same_bits(late.all(), after));
  Table empty = make_late(0, 3);
  backend_.adam_catch_up({}, step, empty.parameter, empty.state);
}

// β2 is so small that v becomes 0 before m does: in the end m / 0.
TEST_P(AdamCatchUp, RecordsTheFirstFaultyStep) {
  const AdamOptions options{.beta2 = 0.1, .epsilon = 0};
  Table whole(backend_, 5, 3);
  const Matrix zeros = backend_.allocate(5, 3);
  Counter step = backend_.make_counter();
  Counter expected = backend_.make_counter();
  while (backend_.get(expected) == 0 && backend_.get(step) < 1000) {
    backend_.increment(step);
    backend_.adam(options, step, zeros, whole.parameter, whole.state, nullptr, &expected);
  }
  const std::int64_t first = backend_.get(expected);
  ASSERT_GT(first, 20);
  ASSERT_LT(first, 1000);
  const auto found = [&](std::int64_t to, std::int64_t held) {
    Table late = make_late(5, 3);
    Counter fault = backend_.make_counter(held);
    backend_.adam_catch_up(options, backend_.make_counter(to), late.parameter, late.state, nullptr,
                           &fault);
    return backend_.get(fault);
  };
  EXPECT_EQ(found(first - 1, 0), 0);
  for (const std::int64_t to : {first, first + 1, first + 30}) EXPECT_EQ(found(to, 0), first);
  EXPECT_EQ(found(first + 9, first + 5), first) << "it is earlier than the one that is held";
  EXPECT_EQ(found(first + 9, 2), 2) << "it is later";
}

TEST_P(AdamCatchUp, LeavesThePaddingZeroWithoutEpsilon) {
  for (const std::int64_t cols : {1, 3, 17}) {
    Table late = make_late(4, cols);
    Counter fault = backend_.make_counter();
    backend_.adam_catch_up({.epsilon = 0}, backend_.make_counter(5), late.parameter, late.state,
                           nullptr, &fault);
    EXPECT_EQ(backend_.get(fault), 0) << cols;
    for (const double value : late.all()) EXPECT_TRUE(std::isfinite(value));
  }
}

TEST_P(AdamCatchUp, RefusesRowStepsThatDoNotFit) {
  const Counter step = backend_.make_counter(1);
  Table table = make_late(4, 3);
  backend_.adam_catch_up({}, step, table.parameter, table.state);  // valid as it is
  const Matrix gradient = backend_.allocate(4, 3);
  const RowSet rows = backend_.make_row_set(4, std::vector<NodeId>{1});
  const Counter next = backend_.make_counter(2);
  EXPECT_THROW(backend_.adam({}, next, gradient, table.parameter, table.state), ShapeError)
      << "row_steps without rows";
  const auto refuses = [&](RowSteps steps) {
    table.state.row_steps = std::move(steps);
    EXPECT_THROW(backend_.adam_catch_up({}, step, table.parameter, table.state), ShapeError);
    EXPECT_THROW(backend_.adam({}, next, gradient, table.parameter, table.state, &rows),
                 ShapeError);
  };
  refuses({});
  refuses(backend_.make_row_steps(5));
  refuses({std::make_unique<StrangerStorage>(), 4});
  EXPECT_THROW(backend_.make_row_steps(-1), ShapeError);
}

TEST_P(AdamCatchUp, RefusesWrongShapesAndOptions) {
  const Counter step = backend_.make_counter(1);
  Table table = make_late(4, 3);
  const auto refuses = [&](const Counter& c, Matrix& p, const RowSet* rows, Counter* fault) {
    EXPECT_THROW(backend_.adam_catch_up({}, c, p, table.state, rows, fault), ShapeError);
  };
  Matrix none;
  Matrix other = backend_.allocate(4, 2);
  Counter same = backend_.make_counter(1);
  Counter foreign(std::make_unique<StrangerStorage>());
  const RowSet five = backend_.make_row_set(5, {});
  refuses(Counter(), table.parameter, nullptr, nullptr);
  refuses(foreign, table.parameter, nullptr, nullptr);
  refuses(step, none, nullptr, nullptr);
  refuses(step, other, nullptr, nullptr);
  refuses(step, table.parameter, &five, nullptr);
  refuses(same, table.parameter, nullptr, &same);
  refuses(step, table.parameter, nullptr, &foreign);
  EXPECT_THROW(backend_.adam_catch_up({.beta1 = 1}, step, table.parameter, table.state),
               ConfigError);
}

INSTANTIATE_TEST_SUITE_P(Backends, AdamCatchUp, testing::ValuesIn(backends_under_test()),
                         backend_name);

/// The reference checks what other backends leave to the caller.
TEST(ReferenceAdam, RefusesRowsThatHaveMissedAStep) {
  const auto backend = make_reference_backend();
  const RowSet rows = backend->make_row_set(2, std::vector<NodeId>{1});
  const Matrix gradient = backend->allocate(2, 1);
  Matrix parameter = backend->allocate(2, 1);
  AdamState state{backend->allocate(2, 1), backend->allocate(2, 1), backend->make_row_steps(2)};
  EXPECT_THROW(backend->adam({}, backend->make_counter(2), gradient, parameter, state, &rows),
               Error);
  backend->adam({}, backend->make_counter(1), gradient, parameter, state, &rows);
}

}  // namespace
}  // namespace tern::test
