#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "tern/backend.hpp"
#include "tern/view.hpp"

namespace tern {

/// What the ops of a backend with a part of the columns of its tables get from those that have the rest
/// (host/distributed): sums over all columns, and whole rows. An op makes the same calls for every part,
/// in a fixed order, each for all of its rows at once.
class PartialSums {
 public:
  /// The first column of this part, and the columns of all parts.
  struct Place {
    std::int64_t first = 0;
    std::int64_t width = 0;
  };

  virtual ~PartialSums() = default;
  /// The place of the tables of the op that runs.
  virtual Place place() const = 0;
  /// values[i] := the sum of all parts, the same bits for every part.
  virtual void complete(std::span<double> values) = 0;
  /// whole := the columns of all parts side by side. own: (rows, columns of this part) without gaps
  /// between its rows; whole: (rows, width), what is behind its columns becomes 0.
  virtual void gather(std::span<const float> own, const MatrixView<float>& whole) = 0;
};

/// make_cpu_backend() for a part of the columns. The losses, l2_penalty, info_nce, perturb,
/// dropout and normalize_rows are those of whole rows; all other ops treat the part as a table of its own. sums must
/// outlive the backend. threads: 0 for all that the process may use.
std::unique_ptr<Backend> make_partial_cpu_backend(int threads, PartialSums& sums);

}  // namespace tern
