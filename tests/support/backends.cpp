#include "tests/support/backends.hpp"

#include <ostream>
#include <stdexcept>

#include "host/backend/device.hpp"
#include "tern/device.hpp"
#ifdef TERN_TEST_SIMT
#include "tests/simt_backend/simt_backend.hpp"
#endif

namespace tern::test {
namespace {

double unit_roundoff(const std::string& precision) {
  if (precision == "f64") return 0x1p-53;
  if (precision == "f32") return 0x1p-24;
  throw std::logic_error("no unit roundoff is known for precision '" + precision + "'");
}

/// A plan of some two hundred triplets: less than an epoch of the tests.
constexpr std::int64_t kWindowBytes = 20'000;

#ifdef TERN_TEST_SIMT
/// Large enough for every graph and width of the battery.
constexpr std::int64_t kSimtBudget = std::int64_t{1} << 21;
#endif

/// Empty if the build has no executor of kernels (ThreadSanitizer).
std::vector<BackendCase> simt_cases() {
  std::vector<BackendCase> cases;
#ifdef TERN_TEST_SIMT
  const auto add = [&](const char* name, const SimtOptions& options) {
    cases.push_back({.name = name,
                     .family = "simt",
                     .make = [=] { return make_simt_backend(options); },
                     .budget = kSimtBudget});
  };
  add("simt", kPlainSimt);
#ifndef __SANITIZE_ADDRESS__
  // Under AddressSanitizer the kernels take minutes, so that they run in one order only.
  add("simt_late", kLateSimt);
#endif
#endif
  return cases;
}

}  // namespace

void PrintTo(const BackendCase& backend, std::ostream* out) {
  *out << backend.name;
}

std::string why_no_gpu() {
  std::string problem;
  return list_devices(&problem).size() > 1 ? "" : problem;
}

std::vector<BackendCase> backends_under_test() {
  std::vector<BackendCase> all{
      {.name = "reference", .family = "reference", .make = [] { return make_reference_backend(); }},
      {.name = "cpu_1_thread", .family = "cpu", .make = [] { return make_cpu_backend(1); }},
      {.name = "cpu_2_threads", .family = "cpu", .make = [] { return make_cpu_backend(2); }},
  };
  for (const BackendCase& simt : simt_cases()) all.push_back(simt);
  if (why_no_gpu().empty()) {
    all.push_back({.name = "cuda", .family = "cuda", .make = [] { return make_backend("cuda"); }});
  }
  return all;
}

std::vector<BackendCase> backends_of_batches_under_test() {
  std::vector<BackendCase> all = backends_under_test();
#ifdef TERN_TEST_SIMT
  all.push_back({.name = "simt_fused",
                 .family = "simt_fused",
                 .make = [] { return make_simt_backend(kFusedSimt); },
                 .budget = kSimtBudget,
                 .adds_one_by_one = true});
  all.push_back({.name = "simt_nondeterministic",
                 .family = "simt_nondeterministic",
                 .make = [] { return make_simt_backend(kNondeterministicSimt); },
                 .budget = kSimtBudget,
                 .adds_one_by_one = true,
                 .repeats = false});
#endif
  if (why_no_gpu().empty()) {
    all.push_back({.name = "cuda_windows", .family = "cuda", .make = [] {
                     return make_cuda_backend({.plan_bytes = kWindowBytes});
                   }});
    all.push_back({.name = "cuda_nondeterministic",
                   .family = "cuda_nondeterministic",
                   .make = [] { return make_backend("cuda", 0, nullptr, Reproducibility::kNone); },
                   .adds_one_by_one = true,
                   .repeats = false});
  }
  return all;
}

std::vector<BackendCase> one_backend_of_each_family() {
  std::vector<BackendCase> kept;
  for (const BackendCase& backend : backends_under_test()) {
    if (!kept.empty() && kept.back().family == backend.family) kept.pop_back();
    kept.push_back(backend);
  }
  return kept;
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
