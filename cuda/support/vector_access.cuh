#pragma once

#include <cuda_runtime.h>

#include <cstring>

namespace tern::cuda {

/// 16 bytes of elements that travel together: 4 floats, 8 halves, 2 doubles.
template <typename T>
struct alignas(16) Pack {
  static_assert(16 % sizeof(T) == 0);
  static constexpr int kSize = static_cast<int>(16 / sizeof(T));
  T element[kSize];

  __host__ __device__ T& operator[](int i) { return element[i]; }
  __host__ __device__ const T& operator[](int i) const { return element[i]; }
};

namespace detail {
template <typename T>
__device__ inline Pack<T> unpack(int4 bits) {
  Pack<T> pack;
  memcpy(&pack, &bits, sizeof bits);
  return pack;
}
template <typename T>
__device__ inline int4 bits_of(const Pack<T>& pack) {
  int4 bits;
  memcpy(&bits, &pack, sizeof bits);
  return bits;
}
}  // namespace detail

// Every address is a multiple of 16.

/// What other threads may write meanwhile: a plain load.
template <typename T>
__device__ inline Pack<T> load_vector(const T* from) {
  return detail::unpack<T>(*reinterpret_cast<const int4*>(from));
}
/// What nobody writes during the kernel: through the read-only path.
template <typename T>
__device__ inline Pack<T> load_vector_readonly(const T* from) {
  return detail::unpack<T>(__ldg(reinterpret_cast<const int4*>(from)));
}
/// What is read once: first to leave the cache, so that the tables that gathers read stay in it.
template <typename T>
__device__ inline Pack<T> load_vector_streaming(const T* from) {
  return detail::unpack<T>(__ldcs(reinterpret_cast<const int4*>(from)));
}

template <typename T>
__device__ inline void store_vector(T* to, const Pack<T>& pack) {
  *reinterpret_cast<int4*>(to) = detail::bits_of(pack);
}
/// What no kernel reads soon, likewise.
template <typename T>
__device__ inline void store_vector_streaming(T* to, const Pack<T>& pack) {
  __stcs(reinterpret_cast<int4*>(to), detail::bits_of(pack));
}

}  // namespace tern::cuda
