#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "bench/support/case.hpp"

namespace tern::bench {

/// A rival of propagate on the CPU: y (rows, width) from x, both plain row-major arrays.
class PropagateRival {
 public:
  virtual ~PropagateRival() = default;
  virtual void run(std::span<const float> x, std::span<float> y) = 0;
};

/// The obvious loop: OpenMP over rows, the compiler's own vectors, no prefetch.
std::unique_ptr<PropagateRival> make_plain_loop(const Interactions& rows,
                                                const Interactions& columns, std::int64_t width,
                                                int threads);

/// Eigen's product of a row-major sparse matrix with stored weights and a row-major dense matrix.
std::unique_ptr<PropagateRival> make_eigen(const Interactions& rows, const Interactions& columns,
                                           std::int64_t width, int threads);

}  // namespace tern::bench
