#include "tests/support/backends.hpp"

#include <ostream>
#include <stdexcept>

#include "tern/device.hpp"

namespace tern::test {
namespace {

double unit_roundoff(const std::string& precision) {
  if (precision == "f64") return 0x1p-53;
  if (precision == "f32") return 0x1p-24;
  throw std::logic_error("No unit roundoff is known for precision '" + precision + "'.");
}

}  // namespace

void PrintTo(const BackendCase& backend, std::ostream* out) {
  *out << backend.name;
}

std::vector<BackendCase> backends_under_test() {
  return {
      {.name = "reference", .family = "reference", .make = [] { return make_reference_backend(); }},
      {.name = "cpu_1_thread", .family = "cpu", .make = [] { return make_cpu_backend(1); }},
      {.name = "cpu_2_threads", .family = "cpu", .make = [] { return make_cpu_backend(2); }},
  };
}

std::string backend_name(const testing::TestParamInfo<BackendCase>& info) {
  return info.param.name;
}

BackendTest::BackendTest()
    : owned_backend_(GetParam().make()),
      owned_reference_(make_reference_backend()),
      backend_(*owned_backend_),
      reference_(*owned_reference_),
      epsilon_(unit_roundoff(backend_.describe().precision)) {}

}  // namespace tern::test
