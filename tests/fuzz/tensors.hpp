#pragma once

#include <cstring>

#include "host/data/tensor_bytes.hpp"

namespace tern::fuzz {

/// Whether both have the same bits: NaN equals itself, and -0 differs from 0.
inline bool same(const Tensor& a, const Tensor& b) {
  const std::span<const char> x = bytes_of(a);
  const std::span<const char> y = bytes_of(b);
  return a.shape == b.shape && a.values.index() == b.values.index() && x.size() == y.size() &&
         (x.empty() || std::memcmp(x.data(), y.data(), x.size()) == 0);
}

}  // namespace tern::fuzz
