#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/backends.hpp"

// Reports whether the tests of this folder have also run on a GPU.
namespace tern::test {
namespace {

TEST(Gpu, RunsTheTestsOfOps) {
  const std::string problem = why_no_gpu();
  if (!problem.empty()) GTEST_SKIP() << "no test ran on a GPU: " << problem;
  const auto all = backends_under_test();
  const auto on_gpu = std::ranges::find(all, "cuda", &BackendCase::name);
  ASSERT_NE(on_gpu, all.end());
  EXPECT_EQ(on_gpu->make()->name(), "cuda:0");
}

}  // namespace
}  // namespace tern::test
