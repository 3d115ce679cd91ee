#pragma once

#include <cstdint>

#include "host/cpu/storage.hpp"
#include "host/support/thread_pool.hpp"

namespace tern::cpu {

/// The copy from which propagate gathers x, made anew if it is stale; null: x has none.
const Bf16* fresh_copy(const Matrix& x, ThreadPool& pool);

/// Keeps the copy of a matrix fresh in an op that writes it: the op copies what it has just written, and
/// still has in its cache. Any other op leaves the copy stale, and fresh_copy() reads the whole matrix.
class CopyRefresh {
 public:
  /// To be made before view(matrix). rows: those that the op writes; null: every row. A copy whose
  /// other rows are stale stays so.
  CopyRefresh(const Matrix& matrix, const RowSet* rows);

  /// Copies elements [begin, end) as they are stored: whole blocks. Threads may do so at one time.
  void copy(std::int64_t begin, std::int64_t end) const;
  /// To be called once all ranges are copied: the copy is fresh then.
  void finish() const;

 private:
  const float* values_ = nullptr;
  GatherCopy* copy_ = nullptr;  // null: nothing to do
};

}  // namespace tern::cpu
