#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "tern/gradcheck.hpp"
#include "tern/gradient_check.hpp"
#include "tern/loss.hpp"
#include "tern/model.hpp"
#include "tern/step_check.hpp"

namespace tern::gradcheck_detail {

/// Row-major host copies. Inputs hold f32 numbers, so that every backend gets the same.
using Values = std::vector<double>;

/// Throws ConfigError with the option's name.
void check(const GradcheckOptions& options);

/// The random graph of one problem, as GradcheckOptions describes it.
Interactions random_graph(const GradcheckOptions& options, Seed seed);

/// Uniform over [-1, 1], rounded to f32.
Values random_values(std::int64_t size, std::mt19937_64& random);

Matrix upload(Backend& backend, std::int64_t rows, const Values& values);
Values download(Backend& backend, const Matrix& matrix);

/// Features of the two sides of the random graph: 3 numbers and 5 categories each.
EncodedDataset random_features(const GradcheckOptions& options, Seed seed);

/// A model with its loss, and the name of both: "mf", "lightgcn L1 softmax", ...
struct NamedModel {
  std::string name;
  ModelOptions options;
  LossOptions loss = {};
  /// The loss is make_expression_loss() of it instead.
  std::optional<Expression> expression = {};
};

/// Initial parameters: their seed, which is not that of the problem.
struct Start {
  Seed seed;
};

/// Makes the model and the loss of a step, and says how its triplets are drawn.
struct StepParts {
  std::string name;
  std::function<std::unique_ptr<Model>(Backend&, const Graph&, const Triplets&,
                                       const NodeFeatures&)>
      model;
  /// Empty: the probe of check_model (tern/step_check.hpp).
  LossFactory loss;
  /// Its seed is that of the problem.
  SamplingOptions sampling;
  std::int64_t batch_triplets = 0;
  /// The epoch that begin_epoch() is called with.
  int epoch = 1;
};
StepParts parts_of(const GradcheckOptions& options, const NamedModel& model);

/// A model on a backend with everything for a step, its epoch sampled. For an even seed the current
/// batch is the first one, for an odd seed the last one, which may be short.
class StepProblem {
 public:
  StepProblem(Backend& backend, const GradcheckOptions& options, const NamedModel& model,
              Seed seed);
  /// The same with other initial parameters.
  StepProblem(Backend& backend, const GradcheckOptions& options, const NamedModel& model, Seed seed,
              const Start& start);
  /// With any model and loss.
  StepProblem(Backend& backend, const GradcheckOptions& options, const StepParts& parts, Seed seed,
              const Start& start);

  Model& model() { return *model_; }
  Loss& loss() { return *loss_; }
  const Interactions& interactions() const { return interactions_; }
  const EncodedDataset& features() const { return features_; }
  /// The initial parameters. Their seed is that of the noise too.
  const Start& start() const { return start_; }
  /// The triplets of the current batch.
  std::vector<Triplet> batch();

  /// The loss at the current parameters, {ranking loss, L2} and, with a contrast, those of users and
  /// items; also computes the parameters' gradients. The noise is the same in every step.
  std::vector<double> step();
  /// A parameter's gradient after step(), dense: zero outside of its rows. Throws ShapeError on rows other than
  /// those of the triplets.
  Values gradient(const Parameter& parameter);

  /// The parameters by name.
  NamedMatrices parameters();
  void move_to(const NamedMatrices& parameters);
  /// The sum of the terms of step() with these parameters, which stay.
  double loss_at(const NamedMatrices& parameters);
  /// The gradients of all parameters after step(), in their order.
  std::vector<Values> gradients();

 private:
  /// By node: whether the current batch has its row.
  std::vector<bool> batch_rows(Side side);
  std::vector<double> ranked();
  std::vector<double> probed();

  Backend& backend_;
  Start start_;
  Interactions interactions_;
  EncodedDataset features_;
  Graph graph_;
  Triplets triplets_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<Loss> loss_;  // null: the probe
  Matrix losses_;
  std::int64_t batch_ = 0;
};

/// A model's first parameters. ReLU and the sign of a perturbed element have no derivative at 0, the
/// cosine contrastive loss none at a cosine equal to its margin, and normalising a column divides its
/// rounding errors by its deviation, a row by its length. So, for a model with any of them, seeds are
/// tried in turn until no argument of a ReLU or sign is within kKinkMargin of 0 (an element that is always
/// 0 does not count), no cosine within kCosineMargin of the margin, no column deviates by less than
/// kMinDeviation, and no row that is divided by its length is shorter than kLeastNorm: those of the batch
/// whose cosines are taken, and all of lightgcn++ (a row that is always 0 does not count). A column or row with a single
/// number that is not 0 counts as one of deviation or length 0. If all of 200 seeds fail, the best of them is used.
inline constexpr double kKinkMargin = 3e-4;
inline constexpr double kCosineMargin = 3e-3;
inline constexpr double kMinDeviation = 0.03;
inline constexpr double kLeastNorm = 0.2;
Start first_parameters(const GradcheckOptions& options, const NamedModel& model, Seed seed);
/// Whether a loss or model has such a kink.
bool has_kinks(const NamedModel& model);
/// Whether it divides rows by their lengths: lightgcn++, and losses of cosines.
bool divides_rows(const NamedModel& model);

/// Negatives of each pair, for losses that contrast samples.
inline constexpr int kContrastNegatives = 3;
/// Whether cosines change with their rows. Rows of one number have the cosine 1 or -1 and no gradient,
/// so that an error relative to it means nothing: losses of cosines alone are left out.
inline bool cosines_vary(const GradcheckOptions& options) {
  return options.width > 1;
}

/// Options with which no term of in_batch_softmax vanishes.
InBatchSoftmaxOptions softmax_options(SoftmaxMask mask);

/// Pair weights with which no term vanishes; every pair counts 1 without thresholds.
PairWeight weighted_by(const Matrix* thresholds);

/// Options with which no term of alignment_uniformity vanishes.
AlignmentUniformityOptions alignment_options();

/// A formula of a pair's scores with as many sums as one may have, without kinks, in which no term vanishes.
Expression contrast_expression();

/// The models that are checked, each with every loss; mf and lightgcn of one layer also with contrast_expression().
std::vector<NamedModel> models(const GradcheckOptions& options);

}  // namespace tern::gradcheck_detail
