#include "tern/expression.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <span>

#include "host/backend/pair_program.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

using Code = std::vector<PairInstruction>;

/// The number of values on the stack after each instruction.
struct Depths {
  int least = std::numeric_limits<int>::max();
  int most = 0;
  int last = 0;
};

Depths depths_of(std::span<const PairInstruction> code) {
  Depths depths;
  for (const PairInstruction& instruction : code) {
    if (instruction.op < PairOp::kAdd) {
      ++depths.last;
    } else if (instruction.op < PairOp::kExp) {
      --depths.last;
    }
    depths.least = std::min(depths.least, depths.last);
    depths.most = std::max(depths.most, depths.last);
  }
  return depths;
}

bool has_op(const Code& code, PairOp op) {
  return std::ranges::find(code, op, &PairInstruction::op) != code.end();
}

void check_size(std::int64_t size) {
  if (size <= PairProgram::kMaxInstructions) return;
  throw ConfigError(fmt::format("the expression has more than {} numbers, scores and functions",
                                PairProgram::kMaxInstructions));
}

void append_code(PairProgram& program, std::int32_t& size, const Code& code) {
  check_size(size + std::ssize(code));
  const int depth = depths_of(code).most;
  if (depth > PairProgram::kMaxDepth) {
    throw ConfigError(
        fmt::format("the expression needs {} intermediate values at a time, expected at most {}: "
                    "write a + (b + c) as a + b + c",
                    depth, PairProgram::kMaxDepth));
  }
  std::ranges::copy(code, program.code + size);
  size += static_cast<std::int32_t>(code.size());
}

}  // namespace

Expression::Expression(double constant) : code_{PairInstruction{.constant = constant}} {}

Expression Expression::joined(PairOp op, const Expression& a, const Expression& b) {
  Expression result = a;
  // The sums of both, equal ones once.
  std::vector<std::int32_t> numbers;
  for (const Code& sum : b.sums_) {
    const auto known = std::ranges::find(result.sums_, sum);
    numbers.push_back(static_cast<std::int32_t>(known - result.sums_.begin()));
    if (known == result.sums_.end()) result.sums_.push_back(sum);
  }
  for (PairInstruction instruction : b.code_) {
    if (instruction.op == PairOp::kSum) {
      instruction.sum = numbers[static_cast<std::size_t>(instruction.sum)];
    }
    result.code_.push_back(instruction);
  }
  result.code_.push_back({.op = op});
  check_size(std::ssize(result.code_));  // repeated squaring would fill the memory
  return result;
}

Expression Expression::of(PairOp op, const Expression& a) {
  Expression result = a;
  result.code_.push_back({.op = op});
  check_size(std::ssize(result.code_));
  return result;
}

Expression Expression::summed(const Expression& a) {
  if (!a.sums_.empty()) {
    throw ConfigError("an expression has a sum over negatives within another one");
  }
  Expression result(PairInstruction{.op = PairOp::kSum});
  result.sums_.push_back(a.code_);
  return result;
}

PairProgram Expression::compile() const {
  if (has_op(code_, PairOp::kNegative)) {
    throw ConfigError(
        "the expression has the score of a negative outside of a sum; write mean(...) or sum(...) "
        "over it");
  }
  if (sums_.size() > PairProgram::kMaxSums) {
    throw ConfigError(
        fmt::format("the expression has {} different sums over negatives, expected at "
                    "most {}",
                    sums_.size(), PairProgram::kMaxSums));
  }
  PairProgram program;
  std::int32_t size = 0;
  for (const Code& sum : sums_) {
    append_code(program, size, sum);
    program.ends[program.sums++] = size;
  }
  append_code(program, size, code_);
  program.ends[program.sums] = size;
  return program;
}

bool is_whole(const PairProgram& program) {
  if (program.sums < 0 || program.sums > PairProgram::kMaxSums) return false;
  std::int32_t begin = 0;
  for (std::int32_t part = 0; part <= program.sums; ++part) {
    const std::int32_t end = program.ends[part];
    if (end <= begin || end > PairProgram::kMaxInstructions) return false;
    const std::span<const PairInstruction> code(program.code + begin, program.code + end);
    const Depths depths = depths_of(code);
    if (depths.least < 1 || depths.most > PairProgram::kMaxDepth || depths.last != 1) return false;
    const bool sums_exist = std::ranges::all_of(code, [&](const PairInstruction& instruction) {
      return instruction.op != PairOp::kSum ||
             (instruction.sum >= 0 && instruction.sum < program.sums);
    });
    if (!sums_exist) return false;
    begin = end;
  }
  return true;
}

}  // namespace tern
