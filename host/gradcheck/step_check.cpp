#include "tern/step_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "host/gradcheck/checks.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

using namespace gradcheck_detail;

GradientCheckResult threw(const std::exception& error, Seed seed) {
  return {.finding = GradientFinding::kThrew, .seed = seed, .note = error.what()};
}

double share(const GradientCheckResult& result) {
  const double error = std::abs(result.analytic - result.numeric);
  return result.tolerance > 0.0 ? error / result.tolerance : error;
}

/// The steps of one loss and one model, problem by problem.
class StepCheck {
 public:
  explicit StepCheck(const StepCheckOptions& options)
      : options_(options), reference_(make_reference_backend()) {
    check(options.problem);
    if (!options.device.empty()) device_ = make_backend(options.device);
  }

  /// start: the parameters of a problem. Returns whether all is right.
  bool run(StepParts parts, const std::function<Start(Seed)>& start) {
    subject_ = parts.loss ? "a loss over " + parts.name : parts.name;
    parts.sampling = options_.sampling;
    parts.batch_triplets = options_.problem.batch_size * options_.sampling.triplets_per_positive();
    for (int i = 0; i < options_.problem.problems; ++i) {
      const Seed seed{options_.problem.seed.value + static_cast<std::uint64_t>(i)};
      const Start first = start(seed);
      keep(guarded(seed, [&] { return differences(parts, seed, first); }));
      if (result_.passed() && device_ != nullptr) {
        keep(guarded(seed, [&] { return comparison(parts, seed, first); }));
      }
      if (!result_.passed()) return false;
    }
    return true;
  }

  const GradientCheckResult& result() const { return result_; }
  const std::string& loss_name() const { return loss_name_; }

 private:
  /// A factory, or a step before the first one that is compared, may throw.
  template <typename Work>
  static GradientCheckResult guarded(Seed seed, const Work& work) {
    try {
      return work();
    } catch (const ConfigError&) {
      throw;
    } catch (const std::exception& error) {
      return threw(error, seed);
    }
  }

  GradientCheckResult differences(const StepParts& parts, Seed seed, const Start& start) {
    StepProblem problem(*reference_, options_.problem, parts, seed, start);
    if (parts.loss) {
      loss_name_ = problem.loss().name();
      subject_ = fmt::format("{} over {}", loss_name_, parts.name);
    } else {
      subject_ = problem.model().name();
    }
    GradientCheckOptions gradient = options_.gradient;
    gradient.seed = seed;
    return check_gradient([&](const NamedMatrices& at) { return problem.loss_at(at); },
                          [&](const NamedMatrices& at) {
                            problem.loss_at(at);
                            return problem.gradients();
                          },
                          problem.parameters(), gradient);
  }

  GradientCheckResult comparison(const StepParts& parts, Seed seed, const Start& start) {
    const auto make = [&](Backend& on) {
      return std::make_unique<StepProblem>(on, options_.problem, parts, seed, start);
    };
    // As many terms as a step may sum: neighbours and layers, the rows of a batch, the elements of a row.
    const GradcheckOptions& problem = options_.problem;
    const std::int64_t terms = 16 * (std::int64_t{problem.users} + problem.items + problem.width) *
                                   std::max(problem.layers, 1) +
                               4 * parts.batch_triplets;
    for (const StepDifference& d : compare_steps(*device_, *reference_, make, terms, seed)) {
      if (d.error <= d.bound) continue;
      GradientCheckResult result{.finding = GradientFinding::kDeviceDiffers,
                                 .matrix = d.of,
                                 .analytic = d.found,
                                 .numeric = d.expected,
                                 .tolerance = d.bound * (d.scale > 0.0 ? d.scale : 1.0),
                                 .seed = seed,
                                 .note = "on " + device_->name()};
      if (d.condition > GradcheckResult::kMaxCondition) {
        result.note += fmt::format(
            "; the problem is too ill-conditioned to compare (condition {:.1e})", d.condition);
      }
      if (d.cols > 0 && d.element >= 0) {
        result.row = d.element / d.cols;
        result.col = d.element % d.cols;
      }
      return result;
    }
    return {.seed = seed};
  }

  void keep(GradientCheckResult result) {
    const std::int64_t compared = result_.compared + result.compared;
    const std::int64_t kinks = result_.kinks + result.kinks;
    result.subject = subject_;
    if (!result.passed()) {
      result_ = std::move(result);
      return;
    }
    if (result_.subject.empty() || share(result) > share(result_)) result_ = std::move(result);
    result_.compared = compared;
    result_.kinks = kinks;
  }

  const StepCheckOptions& options_;
  std::unique_ptr<Backend> reference_;
  std::unique_ptr<Backend> device_;
  std::string subject_;
  std::string loss_name_;
  GradientCheckResult result_;
};

/// The models that a loss is checked over, by their names.
std::vector<NamedModel> models_of(const StepCheckOptions& options) {
  std::vector<NamedModel> found;
  if (options.models.empty()) {
    for (const char* name : {"mf", "lightgcn L1", "gcmc ids"}) {
      for (NamedModel& model : models(options.problem)) {
        if (model.name == name) found.push_back(std::move(model));
      }
    }
    found[1].name = "lightgcn";
    found[1].options.layers = options.problem.layers;
    found[2].name = "gcmc";
  }
  for (const ModelOptions& model : options.models) {
    found.push_back({std::string(model_name(model.kind)), model});
  }
  return found;
}

}  // namespace

GradientCheckResult check_loss(const LossFactory& loss, const StepCheckOptions& options) {
  StepCheck check(options);
  std::string over;
  for (const NamedModel& model : models_of(options)) {
    over += over.empty() ? model.name : ", " + model.name;
    StepParts parts = parts_of(options.problem, model);
    parts.loss = loss;
    parts.epoch = 1;
    const auto start = [&](Seed seed) { return first_parameters(options.problem, model, seed); };
    if (!check.run(parts, start)) return check.result();
  }
  GradientCheckResult result = check.result();
  result.subject = fmt::format("{} over {}", check.loss_name(), over);
  return result;
}

GradientCheckResult check_model(const ModelFactory& model, const StepCheckOptions& options) {
  StepCheck check(options);
  const auto without_features = [&](Backend& backend, const Graph& graph, const Triplets& triplets,
                                    const NodeFeatures&) {
    return model(backend, graph, triplets);
  };
  check.run({.name = "a model", .model = without_features, .loss = {}, .sampling = {}},
            [](Seed seed) { return Start{seed}; });
  return check.result();
}

}  // namespace tern
