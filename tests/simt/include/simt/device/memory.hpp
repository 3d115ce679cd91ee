// Loads and stores with a cache hint (the hint has no meaning here), and atomics.
#pragma once

#include <atomic>
#include <concepts>
#include <type_traits>

#include "simt/device/language.hpp"

template <class T>
__forceinline__ T __ldg(const T* p) {
  return *p;
}
template <class T>
__forceinline__ T __ldca(const T* p) {
  return *p;
}
template <class T>
__forceinline__ T __ldcg(const T* p) {
  return *p;
}
template <class T>
__forceinline__ T __ldcs(const T* p) {
  return *p;
}
template <class T>
__forceinline__ T __ldlu(const T* p) {
  return *p;
}
template <class T>
__forceinline__ T __ldcv(const T* p) {
  return *p;
}
template <class T>
__forceinline__ void __stcg(T* p, T value) {
  *p = value;
}
template <class T>
__forceinline__ void __stcs(T* p, T value) {
  *p = value;
}
template <class T>
__forceinline__ void __stwb(T* p, T value) {
  *p = value;
}
template <class T>
__forceinline__ void __stwt(T* p, T value) {
  *p = value;
}

namespace simt::detail {

template <class T>
concept AtomicInteger =
    std::same_as<T, int> || std::same_as<T, unsigned> || std::same_as<T, unsigned long long>;
template <class T>
concept AtomicNumber = AtomicInteger<T> || std::same_as<T, float> || std::same_as<T, double>;
template <class T>
concept AtomicWord = AtomicInteger<T> || std::same_as<T, float>;

/// Replaces *p by combine(*p) in one step; returns the old value. Relaxed, as CUDA's atomics are.
template <class T, class Combine>
__forceinline__ T atomic_update(T* p, Combine combine) {
  std::atomic_ref<T> place(*p);
  T old = place.load(std::memory_order_relaxed);
  while (!place.compare_exchange_weak(old, combine(old), std::memory_order_relaxed)) {
  }
  return old;
}

}  // namespace simt::detail

template <simt::detail::AtomicNumber T>
__forceinline__ T atomicAdd(T* p, std::type_identity_t<T> value) {
  if constexpr (std::floating_point<T>) {
    return simt::detail::atomic_update(p, [=](T old) { return old + value; });
  } else {
    return std::atomic_ref<T>(*p).fetch_add(value, std::memory_order_relaxed);
  }
}
template <class T>
requires(std::same_as<T, int> || std::same_as<T, unsigned>) __forceinline__ T
    atomicSub(T* p, std::type_identity_t<T> value) {
  return std::atomic_ref<T>(*p).fetch_sub(value, std::memory_order_relaxed);
}
template <class T>
requires(simt::detail::AtomicInteger<T> || std::same_as<T, long long>) __forceinline__ T
    atomicMax(T* p, std::type_identity_t<T> value) {
  return simt::detail::atomic_update(p, [=](T old) { return old < value ? value : old; });
}
template <class T>
requires(simt::detail::AtomicInteger<T> || std::same_as<T, long long>) __forceinline__ T
    atomicMin(T* p, std::type_identity_t<T> value) {
  return simt::detail::atomic_update(p, [=](T old) { return value < old ? value : old; });
}
template <simt::detail::AtomicWord T>
__forceinline__ T atomicExch(T* p, std::type_identity_t<T> value) {
  return std::atomic_ref<T>(*p).exchange(value, std::memory_order_relaxed);
}
template <class T>
requires(simt::detail::AtomicInteger<T> || std::same_as<T, unsigned short>) __forceinline__ T
    atomicCAS(T* p, std::type_identity_t<T> expected, std::type_identity_t<T> desired) {
  std::atomic_ref<T>(*p).compare_exchange_strong(expected, desired, std::memory_order_relaxed);
  return expected;
}
template <simt::detail::AtomicInteger T>
__forceinline__ T atomicAnd(T* p, std::type_identity_t<T> value) {
  return std::atomic_ref<T>(*p).fetch_and(value, std::memory_order_relaxed);
}
template <simt::detail::AtomicInteger T>
__forceinline__ T atomicOr(T* p, std::type_identity_t<T> value) {
  return std::atomic_ref<T>(*p).fetch_or(value, std::memory_order_relaxed);
}
template <simt::detail::AtomicInteger T>
__forceinline__ T atomicXor(T* p, std::type_identity_t<T> value) {
  return std::atomic_ref<T>(*p).fetch_xor(value, std::memory_order_relaxed);
}
__forceinline__ unsigned atomicInc(unsigned* p, unsigned limit) {
  return simt::detail::atomic_update(p, [=](unsigned old) { return old >= limit ? 0 : old + 1; });
}
