#include "tern/device.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "host/backend/device.hpp"
#include "tern/error.hpp"
#include "tern/plugin.hpp"
#include "tests/support/temporary_directory.hpp"

namespace tern::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// Makes the program find one library in one mode, for the length of a test.
class DeviceTest : public ::testing::Test {
 protected:
  ~DeviceTest() override {
    unsetenv("TERN_CUDA_LIBRARY");
    unsetenv("TERN_FAKE_PLUGIN");
  }

  static void library(const std::string& path, const std::string& mode = "") {
    setenv("TERN_CUDA_LIBRARY", path.c_str(), 1);
    setenv("TERN_FAKE_PLUGIN", mode.c_str(), 1);
  }

  /// The error message of make_backend(device).
  static std::string complaint(std::string_view device) {
    try {
      make_backend(device);
    } catch (const DeviceError& error) {
      return error.what();
    }
    return "no complaint";
  }

  /// Checks that a library is refused with these words, by name and by "auto", which uses the CPU.
  static void expect_unusable(const std::string& why) {
    EXPECT_THAT(complaint("cuda"), AllOf(HasSubstr("device cuda cannot be used"), HasSubstr(why),
                                         Not(HasSubstr("\n"))));
    std::string notice;
    EXPECT_EQ(make_backend("auto", 2, &notice)->name(), "cpu");
    EXPECT_THAT(notice,
                AllOf(HasSubstr(why), HasSubstr("running on the CPU"), Not(HasSubstr("\n"))));
    std::string status;
    EXPECT_EQ(list_devices(&status).size(), 1u);
    EXPECT_THAT(status, AllOf(HasSubstr("CUDA is not usable"), HasSubstr(why)));
    EXPECT_EQ(make_backend("auto")->name(), "cpu");  // the notice is optional
  }
};

TEST_F(DeviceTest, NamesAreKnownOrRefused) {
  EXPECT_EQ(make_backend("cpu", 1)->name(), "cpu");
  EXPECT_EQ(make_backend("reference")->name(), "reference");
  for (const char* name : {"", "gpu", "CPU", "cuda0", "cuda:", "cuda:x", "cuda:-1", "cuda:1x",
                           "cuda:99999999999", "reference:0"}) {
    EXPECT_THROW(make_backend(name), ConfigError) << name;
  }
}

TEST_F(DeviceTest, TheCpuComesFirst) {
  const std::vector<DeviceDescription> devices = list_devices();
  ASSERT_GE(devices.size(), 1u);
  EXPECT_EQ(devices[0].precision, "f32");
}

TEST_F(DeviceTest, ALibraryWithDevicesIsUsed) {
  library(TERN_FAKE_PLUGIN_FILE);
  std::string notice;
  EXPECT_EQ(make_backend("auto", 0, &notice)->name(), "reference");  // made by the stand-in
  EXPECT_EQ(notice, "");
  EXPECT_EQ(make_backend("cuda")->name(), "reference");
  EXPECT_EQ(make_backend("cuda:1")->name(), "reference");
  for (const char* name : {"auto", "cuda:1"}) {
    EXPECT_EQ(make_backend(name, 0, nullptr, Reproducibility::kNone)->name(), "cpu");
  }
  EXPECT_EQ(make_backend("cpu")->name(), "cpu");
  EXPECT_EQ(complaint("cuda:2"),
            "device cuda:2 does not exist: this machine has 2 CUDA devices, "
            "cuda:0 to cuda:1");
  std::string status;
  const std::vector<DeviceDescription> devices = list_devices(&status);
  ASSERT_EQ(devices.size(), 3u);
  EXPECT_EQ(devices[2].name, "Second Device");
  EXPECT_EQ(status, "CUDA is usable: 2 devices");
}

TEST_F(DeviceTest, ABackendOfALibraryWorks) {
  library(TERN_FAKE_PLUGIN_FILE);
  const auto backend = make_backend("cuda:0");
  Matrix matrix = backend->allocate(2, 2);
  backend->fill(matrix, 3.0);
  std::vector<double> values(4);
  backend->download(matrix, std::span<double>(values));
  EXPECT_EQ(values, std::vector<double>(4, 3.0));
  // Exceptions of the library are caught by their types.
  EXPECT_THROW(backend->allocate(-1, 2), ShapeError);
}

TEST_F(DeviceTest, WithoutADriverOrDeviceTheReasonIsGiven) {
  library(TERN_FAKE_PLUGIN_FILE, "no driver");
  expect_unusable("the driver is not installed");
  library(TERN_FAKE_PLUGIN_FILE, "no device");
  expect_unusable("no CUDA device was found");
}

TEST_F(DeviceTest, ADeviceThatFailsAtOnceIsNotFatalForAuto) {
  library(TERN_FAKE_PLUGIN_FILE, "busy");
  EXPECT_EQ(complaint("cuda"), "the device is in use by somebody else");
  std::string notice;
  EXPECT_EQ(make_backend("auto", 0, &notice)->name(), "cpu");
  EXPECT_THAT(notice, HasSubstr("the device is in use by somebody else"));
}

TEST_F(DeviceTest, LibrariesThatAreNotOursAreRefused) {
  library(TERN_FAKE_PLUGIN_FILE, "other version");
  expect_unusable(std::string("answers tern-plugin-0, expected ") + kPluginAbi);
  library("libz.so.1");
  expect_unusable("libz.so.1 is not a plugin of Tern");
  library("/nowhere/libtern_cuda.so");
  expect_unusable("/nowhere/libtern_cuda.so: cannot open shared object file");

  const TemporaryDirectory directory;
  const std::filesystem::path garbage = directory.write("garbage.so", "not a library");
  library(garbage.string());
  expect_unusable(garbage.string());
}

TEST_F(DeviceTest, WithoutALibraryAutoSaysSo) {
  const auto program = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  for (const auto& folder : {program, program / "../lib"}) {
    if (std::filesystem::exists(folder / kCudaPluginFile)) {
      GTEST_SKIP() << "this build has a CUDA backend";
    }
  }
  std::string notice;
  EXPECT_EQ(make_backend("auto", 0, &notice)->name(), "cpu");
  EXPECT_EQ(notice, "There is no CUDA backend (libtern_cuda.so) here; running on the CPU.");
  notice.clear();
  EXPECT_EQ(make_program_backend("auto", 0, &notice)->name(), "cpu");
  EXPECT_EQ(notice, "") << "the program may have been built without one";
  EXPECT_EQ(complaint("cuda"), "device cuda cannot be used: there is no libtern_cuda.so here");
}

}  // namespace
}  // namespace tern::test
