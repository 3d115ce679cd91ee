#include "tern/gradcheck.hpp"

#include <fmt/format.h>

#include "host/gradcheck/checks.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"

namespace tern {

std::vector<GradcheckResult> gradcheck(Backend& backend, const GradcheckOptions& options) {
  using namespace gradcheck_detail;
  check(options);
  const std::unique_ptr<Backend> reference = make_reference_backend();
  const bool compare = backend.name() != reference->name();
  Report report{SubjectFilter(options.filter)};
  std::vector<NamedModel> subjects = models(options);
  std::erase_if(subjects, [&](const NamedModel& model) { return !report.wants(model.name); });
  const auto each_problem = [&](auto&& check_seed) {
    for (int i = 0; i < options.problems; ++i) {
      check_seed(Seed{options.seed.value + static_cast<std::uint64_t>(i)});
    }
  };
  each_problem([&](Seed seed) { check_op_gradients(*reference, options, seed, report); });
  for (const NamedModel& model : subjects) {
    each_problem(
        [&](Seed seed) { check_model_gradients(*reference, options, model, seed, report); });
  }
  if (compare) {
    each_problem([&](Seed seed) { compare_ops(backend, *reference, options, seed, report); });
    for (const NamedModel& model : subjects) {
      each_problem(
          [&](Seed seed) { compare_model(backend, *reference, options, model, seed, report); });
    }
  }
  std::vector<GradcheckResult> results = report.take();
  if (results.empty()) {
    throw ConfigError(fmt::format("filter: no op or model matches \"{}\"", options.filter));
  }
  return results;
}

}  // namespace tern
