#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

namespace tern {

/// Values that are appended one block after another. Unlike a std::vector, it grows by realloc, which moves
/// large blocks by remapping pages, and it does not clear new places: while it grows, it takes the memory
/// of its values alone, where a vector takes up to three times as much.
template <typename T>
class GrowingArray {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  using value_type = T;
  using size_type = std::size_t;
  using iterator = T*;
  using const_iterator = const T*;

  GrowingArray() = default;
  GrowingArray(GrowingArray&& other) noexcept { *this = std::move(other); }
  GrowingArray& operator=(GrowingArray&& other) noexcept {
    data_ = std::move(other.data_);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
    return *this;
  }

  std::size_t size() const noexcept { return size_; }
  std::size_t capacity() const noexcept { return capacity_; }
  bool empty() const noexcept { return size_ == 0; }
  T* data() noexcept { return data_.get(); }
  const T* data() const noexcept { return data_.get(); }
  T* begin() noexcept { return data(); }
  /// The place of the next value; capacity() - size() values fit.
  T* end() noexcept { return data() + size_; }
  const T* begin() const noexcept { return data(); }
  const T* end() const noexcept { return data() + size_; }
  T& operator[](std::size_t i) noexcept { return data()[i]; }
  const T& operator[](std::size_t i) const noexcept { return data()[i]; }

  /// Makes room for this many values in all. Throws std::bad_alloc.
  void reserve(std::size_t capacity) {
    if (capacity <= capacity_) return;
    if (capacity > static_cast<std::size_t>(-1) / sizeof(T)) throw std::bad_alloc();
    void* grown = std::realloc(data_.get(), capacity * sizeof(T));
    if (grown == nullptr) throw std::bad_alloc();
    static_cast<void>(data_.release());  // realloc has freed or kept it
    data_.reset(static_cast<T*>(grown));
    capacity_ = capacity;
  }
  /// Counts values that were written at end().
  void extend(std::size_t count) noexcept { size_ += count; }

  /// Appends `count` values, which the caller has to write, and returns their place.
  T* append(std::size_t count) {
    if (size_ + count > capacity_) grow(size_ + count);
    extend(count);
    return end() - count;
  }
  void append(std::span<const T> values) {
    std::copy(values.begin(), values.end(), append(values.size()));
  }
  void push_back(T value) { *append(1) = value; }
  /// Drops the values from here on.
  void truncate(std::size_t size) noexcept { size_ = std::min(size_, size); }

  friend bool operator==(const GrowingArray& a, const GrowingArray& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  /// The C library maps blocks of more than 32 MiB on their own, and remaps them when they grow; smaller ones
  /// may be copied. Pages that are not written yet take no memory.
  void grow(std::size_t least) {
    constexpr std::size_t kSmall = (std::size_t{1} << 20) / sizeof(T);
    constexpr std::size_t kMapped = (std::size_t{33} << 20) / sizeof(T);
    const std::size_t wanted = std::max(least, capacity_ + capacity_ / 2);
    reserve(wanted > kSmall ? std::max(wanted, kMapped) : wanted);
  }

  struct Free {
    void operator()(T* data) const noexcept { std::free(data); }
  };
  std::unique_ptr<T, Free> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace tern
