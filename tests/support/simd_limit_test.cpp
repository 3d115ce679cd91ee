#include "tests/support/simd_limit.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cstdlib>
#include <stdexcept>
#include <string>

#include "tern/device.hpp"

namespace tern::test {
namespace {

TEST(SimdLimit, OlderProcessorsHaveFewerTargets) {
  const std::int64_t sse2 = targets_up_to("SSE2");
  const std::int64_t sse4 = targets_up_to("SSE4");
  const std::int64_t avx2 = targets_up_to("AVX2");
  EXPECT_EQ(sse2 & sse4, sse2);
  EXPECT_EQ(sse4 & avx2, sse4);
  EXPECT_NE(sse2, sse4);
  EXPECT_NE(sse4, avx2);
  EXPECT_THROW(targets_up_to("sse4"), std::invalid_argument);
  EXPECT_THROW(targets_up_to(""), std::invalid_argument);
}

/// This process runs only kernels that the environment allows.
TEST(SimdLimit, HoldsForTheCpuBackend) {
  const char* newest = std::getenv("TERN_TEST_SIMD");
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  const std::size_t chosen = hwy::GetChosenTarget().GetIndex();
  const std::string kernels = list_devices().at(0).details;
  EXPECT_EQ(hwy::GetChosenTarget().GetIndex(), chosen);  // describe() does not choose again
  if (newest == nullptr) {
    EXPECT_THAT(kernels, testing::AnyOf(testing::HasSubstr("AVX"), testing::HasSubstr("SSE")));
  } else if (std::string(newest) == "SSE2") {
    EXPECT_THAT(kernels,
                testing::AnyOf(testing::HasSubstr("SCALAR"), testing::HasSubstr("EMU128")));
  } else {
    EXPECT_THAT(kernels, testing::HasSubstr(newest));
  }
}

/// A pointer to a kernel that is taken before the choice chooses in every call.
TEST(SimdLimit, TheCpuBackendChoosesBeforeItsFirstOp) {
  hwy::GetChosenTarget().DeInit();
  const auto backend = make_backend("cpu", 1);
  EXPECT_TRUE(hwy::GetChosenTarget().IsInitialized());
}

}  // namespace
}  // namespace tern::test
