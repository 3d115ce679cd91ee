// Warp intrinsics: all lanes of a mask meet, then all continue.
#pragma once

#include <bit>
#include <cstdint>
#include <source_location>
#include <type_traits>

namespace simt::detail {

enum class WarpOperation : std::uint8_t {
  sync,
  shuffle,
  shuffle_up,
  shuffle_down,
  shuffle_xor,
  ballot,
  match_any,
  match_all,
  add,
  min,
  min_signed,
  max,
  max_signed,
  bit_and,
  bit_or,
  bit_xor
};

/// Leaves `value`, waits for the lanes of `mask`, returns this lane's result. `source` is the lane
/// that a shuffle reads.
std::uint64_t meet(WarpOperation operation, unsigned mask, std::uint64_t value, unsigned source,
                   std::source_location where);
/// This thread's lane; checks the width of a shuffle.
unsigned lane_for_width(int width, std::source_location where);

template <class T>
concept Shuffled = std::is_arithmetic_v<T> &&(sizeof(T) == 4 || sizeof(T) == 8);

template <class T>
std::uint64_t to_bits(T value) {
  if constexpr (sizeof(T) == 4) {
    return std::bit_cast<std::uint32_t>(value);
  } else {
    return std::bit_cast<std::uint64_t>(value);
  }
}

template <class T>
T from_bits(std::uint64_t bits) {
  if constexpr (sizeof(T) == 4) {
    return std::bit_cast<T>(static_cast<std::uint32_t>(bits));
  } else {
    return std::bit_cast<T>(bits);
  }
}

template <class T>
T shuffle(WarpOperation operation, unsigned mask, T value, unsigned source,
          std::source_location where) {
  return from_bits<T>(meet(operation, mask, to_bits(value), source, where));
}

}  // namespace simt::detail

inline void __syncwarp(unsigned mask = 0xffffffffu,
                       std::source_location where = std::source_location::current()) {
  simt::detail::meet(simt::detail::WarpOperation::sync, mask, 0, 0, where);
}

template <simt::detail::Shuffled T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32,
              std::source_location where = std::source_location::current()) {
  const unsigned lane = simt::detail::lane_for_width(width, where);
  const unsigned inside = static_cast<unsigned>(width) - 1;
  const unsigned from = (lane & ~inside) | (static_cast<unsigned>(source) & inside);
  return simt::detail::shuffle(simt::detail::WarpOperation::shuffle, mask, value, from, where);
}

template <simt::detail::Shuffled T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                 std::source_location where = std::source_location::current()) {
  const unsigned lane = simt::detail::lane_for_width(width, where);
  const unsigned inside = lane & (static_cast<unsigned>(width) - 1);
  const unsigned from = delta > inside ? lane : lane - delta;
  return simt::detail::shuffle(simt::detail::WarpOperation::shuffle_up, mask, value, from, where);
}

template <simt::detail::Shuffled T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                   std::source_location where = std::source_location::current()) {
  const unsigned lane = simt::detail::lane_for_width(width, where);
  const unsigned inside = lane & (static_cast<unsigned>(width) - 1);
  const unsigned from = delta >= static_cast<unsigned>(width) - inside ? lane : lane + delta;
  return simt::detail::shuffle(simt::detail::WarpOperation::shuffle_down, mask, value, from, where);
}

template <simt::detail::Shuffled T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32,
                  std::source_location where = std::source_location::current()) {
  const unsigned lane = simt::detail::lane_for_width(width, where);
  const unsigned from = lane ^ static_cast<unsigned>(lane_mask);
  const bool beyond = from >= (lane | (static_cast<unsigned>(width) - 1)) + 1;
  return simt::detail::shuffle(simt::detail::WarpOperation::shuffle_xor, mask, value,
                               beyond ? lane : from, where);
}

inline unsigned __ballot_sync(unsigned mask, int predicate,
                              std::source_location where = std::source_location::current()) {
  return static_cast<unsigned>(
      simt::detail::meet(simt::detail::WarpOperation::ballot, mask, predicate != 0, 0, where));
}
inline int __any_sync(unsigned mask, int predicate,
                      std::source_location where = std::source_location::current()) {
  return __ballot_sync(mask, predicate, where) != 0;
}
inline int __all_sync(unsigned mask, int predicate,
                      std::source_location where = std::source_location::current()) {
  return __ballot_sync(mask, !predicate, where) == 0;
}

/// The calling lane alone. A device may choose which lanes run together; a kernel that is correct
/// with this answer does not rely on the choice.
unsigned __activemask();

template <simt::detail::Shuffled T>
unsigned __match_any_sync(unsigned mask, T value,
                          std::source_location where = std::source_location::current()) {
  return static_cast<unsigned>(simt::detail::meet(simt::detail::WarpOperation::match_any, mask,
                                                  simt::detail::to_bits(value), 0, where));
}

template <simt::detail::Shuffled T>
unsigned __match_all_sync(unsigned mask, T value, int* all_equal,
                          std::source_location where = std::source_location::current()) {
  const auto equal = static_cast<unsigned>(simt::detail::meet(
      simt::detail::WarpOperation::match_all, mask, simt::detail::to_bits(value), 0, where));
  *all_equal = equal != 0;
  return equal;
}

template <class T>
requires(std::is_same_v<T, int> || std::is_same_v<T, unsigned>) T
    __reduce_add_sync(unsigned mask, T value,
                      std::source_location where = std::source_location::current()) {
  return simt::detail::shuffle(simt::detail::WarpOperation::add, mask, value, 0, where);
}
template <class T>
requires(std::is_same_v<T, int> || std::is_same_v<T, unsigned>) T
    __reduce_min_sync(unsigned mask, T value,
                      std::source_location where = std::source_location::current()) {
  using enum simt::detail::WarpOperation;
  return simt::detail::shuffle(std::is_signed_v<T> ? min_signed : min, mask, value, 0, where);
}
template <class T>
requires(std::is_same_v<T, int> || std::is_same_v<T, unsigned>) T
    __reduce_max_sync(unsigned mask, T value,
                      std::source_location where = std::source_location::current()) {
  using enum simt::detail::WarpOperation;
  return simt::detail::shuffle(std::is_signed_v<T> ? max_signed : max, mask, value, 0, where);
}
inline unsigned __reduce_and_sync(unsigned mask, unsigned value,
                                  std::source_location where = std::source_location::current()) {
  return simt::detail::shuffle(simt::detail::WarpOperation::bit_and, mask, value, 0, where);
}
inline unsigned __reduce_or_sync(unsigned mask, unsigned value,
                                 std::source_location where = std::source_location::current()) {
  return simt::detail::shuffle(simt::detail::WarpOperation::bit_or, mask, value, 0, where);
}
inline unsigned __reduce_xor_sync(unsigned mask, unsigned value,
                                  std::source_location where = std::source_location::current()) {
  return simt::detail::shuffle(simt::detail::WarpOperation::bit_xor, mask, value, 0, where);
}
