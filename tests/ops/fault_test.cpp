// How adam and sgd record the first faulty step.

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "tern/error.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/matrices.hpp"

namespace tern::test {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

enum class Op : std::uint8_t { kAdam, kSgd, kSgdWithMomentum };
constexpr Op kEveryOp[] = {Op::kAdam, Op::kSgd, Op::kSgdWithMomentum};
const char* to_string(Op op) {
  return op == Op::kAdam ? "adam" : op == Op::kSgd ? "sgd" : "sgd with momentum";
}

/// A table, its moments or velocity, and its two counters.
struct Table {
  Table(Backend& b, Op o, std::int64_t rows, std::int64_t cols)
      : backend(b),
        op(o),
        gradient(b.allocate(rows, cols)),
        parameter(b.allocate(rows, cols)),
        adam{b.allocate(rows, cols), b.allocate(rows, cols)},
        sgd{o == Op::kSgdWithMomentum ? b.allocate(rows, cols) : Matrix()},
        step(b.make_counter()),
        fault(b.make_counter()) {}

  /// Runs one more step with gradient 1 everywhere but at one place; returns the fault counter.
  std::int64_t run(std::int64_t place, double value, const RowSet* rows = nullptr) {
    Values values(static_cast<std::size_t>(gradient.size()), 1.0);
    if (place >= 0) values.at(static_cast<std::size_t>(place)) = value;
    backend.upload(values, gradient);
    if (op == Op::kAdam && rows != nullptr && adam.row_steps.empty()) {
      adam.row_steps = backend.make_row_steps(parameter.rows());
      backend.set(adam.row_steps, backend.get(step));
    }
    backend.increment(step);
    if (op == Op::kAdam) {
      backend.adam(adam_options, step, gradient, parameter, adam, rows, &fault);
    } else {
      const double momentum = op == Op::kSgdWithMomentum ? 0.5 : 0.0;
      backend.sgd({.learning_rate = learning_rate, .momentum = momentum}, step, gradient, parameter,
                  sgd, rows, &fault);
    }
    return backend.get(fault);
  }

  Backend& backend;
  Op op;
  AdamOptions adam_options;
  double learning_rate = 0.5;
  Matrix gradient;
  Matrix parameter;
  AdamState adam;
  SgdState sgd;
  Counter step;
  Counter fault;
};

class Fault : public BackendTest {
 protected:
  void for_every_op(const std::function<void(Op)>& check) {
    for (const Op op : kEveryOp) {
      SCOPED_TRACE(to_string(op));
      check(op);
    }
  }
};

TEST_P(Fault, IsNotRaisedByASoundStep) {
  for_every_op([&](Op op) {
    for (const std::int64_t cols : {1, 3, 16, 33}) {  // with padding and without
      Table table(backend_, op, 37, cols);
      for (int i = 0; i < 3; ++i) EXPECT_EQ(table.run(0, 0.0), 0) << cols;
    }
    Table empty(backend_, op, 0, 3);
    EXPECT_EQ(empty.run(-1, 0), 0);
  });
}

TEST_P(Fault, HoldsTheFirstStepWithAGradientThatIsNotFinite) {
  for_every_op([&](Op op) {
    for (const double bad : {kNan, kInf, -kInf}) {
      Table table(backend_, op, 5, 3);
      EXPECT_EQ(table.run(-1, 0), 0);
      EXPECT_EQ(table.run(7, bad), 2) << bad;
      EXPECT_EQ(table.run(-1, 0), 2) << "the first";
      EXPECT_EQ(table.run(7, bad), 2) << "the first";
    }
  });
}

TEST_P(Fault, IsFoundAtEveryPlace) {
  for_every_op([&](Op op) {
    for (const std::int64_t cols : {1, 4, 15, 16, 17, 33}) {
      for (const std::int64_t row : {0, 6}) {
        for (std::int64_t col = 0; col < cols; ++col) {
          Table table(backend_, op, 7, cols);
          EXPECT_EQ(table.run(row * cols + col, kNan), 1) << row << ", " << col << " of " << cols;
        }
      }
    }
    // More than one piece, thread and block takes; the last row and column.
    Table table(backend_, op, 70'001, 3);
    EXPECT_EQ(table.run(70'001 * 3 - 1, kNan), 1);
  });
}

TEST_P(Fault, IsRaisedByWhatOverflowsWithinTheStep) {
  const double most =
      epsilon() < 1e-10 ? std::numeric_limits<double>::max() : std::numeric_limits<float>::max();
  for (const Op op : {Op::kSgd, Op::kSgdWithMomentum}) {
    Table table(backend_, op, 3, 5);
    table.learning_rate = 1.0;
    EXPECT_EQ(table.run(14, most), 0);  // from 0 to -most
    EXPECT_EQ(table.run(14, most), 2) << to_string(op);
  }
  // The square alone: the parameter does not move, and stays finite.
  Table table(backend_, Op::kAdam, 3, 5);
  EXPECT_EQ(table.run(14, std::sqrt(most) * 1e4), 1);
  EXPECT_TRUE(std::isfinite(values_of(backend_, table.parameter)[14]));
}

TEST_P(Fault, IsRaisedByTheRowsOfASetAlone) {
  for_every_op([&](Op op) {
    const RowSet rows = backend_.make_row_set(6, std::vector<NodeId>{1, 5});
    Table table(backend_, op, 6, 3);
    for (const std::int64_t other : {0, 2, 3, 4}) EXPECT_EQ(table.run(other * 3, kNan, &rows), 0);
    EXPECT_EQ(table.run(5 * 3 + 2, kInf, &rows), 5);
    const RowSet none = backend_.make_row_set(6, {});
    Table untouched(backend_, op, 6, 3);
    EXPECT_EQ(untouched.run(3, kNan, &none), 0);
  });
}

// 0 / 0 in an element is a fault; the padding has no such fault, and stays zero.
TEST_P(Fault, IsNotRaisedByPaddingWithoutEpsilon) {
  for (const std::int64_t cols : {1, 3, 17}) {
    Table table(backend_, Op::kAdam, 4, cols);
    table.adam_options.epsilon = 0;
    for (int i = 0; i < 3; ++i) EXPECT_EQ(table.run(-1, 0), 0) << cols;
    const RowSet rows = backend_.make_row_set(4, std::vector<NodeId>{3});
    EXPECT_EQ(table.run(-1, 0, &rows), 0) << cols;
    for (const double value : values_of(backend_, table.parameter)) EXPECT_LT(value, 0);
    Table zero(backend_, Op::kAdam, 4, cols);
    zero.adam_options.epsilon = 0;
    EXPECT_EQ(zero.run(4 * cols - 1, 0.0), 1) << cols;
  }
}

TEST_P(Fault, ChangesNothingElse) {
  for_every_op([&](Op op) {
    Table with(backend_, op, 9, 5);
    Table without(backend_, op, 9, 5);
    with.run(11, kNan);
    without.run(11, kNan);
    backend_.set(without.fault, 99);
    EXPECT_EQ(with.run(3, 2.0), 1);
    EXPECT_EQ(without.run(3, 2.0), 99) << "a counter that is set stays as it is";
    EXPECT_TRUE(
        same_bits(values_of(backend_, with.parameter), values_of(backend_, without.parameter)));
    EXPECT_EQ(backend_.get(with.step), 2);
  });
}

TEST_P(Fault, IsFoundInRecordedSteps) {
  for_every_op([&](Op op) {
    Table table(backend_, op, 4, 3);
    Values values(12, 1.0);
    backend_.upload(values, table.gradient);
    const auto recording = backend_.record([&] {
      backend_.increment(table.step);
      if (op == Op::kAdam) {
        backend_.adam({}, table.step, table.gradient, table.parameter, table.adam, nullptr,
                      &table.fault);
      } else {
        backend_.sgd({.momentum = op == Op::kSgd ? 0.0 : 0.9}, table.step, table.gradient,
                     table.parameter, table.sgd, nullptr, &table.fault);
      }
    });
    for (int i = 0; i < 4; ++i) recording->replay();
    EXPECT_EQ(backend_.get(table.fault), 0);
    values[11] = kNan;
    backend_.upload(values, table.gradient);
    recording->replay();
    recording->replay();
    EXPECT_EQ(backend_.get(table.fault), 5);
  });
}

TEST_P(Fault, RefusesCountersThatItCannotUse) {
  Table table(backend_, Op::kAdam, 4, 3);
  backend_.set(table.step, 1);
  Counter none;
  Counter foreign(std::make_unique<StrangerStorage>());
  for (Counter* fault : {&none, &foreign, &table.step}) {
    EXPECT_THROW(
        backend_.adam({}, table.step, table.gradient, table.parameter, table.adam, nullptr, fault),
        ShapeError);
    EXPECT_THROW(
        backend_.sgd({}, table.step, table.gradient, table.parameter, table.sgd, nullptr, fault),
        ShapeError);
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, Fault, testing::ValuesIn(backends_under_test()), backend_name);

}  // namespace
}  // namespace tern::test
