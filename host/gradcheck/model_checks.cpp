#include <algorithm>
#include <cmath>
#include <numeric>

#include "host/config/batch.hpp"
#include "host/gradcheck/checks.hpp"
#include "host/gradcheck/differences.hpp"

namespace tern::gradcheck_detail {
namespace {

constexpr double kModelBound = 1e-6;
constexpr int kDirectionsTried = 4;

double norm(const Values& values) {
  return std::sqrt(std::inner_product(values.begin(), values.end(), values.begin(), 0.0));
}

/// The model's parameters as one vector, and its loss as a function of that.
class LossOfParameters {
 public:
  LossOfParameters(Backend& backend, StepProblem& problem) : backend_(backend), problem_(problem) {}

  Values parameters() {
    Values all;
    for (const Parameter& parameter : problem_.model().parameters()) {
      const Values values = download(backend_, *parameter.value);
      all.insert(all.end(), values.begin(), values.end());
    }
    return all;
  }

  double operator()(const Values& at) {
    const std::vector<double> all = terms(at);
    return std::accumulate(all.begin(), all.end(), 0.0);
  }

  /// The terms of the loss; computes the gradients too.
  std::vector<double> terms(const Values& at) {
    std::span<const double> rest(at);
    for (const Parameter& parameter : problem_.model().parameters()) {
      const auto size = static_cast<std::size_t>(parameter.value->size());
      backend_.upload(rest.first(size), *parameter.value);
      rest = rest.subspan(size);
    }
    return problem_.step();
  }

 private:
  Backend& backend_;
  StepProblem& problem_;
};

/// A random direction of length 1.
Values direction(std::size_t size, std::mt19937_64& random) {
  std::normal_distribution<double> normal;
  Values values(size);
  for (double& value : values) value = normal(random);
  const double length = norm(values);
  for (double& value : values) value /= length;
  return values;
}

/// Small enough not to reach a kink (kKinkMargin, kCosineMargin), if there are any.
double step_for(const NamedModel& model, const StepProblem& problem, const Values& parameters) {
  constexpr double kNearKinks = 1e-5;
  return has_kinks(model) ? kNearKinks : difference_step(parameters, problem.start().least_norm);
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

/// The gradients of all parameters after a step, one behind the other.
Values all_gradients(StepProblem& problem) {
  Values all;
  for (const Parameter& parameter : problem.model().parameters()) {
    const Values values = problem.gradient(parameter);
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

/// How much larger a relative change of the parameters becomes in the loss and in its gradients.
struct Condition {
  double loss = 0.0;
  double gradients = 0.0;
};

/// By the largest effect of random changes, up or down by the same share in each element.
Condition condition_of(Backend& reference, StepProblem& problem, Seed seed) {
  constexpr double kShare = 0x1p-20;
  constexpr int kChanges = 8;
  LossOfParameters loss(reference, problem);
  const Values at = loss.parameters();
  const Values terms = loss.terms(at);
  const Values gradients = all_gradients(problem);
  std::mt19937_64 random(seed.value + 5);
  Condition found;
  for (int i = 0; i < kChanges; ++i) {
    Values changed = at;
    for (double& value : changed) value *= random() % 2 == 0 ? 1.0 + kShare : 1.0 - kShare;
    found.loss = std::max(found.loss, relative_error(loss.terms(changed), terms) / kShare);
    found.gradients =
        std::max(found.gradients, relative_error(all_gradients(problem), gradients) / kShare);
  }
  loss.terms(at);
  return found;
}

/// The bound of sums; in an ill-conditioned problem the effect of a few roundings of its parameters. A row
/// that is divided by a short length, or a column by a small deviation, makes one, however it is computed.
double comparison_bound(std::int64_t terms, double condition) {
  constexpr double kEpsilon = 0x1p-24;
  constexpr double kRoundings = 6.0;
  return std::max(summation_bound(terms, kEpsilon), kRoundings * condition * kEpsilon);
}

}  // namespace

// Errors of gradients are relative to the largest element of all gradients: the gradient of a bias
// before a normalisation is a sum that cancels, perhaps to 0.

void check_model_gradients(Backend& reference, const GradcheckOptions& options,
                           const NamedModel& model, Seed seed, Report& report) {
  StepProblem problem(reference, options, model, seed);
  problem.step();
  std::vector<Values> gradients;
  Values whole;
  for (const Parameter& parameter : problem.model().parameters()) {
    gradients.push_back(problem.gradient(parameter));
    whole.insert(whole.end(), gradients.back().begin(), gradients.back().end());
  }
  LossOfParameters loss(reference, problem);
  const Values at = loss.parameters();
  const double h = step_for(model, problem, at);
  const Values numeric = numeric_gradient(
      at, [&](const Values& x) { return loss(x); }, h);
  auto begin = numeric.begin();
  for (std::size_t p = 0; p < gradients.size(); ++p) {
    const auto end = begin + static_cast<std::ptrdiff_t>(gradients[p].size());
    report.add({model.name, "gradient of " + problem.model().parameters()[p].name, kDifferences,
                reference.name(),
                relative_to(largest(whole), largest_difference(Values(begin, end), gradients[p])),
                kModelBound});
    begin = end;
  }
  std::mt19937_64 random(seed.value + 3);
  for (int i = 0; i < kDirectionsTried; ++i) {
    const Values d = direction(at.size(), random);
    const double slope = derivative(
        [&](double shift) {
          Values moved = at;
          for (std::size_t k = 0; k < moved.size(); ++k) moved[k] += shift * d[k];
          return loss(moved);
        },
        h);
    const double expected = std::inner_product(d.begin(), d.end(), whole.begin(), 0.0);
    report.add({model.name, "gradient along all parameters", kDirections, reference.name(),
                relative_to(norm(whole), std::abs(slope - expected)), kModelBound});
  }
}

void compare_model(Backend& backend, Backend& reference, const GradcheckOptions& options,
                   const NamedModel& model, Seed seed, Report& report) {
  StepProblem found(backend, options, model, seed);
  StepProblem truth(reference, options, model, seed);
  const Condition condition = condition_of(reference, truth, seed);
  const std::int64_t terms = terms_of(model, options);
  report.add({model.name, "loss", kAgainstReference, backend.name(),
              relative_error(found.step(), truth.step()), comparison_bound(terms, condition.loss)});
  const double bound = comparison_bound(terms, condition.gradients);
  std::vector<Values> expected;
  double scale = 0.0;
  for (const Parameter& parameter : truth.model().parameters()) {
    expected.push_back(truth.gradient(parameter));
    scale = std::max(scale, largest(expected.back()));
  }
  for (std::size_t p = 0; p < expected.size(); ++p) {
    const Parameter& of = found.model().parameters()[p];
    report.add({model.name, "gradient of " + of.name, kAgainstReference, backend.name(),
                relative_to(scale, largest_difference(found.gradient(of), expected[p])), bound});
  }
}

}  // namespace tern::gradcheck_detail
