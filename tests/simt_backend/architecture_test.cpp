// What a backend says on a GPU that this build holds no code for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "cuda/backend.hpp"
#include "simt/runtime/device.hpp"
#include "tern/error.hpp"

namespace tern::cuda {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string complaint(const simt::Device& device) {
  simt::set_devices({{}, device});
  try {
    const CudaBackend backend({.device = 1});
  } catch (const DeviceError& error) {
    EXPECT_EQ(cudaGetLastError(), cudaSuccess) << "nothing is left for a later call";
    return error.what();
  }
  return "no complaint";
}

TEST(Architecture, ADeviceWithoutCodeIsRefusedWithBothArchitecturesAndTheRemedy) {
  EXPECT_EQ(
      complaint({.name = "Old GPU", .capability = 80, .code = cudaErrorNoKernelImageForDevice}),
      "this build of Tern has no code for cuda:1 (Old GPU, compute capability 8.0): it holds "
      "machine code for 9.0 and PTX for 7.5 and later, and CUDA reports "
      "cudaErrorNoKernelImageForDevice; build Tern on this machine, or with "
      "-DCMAKE_CUDA_ARCHITECTURES=80");
}

TEST(Architecture, TheRemedyFollowsTheDeviceAndTheDriver) {
  EXPECT_THAT(complaint({.capability = 61, .code = cudaErrorNoKernelImageForDevice}),
              AllOf(HasSubstr("compute capability 6.1"),
                    HasSubstr("use a GPU of compute capability 7.5 or later, or --device cpu")));
  EXPECT_THAT(complaint({.capability = 121, .code = cudaErrorUnsupportedPtxVersion}),
              AllOf(HasSubstr("compute capability 12.1"), HasSubstr("update the driver, or build "),
                    HasSubstr("=121")));
  EXPECT_EQ(complaint({}), "no complaint");
}

}  // namespace
}  // namespace tern::cuda
