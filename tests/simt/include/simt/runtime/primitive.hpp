// The protocol shared by CUB's device-wide functions, and the size of their temporary storage here.
#pragma once

#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <utility>

#include "simt/runtime/work.hpp"

namespace simt::runtime {

template <class T>
Range range_of(const T* begin, std::int64_t count) {
  return {begin, static_cast<std::size_t>(count) * sizeof(T)};
}

/// Without temporary storage: returns the needed size, and does nothing. With it: refuses storage
/// that is too short and arrays that are not wholly on the device; then fills the storage with
/// garbage, so that nobody relies on its content, and submits run() to the stream.
template <class Function>
cudaError_t primitive(void* temporary, std::size_t& bytes, std::size_t needed, cudaStream_t stream,
                      std::initializer_list<Range> arrays, Function run) {
  if (temporary == nullptr) {
    bytes = needed;
    return cudaSuccess;
  }
  if (bytes < needed || !on_device({temporary, needed})) return report(cudaErrorInvalidValue);
  for (const Range& array : arrays) {
    if (array.bytes == 0) continue;
    if (!on_device(array) || overlap(array, {temporary, needed})) {
      return report(cudaErrorInvalidValue);
    }
  }
  return submit_kernels(stream, [=] {
    std::memset(temporary, 0xa5, needed);
    run();
  });
}

}  // namespace simt::runtime
