// dim3 and the short vectors (float2, int4, ...), laid out and aligned as CUDA lays them out.
#pragma once

#include <cstddef>

namespace simt {

template <class T>
struct Vector1 {
  T x;
};
template <class T>
struct alignas(2 * sizeof(T)) Vector2 {
  T x, y;
};
template <class T>
struct Vector3 {
  T x, y, z;
};
template <class T>
struct alignas(4 * sizeof(T) < 16 ? 4 * sizeof(T) : 16) Vector4 {
  T x, y, z, w;
};

}  // namespace simt

using char1 = simt::Vector1<signed char>;
using char2 = simt::Vector2<signed char>;
using char3 = simt::Vector3<signed char>;
using char4 = simt::Vector4<signed char>;
using uchar1 = simt::Vector1<unsigned char>;
using uchar2 = simt::Vector2<unsigned char>;
using uchar3 = simt::Vector3<unsigned char>;
using uchar4 = simt::Vector4<unsigned char>;
using short2 = simt::Vector2<short>;
using short4 = simt::Vector4<short>;
using ushort2 = simt::Vector2<unsigned short>;
using ushort4 = simt::Vector4<unsigned short>;
using int1 = simt::Vector1<int>;
using int2 = simt::Vector2<int>;
using int3 = simt::Vector3<int>;
using int4 = simt::Vector4<int>;
using uint1 = simt::Vector1<unsigned>;
using uint2 = simt::Vector2<unsigned>;
using uint3 = simt::Vector3<unsigned>;
using uint4 = simt::Vector4<unsigned>;
using float1 = simt::Vector1<float>;
using float2 = simt::Vector2<float>;
using float3 = simt::Vector3<float>;
using float4 = simt::Vector4<float>;
using double1 = simt::Vector1<double>;
using double2 = simt::Vector2<double>;
using longlong1 = simt::Vector1<long long>;
using longlong2 = simt::Vector2<long long>;
using ulonglong1 = simt::Vector1<unsigned long long>;
using ulonglong2 = simt::Vector2<unsigned long long>;

constexpr uchar4 make_uchar4(unsigned char x, unsigned char y, unsigned char z, unsigned char w) {
  return {x, y, z, w};
}
constexpr ushort2 make_ushort2(unsigned short x, unsigned short y) {
  return {x, y};
}
constexpr ushort4 make_ushort4(unsigned short x, unsigned short y, unsigned short z,
                               unsigned short w) {
  return {x, y, z, w};
}
constexpr int2 make_int2(int x, int y) {
  return {x, y};
}
constexpr int3 make_int3(int x, int y, int z) {
  return {x, y, z};
}
constexpr int4 make_int4(int x, int y, int z, int w) {
  return {x, y, z, w};
}
constexpr uint2 make_uint2(unsigned x, unsigned y) {
  return {x, y};
}
constexpr uint3 make_uint3(unsigned x, unsigned y, unsigned z) {
  return {x, y, z};
}
constexpr uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) {
  return {x, y, z, w};
}
constexpr float2 make_float2(float x, float y) {
  return {x, y};
}
constexpr float3 make_float3(float x, float y, float z) {
  return {x, y, z};
}
constexpr float4 make_float4(float x, float y, float z, float w) {
  return {x, y, z, w};
}
constexpr double2 make_double2(double x, double y) {
  return {x, y};
}
constexpr longlong2 make_longlong2(long long x, long long y) {
  return {x, y};
}
constexpr ulonglong2 make_ulonglong2(unsigned long long x, unsigned long long y) {
  return {x, y};
}

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
  constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}
  constexpr operator uint3() const { return {x, y, z}; }
};
