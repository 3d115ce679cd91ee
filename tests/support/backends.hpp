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
  /// Gathered elements (edges × width) a graph of the battery may cost on it; for slow emulators.
  std::int64_t budget = std::numeric_limits<std::int64_t>::max();
};

void PrintTo(const BackendCase& backend, std::ostream* out);

/// All backends that this build and this machine can test.
std::vector<BackendCase> backends_under_test();

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
