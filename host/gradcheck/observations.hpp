#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "host/gradcheck/differences.hpp"
#include "tern/gradient_check.hpp"

namespace tern::gradcheck_detail {

/// An analytic derivative beside the numeric one; element -1: along a direction.
struct Compared {
  std::int64_t element = -1;
  double analytic = 0.0;
  Derivative numeric;

  double error() const { return std::abs(analytic - numeric.value); }
};

/// What the wrong derivatives of a matrix have in common: a factor (-1 is a sign), or one row. Empty if nothing.
std::string observe(const NamedMatrix& matrix, const std::vector<Compared>& compared,
                    const std::vector<std::int64_t>& wrong);

}  // namespace tern::gradcheck_detail
