#include "host/gradcheck/model_checks.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

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
    std::span<const double> rest(at);
    for (const Parameter& parameter : problem_.model().parameters()) {
      const auto size = static_cast<std::size_t>(parameter.value->size());
      backend_.upload(rest.first(size), *parameter.value);
      rest = rest.subspan(size);
    }
    const std::vector<double> loss = problem_.step();
    return loss[0] + loss[1];
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

}  // namespace

void check_model_gradients(Backend& reference, const GradcheckOptions& options,
                           const NamedModel& model, Seed seed, Report& report) {
  StepProblem problem(reference, options, model.options, seed);
  problem.step();
  std::vector<Values> gradients;
  Values whole;
  for (const Parameter& parameter : problem.model().parameters()) {
    gradients.push_back(problem.gradient(parameter));
    whole.insert(whole.end(), gradients.back().begin(), gradients.back().end());
  }
  LossOfParameters loss(reference, problem);
  const Values at = loss.parameters();
  const Values numeric = numeric_gradient(at, [&](const Values& x) { return loss(x); });
  auto begin = numeric.begin();
  for (std::size_t p = 0; p < gradients.size(); ++p) {
    const auto end = begin + static_cast<std::ptrdiff_t>(gradients[p].size());
    report.add({model.name, "gradient of " + problem.model().parameters()[p].name, kDifferences,
                reference.name(), relative_error(Values(begin, end), gradients[p]), kModelBound});
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
        difference_step(at));
    const double expected = std::inner_product(d.begin(), d.end(), whole.begin(), 0.0);
    report.add({model.name, "gradient along all parameters", kDirections, reference.name(),
                std::abs(slope - expected) / norm(whole), kModelBound});
  }
}

void compare_model(Backend& backend, Backend& reference, const GradcheckOptions& options,
                   const NamedModel& model, Seed seed, Report& report) {
  StepProblem found(backend, options, model.options, seed);
  StepProblem truth(reference, options, model.options, seed);
  // Every layer of both passes adds up to as many neighbours as a side has nodes.
  const std::int64_t nodes = std::max(options.users, options.items);
  const std::int64_t terms =
      2 * (options.width + options.batch_size + model.options.layers * nodes);
  const double bound = summation_bound(terms, 0x1p-24);
  const auto add = [&](std::string quantity, const Values& value, const Values& expected) {
    report.add({model.name, std::move(quantity), kAgainstReference, backend.name(),
                relative_error(value, expected), bound});
  };
  add("loss", found.step(), truth.step());
  for (std::size_t p = 0; p < truth.model().parameters().size(); ++p) {
    const Parameter& of = found.model().parameters()[p];
    add("gradient of " + of.name, found.gradient(of),
        truth.gradient(truth.model().parameters()[p]));
  }
}

}  // namespace tern::gradcheck_detail
