// Stands in for CUB's header of this name: a stable sort by the bits [begin_bit, end_bit) of keys.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <type_traits>
#include <vector>

#include "simt/runtime/primitive.hpp"

namespace cub {

struct DeviceRadixSort {
  template <class Key, class Value>
  static cudaError_t SortPairs(void* temporary, std::size_t& bytes, const Key* keys_in,
                               Key* keys_out, const Value* values_in, Value* values_out,
                               std::int64_t count, int begin_bit = 0,
                               int end_bit = 8 * static_cast<int>(sizeof(Key)),
                               cudaStream_t stream = nullptr) {
    using simt::runtime::range_of;
    if (!sound<Key>(count, begin_bit, end_bit)) {
      return simt::runtime::report(cudaErrorInvalidValue);
    }
    const auto in = range_of(keys_in, count);
    const auto out = range_of(keys_out, count);
    const auto with = range_of(values_in, count);
    const auto with_out = range_of(values_out, count);
    if (temporary != nullptr && (overlap(in, out) || overlap(with, with_out) ||
                                 overlap(out, with_out) || overlap(in, with_out))) {
      return simt::runtime::report(cudaErrorInvalidValue);
    }
    return simt::runtime::primitive(
        temporary, bytes, needed(in.bytes + with.bytes), stream, {in, out, with, with_out}, [=] {
          const auto order = sorted_order(keys_in, count, begin_bit, end_bit);
          for (std::int64_t i = 0; i < count; ++i) {
            keys_out[i] = keys_in[order[i]];
            values_out[i] = values_in[order[i]];
          }
        });
  }

  template <class Key>
  static cudaError_t SortKeys(void* temporary, std::size_t& bytes, const Key* keys_in,
                              Key* keys_out, std::int64_t count, int begin_bit = 0,
                              int end_bit = 8 * static_cast<int>(sizeof(Key)),
                              cudaStream_t stream = nullptr) {
    const auto in = simt::runtime::range_of(keys_in, count);
    const auto out = simt::runtime::range_of(keys_out, count);
    if (!sound<Key>(count, begin_bit, end_bit) || (temporary != nullptr && overlap(in, out))) {
      return simt::runtime::report(cudaErrorInvalidValue);
    }
    return simt::runtime::primitive(temporary, bytes, needed(in.bytes), stream, {in, out}, [=] {
      const auto order = sorted_order(keys_in, count, begin_bit, end_bit);
      for (std::int64_t i = 0; i < count; ++i) keys_out[i] = keys_in[order[i]];
    });
  }

 private:
  template <class Key>
  static bool sound(std::int64_t count, int begin_bit, int end_bit) {
    return count >= 0 && begin_bit >= 0 && begin_bit <= end_bit &&
           end_bit <= 8 * static_cast<int>(sizeof(Key));
  }
  static std::size_t needed(std::size_t array_bytes) { return array_bytes + 1024; }

  /// The selected bits, as unsigned numbers in the order of the keys.
  template <class Key>
  static std::uint64_t digits(Key key, int begin_bit, int end_bit) {
    using Bits = std::make_unsigned_t<Key>;
    auto bits = static_cast<Bits>(key);
    if constexpr (std::is_signed_v<Key>) bits ^= Bits{1} << (8 * sizeof(Key) - 1);
    const int width = end_bit - begin_bit;
    if (width == 0) return 0;
    const std::uint64_t mask = width == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << width) - 1;
    return std::uint64_t{bits} >> begin_bit & mask;
  }

  template <class Key>
  static std::vector<std::int64_t> sorted_order(const Key* keys, std::int64_t count, int begin_bit,
                                                int end_bit) {
    std::vector<std::int64_t> order(static_cast<std::size_t>(count));
    std::iota(order.begin(), order.end(), std::int64_t{0});
    std::stable_sort(order.begin(), order.end(), [=](std::int64_t a, std::int64_t b) {
      return digits(keys[a], begin_bit, end_bit) < digits(keys[b], begin_bit, end_bit);
    });
    return order;
  }
};

}  // namespace cub
