// How failures on a device are named. The emulated devices keep faults of kernels, as GPUs do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <string>

#include "cuda/backend.hpp"
#include "cuda/support/launch.hpp"
#include "simt/runtime/device.hpp"
#include "tern/error.hpp"
#include "tern/plugin.hpp"
#include "tests/support/matrices.hpp"

extern "C" const tern::Plugin* tern_plugin();

namespace tern::cuda {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

__global__ void faulty_kernel() {
  __trap();
}
__global__ void sound_kernel() {}

constexpr LaunchShape kOneThread{.blocks = 1, .threads = 1};

/// The message of the DeviceError of a call; empty if there is none.
std::string complaint(const std::function<void()>& call) {
  try {
    call();
  } catch (const DeviceError& error) {
    return error.what();
  }
  return "";
}

class Errors : public testing::TestWithParam<simt::Timing> {
 protected:
  Errors() {
    simt::set_devices({{.timing = GetParam(), .on_fault = simt::OnFault::kept}});
    stream_ = make_stream();
    (void)cudaGetLastError();
  }
  Queue queue(bool synchronous) const { return {stream_.get(), 2, synchronous}; }
  void wait() const { check(cudaStreamSynchronize(stream_.get())); }

  Stream stream_;
};

TEST_P(Errors, AFailureOfAnEarlierKernelIsNamedAsThat) {
  const Launcher launch(queue(false));
  launch(kOneThread, faulty_kernel);
  const auto is_earlier = AllOf(HasSubstr("CUDA reports cudaErrorLaunchFailure ("),
                                HasSubstr("from earlier work, found at "),
                                HasSubstr("error_test.cpp:"), HasSubstr("TERN_CUDA_SYNC=1"));
  EXPECT_THAT(complaint([&] { wait(); }), is_earlier);
  EXPECT_THAT(complaint([&] { launch(kOneThread, sound_kernel); }), is_earlier);
  EXPECT_THAT(complaint([&] { wait(); }), is_earlier) << "the device is lost";
}

TEST_P(Errors, AnErrorThatSomebodyLeftIsNotBlamedOnTheNextKernel) {
  const Launcher launch(queue(false));
  EXPECT_NE(cudaSetDevice(7), cudaSuccess);  // a call whose status nobody checks
  EXPECT_THAT(complaint([&] { launch(kOneThread, sound_kernel); }),
              AllOf(HasSubstr("cudaErrorInvalidDevice"), HasSubstr("from earlier work")));
  EXPECT_EQ(complaint([&] { launch(kOneThread, sound_kernel); }), "") << "reported only once";
}

TEST_P(Errors, AFailureOfTheCallItselfIsNot) {
  EXPECT_THAT(
      complaint([&] { check(cudaSetDevice(7)); }),
      AllOf(HasSubstr("cudaErrorInvalidDevice"), HasSubstr(" at "), Not(HasSubstr("earlier"))));
}

TEST_P(Errors, ASynchronousQueueNamesTheKernel) {
  const Launcher launch(queue(true));
  launch(kOneThread, sound_kernel);
  EXPECT_THAT(
      complaint([&] { launch(kOneThread, faulty_kernel); }),
      AllOf(HasSubstr("CUDA reports cudaErrorLaunchFailure ("), HasSubstr("from the kernel "),
            HasSubstr("faulty_kernel"), HasSubstr("launched at "), Not(HasSubstr("earlier"))));
}

INSTANTIATE_TEST_SUITE_P(, Errors, testing::Values(simt::Timing::at_once, simt::Timing::late),
                         [](const auto& info) {
                           return info.param == simt::Timing::late ? "late" : "at_once";
                         });

/// The replays of a recorded step that run it as it is, of five.
int plain_replays(Backend& backend) {
  int runs = 0;
  Counter counter = backend.make_counter();
  const auto recording = backend.record([&] {
    ++runs;
    backend.increment(counter);
  });
  for (int i = 0; i < 5; ++i) recording->replay();
  EXPECT_EQ(backend.get(counter), 5);
  return runs;
}

TEST(SynchronousBackend, IsAskedForByTheEnvironmentAndCapturesNothing) {
  simt::set_devices({{.timing = simt::Timing::late}});
  EXPECT_EQ(plain_replays(*tern_plugin()->make_backend({})), 2) << "once, and captured once";
  setenv("TERN_CUDA_SYNC", "1", 1);
  const auto backend = tern_plugin()->make_backend({});
  setenv("TERN_CUDA_SYNC", "0", 1);
  EXPECT_EQ(plain_replays(*tern_plugin()->make_backend({})), 2);
  unsetenv("TERN_CUDA_SYNC");
  EXPECT_EQ(plain_replays(*backend), 5);
}

}  // namespace
}  // namespace tern::cuda
