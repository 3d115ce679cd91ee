#include "bench/support/cpu_gather.hpp"

#include <algorithm>

namespace tern::bench {
namespace {

// One alias for each size: the attribute does not take a parameter of a template.
struct Avx512 {
  using Vector [[gnu::vector_size(64), gnu::may_alias]] = float;
};
struct Avx2 {
  using Vector [[gnu::vector_size(32), gnu::may_alias]] = float;
};
struct Plain {
  using Vector [[gnu::vector_size(16), gnu::may_alias]] = float;
};

struct Gather {
  const float* table;
  std::int64_t stride;
  std::span<const NodeId> ids;
  std::size_t ahead;

  const float* row(std::size_t i) const { return table + ids[i] * stride; }
  void prefetch_for(std::size_t i) const {
    if (ahead == 0) return;
    const float* next = row(std::min(i + ahead, ids.size() - 1));
    for (std::int64_t f = 0; f < stride; f += 16) __builtin_prefetch(next + f);
  }
};

/// Eight rows at a time. A row's vectors go to eight sums; its last ones, if fewer are left, share them
/// with those of the next rows.
template <class Target>
[[gnu::always_inline]] inline float sum_rows(const Gather& g) {
  using Vector = typename Target::Vector;
  constexpr std::int64_t kLanes = sizeof(Vector) / sizeof(float);
  constexpr std::size_t kRows = 8;
  // Vectors by name: an array of sums would be stored and loaded again for each row.
  Vector a{}, b{}, c{}, d{}, e{}, f{}, g7{}, h{};
  const auto at = [](const float* row, std::int64_t vector) -> const Vector& {
    return *reinterpret_cast<const Vector*>(row + vector * kLanes);
  };
  const std::int64_t vectors = g.stride / kLanes;
  std::size_t i = 0;
  for (; i + kRows <= g.ids.size(); i += kRows) {
    for (std::size_t k = 0; k < kRows; ++k) g.prefetch_for(i + k);
    std::int64_t v = 0;
    for (; v + 8 <= vectors; v += 8) {
      for (std::size_t k = 0; k < kRows; ++k) {
        const float* p = g.row(i + k);
        a += at(p, v), b += at(p, v + 1), c += at(p, v + 2), d += at(p, v + 3);
        e += at(p, v + 4), f += at(p, v + 5), g7 += at(p, v + 6), h += at(p, v + 7);
      }
    }
    if ((vectors & 4) != 0) {
      for (std::size_t k = 0; k < kRows; k += 2) {
        const float* p = g.row(i + k);
        const float* q = g.row(i + k + 1);
        a += at(p, v), b += at(p, v + 1), c += at(p, v + 2), d += at(p, v + 3);
        e += at(q, v), f += at(q, v + 1), g7 += at(q, v + 2), h += at(q, v + 3);
      }
      v += 4;
    }
    if ((vectors & 2) != 0) {
      for (std::size_t k = 0; k < kRows; k += 4) {
        const float* p = g.row(i + k);
        const float* q = g.row(i + k + 1);
        const float* r = g.row(i + k + 2);
        const float* s = g.row(i + k + 3);
        a += at(p, v), b += at(p, v + 1), c += at(q, v), d += at(q, v + 1);
        e += at(r, v), f += at(r, v + 1), g7 += at(s, v), h += at(s, v + 1);
      }
      v += 2;
    }
    if ((vectors & 1) != 0) {
      a += at(g.row(i), v), b += at(g.row(i + 1), v), c += at(g.row(i + 2), v);
      d += at(g.row(i + 3), v), e += at(g.row(i + 4), v), f += at(g.row(i + 5), v);
      g7 += at(g.row(i + 6), v), h += at(g.row(i + 7), v);
    }
  }
  for (; i < g.ids.size(); ++i) {
    for (std::int64_t v = 0; v < vectors; ++v) a += at(g.row(i), v);
  }
  a += b + c + d + e + f + g7 + h;
  float total = 0.0F;
  for (std::int64_t lane = 0; lane < kLanes; ++lane) total += a[lane];
  return total;
}

#if defined(__x86_64__)
[[gnu::target("avx512f")]] float sum_avx512(const Gather& gather) {
  return sum_rows<Avx512>(gather);
}
[[gnu::target("avx2")]] float sum_avx2(const Gather& gather) {
  return sum_rows<Avx2>(gather);
}
#endif

}  // namespace

float gather_rows(const float* table, std::int64_t stride, std::span<const NodeId> ids,
                  std::size_t ahead) {
  const Gather gather{table, stride, ids, ahead};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return sum_avx512(gather);
  if (__builtin_cpu_supports("avx2")) return sum_avx2(gather);
#endif
  return sum_rows<Plain>(gather);
}

}  // namespace tern::bench
