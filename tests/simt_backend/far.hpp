#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "simt/buffer.hpp"

namespace tern::test {

/// `count` elements of an array that begins `from` elements before them.
template <typename T>
class Far {
 public:
  Far(std::int64_t from, std::vector<T> values)
      : from_(from), buffer_(std::span<const T>(values)) {}

  /// Where element 0 would be. Only [from, from + count) may be touched: the executor sees to it.
  T* data() {
    return reinterpret_cast<T*>(reinterpret_cast<std::uintptr_t>(buffer_.data()) -
                                static_cast<std::uintptr_t>(from_) * sizeof(T));
  }
  T operator[](std::int64_t i) const { return buffer_[static_cast<std::size_t>(i - from_)]; }

 private:
  std::int64_t from_;
  simt::Buffer<T> buffer_;
};

}  // namespace tern::test
