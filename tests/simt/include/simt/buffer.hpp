// "Device" memory for kernels under test: filled with NaN at first, fenced on both sides.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

namespace simt {

namespace detail {
void* allocate(std::size_t bytes);  // 256-byte aligned, every byte 0xFF
void release(void* memory) noexcept;
}  // namespace detail

/// An owner of `size` elements. The watch and AddressSanitizer report a kernel that accesses a byte
/// beside them, or any byte after the buffer is destroyed. Starts as 0xFF
/// bytes: NaN for floating point, -1 for integers.
template <class T>
requires std::is_trivially_copyable_v<T>
class Buffer {
 public:
  explicit Buffer(std::size_t size)
      : data_(static_cast<T*>(detail::allocate(size * sizeof(T)))), size_(size) {}
  explicit Buffer(std::span<const T> values) : Buffer(values.size()) {
    if (!values.empty()) std::memcpy(data_, values.data(), values.size_bytes());
  }
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Buffer() {
    if (data_) detail::release(data_);
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  std::size_t size() const { return size_; }
  std::span<T> span() { return {data_, size_}; }
  std::span<const T> span() const { return {data_, size_}; }
  T& operator[](std::size_t i) { return span()[i]; }
  const T& operator[](std::size_t i) const { return span()[i]; }
  void fill(T value) {
    for (T& element : span()) element = value;
  }

 private:
  T* data_;
  std::size_t size_;
};

}  // namespace simt
