#pragma once

#include <cstdint>

#include "host/support/bf16.hpp"
#include "tern/view.hpp"

namespace tern::cpu {

/// The arguments of propagate's SIMD kernel, as views of memory. Widths are strides: whole blocks.
struct PropagateTask {
  CsrView csr;
  const float* to_scale = nullptr;
  const float* from_scale = nullptr;
  MatrixView<const float> x;
  const Bf16* copy = nullptr;  // of x, with its stride: read in its place; null: none
  MatrixView<float> y;
  const NodeId* rows = nullptr;                // the rows to write; null: row i is i
  const std::uint8_t* from_marks = nullptr;    // null: every column counts
  const float* addend = nullptr;               // of y's stride; null: none
  const std::uint8_t* addend_marks = nullptr;  // null: every row of the addend counts
  float scale = 1.0F;
};

/// Rows [begin, end) of the task; if task.rows is given, rows task.rows[begin .. end). Edges, and elements of
/// tables, are counted in 64 bits.
void propagate_rows(const PropagateTask& task, std::int64_t begin, std::int64_t end);

}  // namespace tern::cpu
