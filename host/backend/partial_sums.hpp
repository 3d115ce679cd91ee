#pragma once

#include <memory>
#include <span>

#include "tern/backend.hpp"

namespace tern {

/// Completes sums over the columns of tables, if this backend has a part of the columns and others have
/// the rest (host/distributed). An op calls it once for all of its rows, in a fixed order.
class PartialSums {
 public:
  virtual ~PartialSums() = default;
  /// values[i] := the sum of all parts, the same bits for every part.
  virtual void complete(std::span<double> values) = 0;
};

/// make_cpu_backend() for a part of the columns. Its bpr and l2_penalty are those of whole rows; all other
/// ops treat the part as a table of its own. sums must outlive the backend. threads: 0 for all that the
/// process may use.
std::unique_ptr<Backend> make_partial_cpu_backend(int threads, PartialSums& sums);

}  // namespace tern
