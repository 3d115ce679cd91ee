// Stands in for CUB's header of this name.
#pragma once

#include <cstdint>

#include "simt/runtime/primitive.hpp"

namespace cub {

struct DeviceSelect {
  /// The first of each run of equal elements; their number goes to *num_selected.
  template <class T, class Count>
  static cudaError_t Unique(void* temporary, std::size_t& bytes, const T* in, T* out,
                            Count* num_selected, std::int64_t count,
                            cudaStream_t stream = nullptr) {
    const auto from = simt::runtime::range_of(in, count);
    const auto to = simt::runtime::range_of(out, count);
    if (temporary != nullptr && overlap(from, to)) {
      return simt::runtime::report(cudaErrorInvalidValue);
    }
    return simt::runtime::primitive(temporary, bytes, static_cast<std::size_t>(count) / 32 + 256,
                                    stream, {from, to, simt::runtime::range_of(num_selected, 1)},
                                    [=] {
                                      Count kept = 0;
                                      for (std::int64_t i = 0; i < count; ++i) {
                                        if (i == 0 || !(in[i] == in[i - 1])) out[kept++] = in[i];
                                      }
                                      *num_selected = kept;
                                    });
  }
};

}  // namespace cub
