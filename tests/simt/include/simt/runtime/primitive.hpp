// The protocol that CUB's device-wide functions share, and how long their temporary storage is
// here.
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

/// Without temporary storage: says how much is needed, and does nothing. With it: refuses storage
/// that is too short, and arrays that are not wholly on the device; then asks for run() on the
/// stream, after filling the storage with rubbish, so that nobody relies on what it holds.
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
