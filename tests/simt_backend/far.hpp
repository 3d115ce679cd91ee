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

  /// The address of element 0. Only [from, from + count) may be accessed; the executor checks this.
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
