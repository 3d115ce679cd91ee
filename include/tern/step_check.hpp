#pragma once

// Checks of a loss or a model that somebody wrote: the gradients of a whole training step, by every parameter.
//
//   const auto result = tern::check_loss([](tern::Backend& backend) { return std::make_unique<MyLoss>(backend); });
//   if (!result.passed()) std::puts(result.describe().c_str());

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tern/gradcheck.hpp"
#include "tern/gradient_check.hpp"
#include "tern/loss.hpp"
#include "tern/model.hpp"
#include "tern/sampling.hpp"

namespace tern {

using LossFactory = std::function<std::unique_ptr<Loss>(Backend&)>;

struct StepCheckOptions {
  /// Steps, tolerances and mode. Its seed is replaced by that of the problem.
  GradientCheckOptions gradient;
  /// The random problems: graph, batch, and width and layers of the models that are not given. l2 is not used: a
  /// loss has its own.
  GradcheckOptions problem;
  /// The models that a loss is checked over; empty: mf, lightgcn and gcmc.
  std::vector<ModelOptions> models;
  /// Its seed is replaced by that of the problem. A batch has problem.batch_size positive pairs.
  SamplingOptions sampling;
  /// Another backend, by its name in make_backend(), whose loss and gradients are compared with those of the f64
  /// reference; empty: none.
  std::string device;
};

/// Checks the gradient of a loss, through every model and by every parameter, in f64 on the reference backend; see
/// check_gradient(). prepare() and begin_epoch() have been called, for epoch 1, and counters of the model are at 0 in every step.
/// The loss is the sum of the batch's column of losses. The result is that of the first model and problem
/// that fail, or else the one whose error is the largest share of its tolerance, with the number of all derivatives.
///
/// On a device, loss and gradients have to agree with the reference within the larger of (4 √n + 8) ε for sums of n
/// terms and the effect of a few roundings of the inputs of each op (host/gradcheck/README.md). If that effect is beyond
/// GradcheckResult::kMaxCondition, only the former counts, and the note says so.
///
/// Exceptions of the loss are reported. Throws ConfigError on options out of range, DeviceError on an absent device.
GradientCheckResult check_loss(const LossFactory& loss, const StepCheckOptions& options = {});

/// Checks the gradient of a model likewise: of the probe Σ c e + e² / 2 over the elements e of the final embeddings of
/// the batch's rows, with fixed random c. Options.models is not used.
GradientCheckResult check_model(const ModelFactory& model, const StepCheckOptions& options = {});

}  // namespace tern
