#pragma once

#include <cstdint>
#include <vector>

#include "tern/types.hpp"

namespace tern {

/// What one instruction of a PairProgram puts on the stack, in place of the values that it takes.
enum class PairOp : std::uint8_t {
  kConstant,
  kPositive,   // s⁺
  kNegative,   // s_k
  kNegatives,  // M
  kSum,        // Σ_k of one of the sums
  // These take two values, the second on top.
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kMin,
  kMax,
  // These take one.
  kExp,
  kLog,
  kSqrt,
  kSoftplus,
  kSigmoid,
  kStep,
};

struct PairInstruction {
  PairOp op = PairOp::kConstant;
  std::int32_t sum = 0;   // of kSum: which
  double constant = 0.0;  // of kConstant
  friend bool operator==(const PairInstruction&, const PairInstruction&) = default;
};

/// A loss of a pair in postfix order, trivially copyable, for every backend. Sum j is Σ_k over code
/// [end of sum j - 1, end of sum j); the loss follows after the last sum, and reads the sums.
struct PairProgram {
  static constexpr int kMaxInstructions = 64;
  static constexpr int kMaxSums = 3;
  static constexpr int kMaxDepth = 8;  // of the stack

  PairInstruction code[kMaxInstructions];
  std::int32_t sums = 0;
  std::int32_t ends[kMaxSums + 1] = {};  // of each sum, then of the loss
};

/// The loss of a pair (u, p) as a formula of its score s⁺ and of the scores s_1..s_M of its negatives:
///
///   const Expression p = Expression::positive();
///   const Expression n = Expression::negative();
///   const Expression bpr = mean(softplus(n - p));
///   const Expression hinge = mean(max(0.0, 1.0 - p + n));
///
/// sum() and mean() are over the negatives of the pair; a score of a negative stands only within one of
/// them. Functions: + - * / min max exp log sqrt softplus sigmoid step, of expressions and numbers.
/// step(x) is 1 if x > 0, else 0. The derivative is taken by the backend: that of step is 0, and that of min
/// and max is of the argument that is taken, the first of two equal ones, so that max(0.0, x) has 0 at 0.
/// All arithmetic is f64; a NaN of the value stays NaN. What does not depend on a score has derivative 0 by it, also
/// inside of a function whose own derivative is infinite, such as sqrt(sum(max(0.0, ...))) without violators. A formula
/// of more than 64 numbers, scores and functions is a ConfigError while it is written.
class Expression {
 public:
  Expression(double constant);  // NOLINT(google-explicit-constructor): 1.0 - p reads as a formula
  static Expression positive() { return Expression({.op = PairOp::kPositive}); }
  static Expression negative() { return Expression({.op = PairOp::kNegative}); }
  /// M, the number of negatives of a pair.
  static Expression negatives() { return Expression({.op = PairOp::kNegatives}); }

  /// The program. Throws ConfigError on a score of a negative outside of sums, and if the formula is
  /// larger than a program.
  PairProgram compile() const;

  friend Expression operator+(const Expression& a, const Expression& b) {
    return joined(PairOp::kAdd, a, b);
  }
  friend Expression operator-(const Expression& a, const Expression& b) {
    return joined(PairOp::kSubtract, a, b);
  }
  friend Expression operator-(const Expression& a) { return joined(PairOp::kSubtract, 0.0, a); }
  friend Expression operator*(const Expression& a, const Expression& b) {
    return joined(PairOp::kMultiply, a, b);
  }
  friend Expression operator/(const Expression& a, const Expression& b) {
    return joined(PairOp::kDivide, a, b);
  }
  friend Expression min(const Expression& a, const Expression& b) {
    return joined(PairOp::kMin, a, b);
  }
  friend Expression max(const Expression& a, const Expression& b) {
    return joined(PairOp::kMax, a, b);
  }
  friend Expression exp(const Expression& a) { return of(PairOp::kExp, a); }
  friend Expression log(const Expression& a) { return of(PairOp::kLog, a); }
  friend Expression sqrt(const Expression& a) { return of(PairOp::kSqrt, a); }
  /// log(1 + eˣ), without overflow.
  friend Expression softplus(const Expression& a) { return of(PairOp::kSoftplus, a); }
  friend Expression sigmoid(const Expression& a) { return of(PairOp::kSigmoid, a); }
  friend Expression step(const Expression& a) { return of(PairOp::kStep, a); }
  /// Σ_k, Σ_k / M. Throw ConfigError if a contains a sum.
  friend Expression sum(const Expression& a) { return summed(a); }
  friend Expression mean(const Expression& a) { return summed(a) / negatives(); }

 private:
  using Code = std::vector<PairInstruction>;

  explicit Expression(const PairInstruction& instruction) : code_{instruction} {}
  static Expression joined(PairOp op, const Expression& a, const Expression& b);
  static Expression of(PairOp op, const Expression& a);
  static Expression summed(const Expression& a);

  Code code_;
  std::vector<Code> sums_;
};

}  // namespace tern
