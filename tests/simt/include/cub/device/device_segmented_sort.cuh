// Stands in for CUB's header of this name: segment s is [begins[s], ends[s]) of the keys; keys
// outside all segments stay as they are.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <stdexcept>

#include "simt/runtime/primitive.hpp"

namespace cub {

struct DeviceSegmentedSort {
  template <class Key, class Begins, class Ends>
  static cudaError_t SortKeysDescending(void* temporary, std::size_t& bytes, const Key* keys_in,
                                        Key* keys_out, std::int64_t count,
                                        std::int64_t num_segments, Begins begins, Ends ends,
                                        cudaStream_t stream = nullptr) {
    const auto in = simt::runtime::range_of(keys_in, count);
    const auto out = simt::runtime::range_of(keys_out, count);
    if (count < 0 || num_segments < 0 || (temporary != nullptr && overlap(in, out))) {
      return simt::runtime::report(cudaErrorInvalidValue);
    }
    const std::size_t needed = in.bytes + static_cast<std::size_t>(num_segments) * 8 + 256;
    return simt::runtime::primitive(temporary, bytes, needed, stream, {in, out}, [=] {
      for (std::int64_t s = 0; s < num_segments; ++s) {
        const auto begin = static_cast<std::int64_t>(begins[s]);
        const auto end = static_cast<std::int64_t>(ends[s]);
        if (begin < 0 || begin > end || end > count) {
          throw std::logic_error("simt: a segment to sort lies outside the keys");
        }
        std::copy(keys_in + begin, keys_in + end, keys_out + begin);
        std::sort(keys_out + begin, keys_out + end, std::greater<Key>());
      }
    });
  }
};

}  // namespace cub
