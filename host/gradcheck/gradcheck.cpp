#include "tern/gradcheck.hpp"

#include "host/gradcheck/checks.hpp"
#include "tern/device.hpp"

namespace tern {

std::vector<GradcheckResult> gradcheck(Backend& backend, const GradcheckOptions& options) {
  using namespace gradcheck_detail;
  check(options);
  const std::unique_ptr<Backend> reference = make_reference_backend();
  const bool compare = backend.name() != reference->name();
  Report report;
  const auto each_problem = [&](auto&& check_seed) {
    for (int i = 0; i < options.problems; ++i) {
      check_seed(Seed{options.seed.value + static_cast<std::uint64_t>(i)});
    }
  };
  each_problem([&](Seed seed) { check_op_gradients(*reference, options, seed, report); });
  for (const NamedModel& model : models(options)) {
    each_problem(
        [&](Seed seed) { check_model_gradients(*reference, options, model, seed, report); });
  }
  if (compare) {
    each_problem([&](Seed seed) { compare_ops(backend, *reference, options, seed, report); });
    for (const NamedModel& model : models(options)) {
      each_problem(
          [&](Seed seed) { compare_model(backend, *reference, options, model, seed, report); });
    }
  }
  return report.take();
}

}  // namespace tern
