#pragma once

#include <cmath>
#include <cstdint>

#include "tern/expression.hpp"

namespace tern {

// The interpreter of PairProgram, for every backend: kernels and loops differ in who evaluates which
// negative. Derivatives are taken forwards, one direction a run.

/// Whether each part of the code stays within the stack, leaves one value on it, and reads sums that exist, as what
/// Expression::compile() returns.
bool is_whole(const PairProgram& program);

/// A value and its derivative in the direction of the run.
struct PairDual {
  double value = 0.0;
  double slope = 0.0;
};

/// The values that the instructions of a program push.
struct PairInputs {
  PairDual positive;  // s⁺
  PairDual negative;  // s_k
  double negatives;   // M
  PairDual sums[PairProgram::kMaxSums];
};

/// 1 / (1 + e⁻ˣ)
TERN_HD inline double pair_sigmoid(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}

/// slope / by, and 0 if nothing depends on the direction, even if by is 0.
TERN_HD inline double pair_share(double slope, double by) {
  return slope == 0.0 ? 0.0 : slope / by;
}

/// factor · slope, and 0 if the slope is 0, even if the factor is infinite.
TERN_HD inline double pair_product(double factor, double slope) {
  return slope == 0.0 ? 0.0 : factor * slope;
}

TERN_HD inline PairDual pair_function(PairOp op, PairDual x) {
  switch (op) {
    case PairOp::kExp: {
      const double value = std::exp(x.value);
      return {value, value * x.slope};
    }
    case PairOp::kLog:
      return {std::log(x.value), pair_share(x.slope, x.value)};
    case PairOp::kSqrt: {
      const double value = std::sqrt(x.value);
      return {value, pair_share(x.slope, 2.0 * value)};
    }
    case PairOp::kSoftplus: {
      const double above = x.value < 0.0 ? 0.0 : x.value;  // a comparison that keeps NaN
      return {above + std::log1p(std::exp(-std::abs(x.value))), pair_sigmoid(x.value) * x.slope};
    }
    case PairOp::kSigmoid: {
      const double value = pair_sigmoid(x.value);
      return {value, value * (1.0 - value) * x.slope};
    }
    default:  // kStep
      return {x.value > 0.0 ? 1.0 : x.value <= 0.0 ? 0.0 : x.value, 0.0};
  }
}

TERN_HD inline PairDual pair_function(PairOp op, PairDual a, PairDual b) {
  switch (op) {
    case PairOp::kAdd:
      return {a.value + b.value, a.slope + b.slope};
    case PairOp::kSubtract:
      return {a.value - b.value, a.slope - b.slope};
    case PairOp::kMultiply:
      return {a.value * b.value, a.slope * b.value + a.value * b.slope};
    case PairOp::kDivide: {
      const double value = a.value / b.value;
      return {value, pair_share(a.slope - pair_product(value, b.slope), b.value)};
    }
    default: {  // kMin, kMax
      const double before = op == PairOp::kMin ? b.value - a.value : a.value - b.value;
      if (before >= 0.0 || a.value == b.value) return a;
      // The sum keeps a NaN of either.
      return before < 0.0 ? b : PairDual{a.value + b.value, a.value + b.value};
    }
  }
}

TERN_HD inline PairDual pair_input(const PairInstruction& instruction, const PairInputs& inputs) {
  switch (instruction.op) {
    case PairOp::kPositive:
      return inputs.positive;
    case PairOp::kNegative:
      return inputs.negative;
    case PairOp::kNegatives:
      return {inputs.negatives, 0.0};
    case PairOp::kSum:
      return instruction.sum == 0   ? inputs.sums[0]
             : instruction.sum == 1 ? inputs.sums[1]
                                    : inputs.sums[2];
    default:
      return {instruction.constant, 0.0};
  }
}

/// Runs code [begin, end). The top of the stack is its first element, and a push moves the others, so
/// that every index is constant and a GPU keeps the stack in registers.
TERN_HD inline PairDual run_pair_program(const PairProgram& program, std::int32_t begin,
                                         std::int32_t end, const PairInputs& inputs) {
  constexpr int kDepth = PairProgram::kMaxDepth;
  PairDual stack[kDepth] = {};
  for (std::int32_t i = begin; i < end; ++i) {
    const PairInstruction& instruction = program.code[i];
    if (instruction.op < PairOp::kAdd) {
      for (int s = kDepth - 1; s > 0; --s) stack[s] = stack[s - 1];
      stack[0] = pair_input(instruction, inputs);
    } else if (instruction.op < PairOp::kExp) {
      stack[0] = pair_function(instruction.op, stack[1], stack[0]);
      for (int s = 1; s < kDepth - 1; ++s) stack[s] = stack[s + 1];
    } else {
      stack[0] = pair_function(instruction.op, stack[0]);
    }
  }
  return stack[0];
}

TERN_HD inline PairDual run_pair_sum(const PairProgram& program, int sum,
                                     const PairInputs& inputs) {
  const std::int32_t begin = sum == 0 ? 0 : program.ends[sum - 1];
  return run_pair_program(program, begin, program.ends[sum], inputs);
}

/// The scores of a pair and one of its negatives.
struct PairScores {
  double positive = 0.0;
  double negative = 0.0;
  double negatives = 1.0;  // M
};

/// The loss of a pair and its derivatives by s⁺, without those of the sums, and by the sums.
struct PairLossSlopes {
  double loss = 0.0;
  double positive = 0.0;
  double sums[PairProgram::kMaxSums] = {};
};

// Arrays of sums are chosen from by comparisons: an index that changes would put them into memory on a GPU.

/// sums[j] += the term of one negative.
TERN_HD inline void add_pair_terms(const PairProgram& program, const PairScores& scores,
                                   double (&sums)[PairProgram::kMaxSums]) {
  const PairInputs inputs{{scores.positive, 0.0}, {scores.negative, 0.0}, scores.negatives, {}};
  for (std::int32_t j = 0; j < program.sums; ++j) {
    const double term = run_pair_sum(program, j, inputs).value;
    for (int i = 0; i < PairProgram::kMaxSums; ++i) sums[i] += i == j ? term : 0.0;
  }
}

/// From the complete sums.
TERN_HD inline PairLossSlopes pair_loss_slopes(const PairProgram& program, const PairScores& scores,
                                               const double (&sums)[PairProgram::kMaxSums]) {
  PairLossSlopes found;
  const std::int32_t begin = program.sums == 0 ? 0 : program.ends[program.sums - 1];
  for (std::int32_t direction = 0; direction <= program.sums; ++direction) {
    PairInputs inputs{{scores.positive, direction == 0 ? 1.0 : 0.0}, {}, scores.negatives, {}};
    for (int j = 0; j < PairProgram::kMaxSums; ++j) {
      inputs.sums[j] = {sums[j], direction == j + 1 ? 1.0 : 0.0};
    }
    const PairDual result = run_pair_program(program, begin, program.ends[program.sums], inputs);
    found.loss = result.value;
    if (direction == 0) found.positive = result.slope;
    for (int j = 0; j < PairProgram::kMaxSums; ++j) {
      if (direction == j + 1) found.sums[j] = result.slope;
    }
  }
  return found;
}

/// Returns ∂loss/∂s_k of one negative, and adds what its terms give to ∂loss/∂s⁺.
TERN_HD inline double pair_negative_slope(const PairProgram& program, const PairScores& scores,
                                          const PairLossSlopes& slopes, double& positive) {
  double negative = 0.0;
  for (std::int32_t j = 0; j < program.sums; ++j) {
    const double factor = j == 0 ? slopes.sums[0] : j == 1 ? slopes.sums[1] : slopes.sums[2];
    negative += pair_product(
        factor, run_pair_sum(program, j,
                             {{scores.positive, 0.0}, {scores.negative, 1.0}, scores.negatives, {}})
                    .slope);
    positive += pair_product(
        factor, run_pair_sum(program, j,
                             {{scores.positive, 1.0}, {scores.negative, 0.0}, scores.negatives, {}})
                    .slope);
  }
  return negative;
}

}  // namespace tern
