#include <algorithm>
#include <cmath>
#include <numeric>

#include "host/config/batch.hpp"
#include "host/gradcheck/checks.hpp"
#include "host/gradcheck/differences.hpp"
#include "host/gradcheck/rounded_backend.hpp"

namespace tern::gradcheck_detail {
namespace {

constexpr double kModelBound = 1e-6;
constexpr int kDirectionsTried = 4;

double norm(const Values& values) {
  return std::sqrt(std::inner_product(values.begin(), values.end(), values.begin(), 0.0));
}

Values joined(const std::vector<Values>& parts) {
  Values all;
  for (const Values& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

/// The largest number of terms that are summed for an element of a result.
std::int64_t terms_of(const NamedModel& named, const GradcheckOptions& options) {
  const ModelOptions& model = named.options;
  // A weight of SL@K pulls back what its pair pulls, so that digits cancel: twice the bound, which grows
  // with the root of the terms.
  const std::int64_t pulls = named.loss.kind == LossKind::kSoftmaxAtK ? 4 : 1;
  // Each layer of both passes sums over neighbours, at most all nodes of a side.
  const std::int64_t nodes = std::max(options.users, options.items);
  const std::int64_t columns =
      options.batch_size * std::int64_t{mixes_negatives(named.loss) ? 1 + kContrastNegatives : 1};
  const std::int64_t around = 2 * pulls * (std::int64_t{options.width} + columns);
  if (model.kind != ModelKind::kGcMc) {
    // A contrast is a softmax more, and its view has propagations of its own.
    const std::int64_t parts = model.contrast.kind == ContrastKind::kNone ? 1 : 2;
    // Rows of length 1 need two sums over a row, and their gradients two more.
    const std::int64_t norms = model.propagation.kind == PropagationKind::kLightGcn ? 0 : 2;
    return parts * (around + 2 * std::int64_t{model.layers} * (nodes + norms * model.width));
  }
  // Each layer has three products and two sums over all nodes; normalisation cancels digits.
  const auto layers = static_cast<std::int64_t>(model.hidden.size()) + 1;
  return around + 16 * layers * (nodes + 3 * std::int64_t{options.width});
}

/// Losses of cosines sum numbers of about this size, and round them, however little is left: 1 - s of a pair whose rows
/// are parallel, as those of users with the same items are after a propagation, is near 0.
double cosine_scale(const LossOptions& loss) {
  return loss.kind == LossKind::kBpr ? 0.0 : 1.0;
}

/// How much larger roundings within a step become in its loss and in its gradients.
struct Condition {
  double loss = 0.0;
  double gradients = 0.0;
};

Condition condition_of(const MakeStep& make, const Values& terms, double scale,
                       const Values& gradients, Seed seed) {
  Condition found;
  for (int i = 0; i < kRoundedRuns; ++i) {
    RoundedBackend rounded(kRoundedShare, Seed{seed.value + (static_cast<std::uint64_t>(i) << 32)});
    const std::unique_ptr<StepProblem> problem = make(rounded);
    const double effect = relative_to(scale, largest_difference(problem->step(), terms));
    found.loss = std::max(found.loss, effect / kRoundedShare);
    found.gradients = std::max(
        found.gradients, relative_error(joined(problem->gradients()), gradients) / kRoundedShare);
  }
  return found;
}

}  // namespace

// Errors of gradients are relative to the largest element of all gradients: the gradient of a bias
// before a normalisation is a sum that cancels, perhaps to 0.

void check_model_gradients(Backend& reference, const GradcheckOptions& options,
                           const NamedModel& model, Seed seed, Report& report) {
  StepProblem problem(reference, options, model, seed);
  problem.step();
  const std::vector<Values> gradients = problem.gradients();
  const Values whole = joined(gradients);
  const NamedMatrices at = problem.parameters();
  NamedMatrices moved = at;
  for (std::size_t p = 0; p < at.size(); ++p) {
    const auto f = [&](const Values& values) {
      moved[p].values = values;
      return problem.loss_at(moved);
    };
    const Values numeric = values_of(
        numeric_gradient(at[p].values, f, gradients[p], {.atol = kModelBound * largest(whole)}));
    moved[p].values = at[p].values;
    report.add({.subject = model.name,
                .quantity = "gradient of " + at[p].name,
                .method = kDifferences,
                .backend = reference.name(),
                .bound = kModelBound,
                .seed = seed,
                .cols = at[p].cols},
               gradients[p], numeric, largest(whole));
  }
  std::mt19937_64 random(seed.value + 3);
  for (int i = 0; i < kDirectionsTried; ++i) {
    const Values d = random_direction(whole.size(), random);
    const auto f = [&](double shift) {
      std::size_t k = 0;
      for (std::size_t p = 0; p < at.size(); ++p) {
        for (std::size_t j = 0; j < at[p].values.size(); ++j) {
          moved[p].values[j] = at[p].values[j] + shift * d[k++];
        }
      }
      return problem.loss_at(moved);
    };
    const double expected = std::inner_product(d.begin(), d.end(), whole.begin(), 0.0);
    const Derivative slope = derivative(f, 1.0, expected, {.atol = kModelBound * norm(whole)});
    report.add({.subject = model.name,
                .quantity = "gradient along all parameters",
                .method = kDirections,
                .backend = reference.name(),
                .error = relative_to(norm(whole), std::abs(slope.value - expected)),
                .bound = kModelBound,
                .seed = seed,
                .found = expected,
                .expected = slope.value});
  }
}

std::vector<StepDifference> compare_steps(Backend& backend, Backend& reference,
                                          const MakeStep& make, std::int64_t terms, Seed seed,
                                          double least_scale) {
  const std::unique_ptr<StepProblem> found = make(backend);
  const std::unique_ptr<StepProblem> truth = make(reference);
  const Values losses = truth->step();
  const std::vector<Values> expected = truth->gradients();
  const Values all = joined(expected);
  const double loss_scale = std::max(largest(losses), least_scale);
  const Condition condition = condition_of(make, losses, loss_scale, all, seed);
  std::vector<StepDifference> differences;
  const auto add = [&](std::string of, std::int64_t cols, const Values& a, const Values& expected,
                       double scale, double condition) {
    StepDifference difference{.of = std::move(of),
                              .element = most_different(a, expected),
                              .cols = cols,
                              .scale = scale,
                              .error = relative_to(scale, largest_difference(a, expected)),
                              .bound = comparison_bound(terms, condition),
                              .condition = condition};
    if (difference.element >= 0) {
      difference.found = a[static_cast<std::size_t>(difference.element)];
      difference.expected = expected[static_cast<std::size_t>(difference.element)];
    }
    differences.push_back(std::move(difference));
  };
  add("loss", 0, found->step(), losses, loss_scale, condition.loss);
  const std::vector<Values> gradients = found->gradients();
  for (std::size_t p = 0; p < expected.size(); ++p) {
    const Parameter& parameter = truth->model().parameters()[p];
    add(parameter.name, parameter.gradient->cols(), gradients[p], expected[p], largest(all),
        condition.gradients);
  }
  return differences;
}

void compare_model(Backend& backend, Backend& reference, const GradcheckOptions& options,
                   const NamedModel& model, Seed seed, Report& report) {
  const Start start = first_parameters(options, model, seed);
  const auto make = [&](Backend& on) {
    return std::make_unique<StepProblem>(on, options, model, seed, start);
  };
  for (const StepDifference& d : compare_steps(backend, reference, make, terms_of(model, options),
                                               seed, cosine_scale(model.loss))) {
    report.add({.subject = model.name,
                .quantity = d.of == "loss" ? d.of : "gradient of " + d.of,
                .method = kAgainstReference,
                .backend = backend.name(),
                .error = d.error,
                .bound = d.bound,
                .seed = seed,
                .element = d.element,
                .cols = d.cols,
                .found = d.found,
                .expected = d.expected,
                .condition = d.condition});
  }
}

}  // namespace tern::gradcheck_detail
