#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "tern/backend.hpp"

namespace tern::test {

/// A backend that every op test runs on.
struct BackendCase {
  std::string name;  // a test's suffix
  /// Cases of one family give the same bits: one backend with different numbers of threads.
  std::string family;
  std::function<std::unique_ptr<Backend>()> make;
  /// The most gathered elements (edges × width) for a graph of the battery; lower on slow emulators.
  std::int64_t budget = std::numeric_limits<std::int64_t>::max();
  /// Whether it adds the terms of a row one by one, so that rounding errors of equal terms may all
  /// have the same sign.
  bool adds_one_by_one = false;
  /// Whether it gives the same bits again; float atomics on a GPU do not.
  bool repeats = true;
};

void PrintTo(const BackendCase& backend, std::ostream* out);

/// All backends that this build and this machine can test: the reference, the CPU's, the CUDA
/// backend on the emulated devices of tests/simt, and on a GPU if there is one.
std::vector<BackendCase> backends_under_test();
/// backends_under_test(), and the CUDA backend in forms that differ only for ops on batches of
/// triplets: with float atomics in bpr and l2_penalty, and with an epoch that is planned in parts.
std::vector<BackendCase> backends_of_batches_under_test();

/// The last of each family in backends_under_test(): for tests of what the host does, which the number
/// of threads and the order of a device's streams leave alone, such as resuming. All of them repeat.
std::vector<BackendCase> one_backend_of_each_family();

/// The reason why no GPU is tested; empty if one is.
std::string why_no_gpu();

/// Names a parametrised test after its backend.
std::string backend_name(const testing::TestParamInfo<BackendCase>& info);

/// A test body that runs on every backend, next to the reference.
class BackendTest : public testing::TestWithParam<BackendCase> {
 protected:
  BackendTest();

  /// The unit roundoff of the backend's arithmetic.
  double epsilon() const { return epsilon_; }

  std::unique_ptr<Backend> owned_backend_;
  std::unique_ptr<Backend> owned_reference_;
  Backend& backend_;
  Backend& reference_;

 private:
  double epsilon_;
};

}  // namespace tern::test
