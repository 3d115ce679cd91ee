// The loop whose speed is the ceiling of gathers reads every element of every row.

#include "bench/support/cpu_gather.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "host/cpu/storage.hpp"

namespace tern::test {
namespace {

/// Distinct values, small enough for their sums to be exact in f32.
cpu::FloatBlock table_of(std::int64_t rows, std::int64_t stride) {
  cpu::FloatBlock table(rows * stride);
  for (std::int64_t i = 0; i < table.size(); ++i) table.data()[i] = static_cast<float>(i % 251);
  return table;
}

TEST(CpuGather, SumsEveryElementOfEveryRow) {
  constexpr NodeId kRows = 13;
  // From one to seventeen vectors of AVX-512: each of the loops for 8, 4, 2 and 1 of them.
  for (std::int64_t stride = 16; stride <= 272; stride += 16) {
    const cpu::FloatBlock table = table_of(kRows, stride);
    std::vector<NodeId> ids;
    double expected = 0.0;
    for (NodeId i = 0; i <= 20; ++i) {  // from no row to two groups of eight and a rest
      for (const std::size_t ahead : {0, 3}) {
        EXPECT_EQ(bench::gather_rows(table.data(), stride, ids, ahead), expected)
            << stride << " floats, " << i << " rows";
      }
      ids.push_back(i * 5 % kRows);
      for (std::int64_t f = 0; f < stride; ++f) expected += table.data()[ids.back() * stride + f];
    }
  }
}

}  // namespace
}  // namespace tern::test
