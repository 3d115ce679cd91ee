#include "tern/step_check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <random>
#include <stdexcept>

#include "host/gradcheck/problem.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"

namespace tern::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

enum class Plant {
  kNone,
  kItemSign,   // the gradient of items points the other way
  kTwice,      // every gradient is twice as large
  kOneRow,     // the first user of the batch lacks its gradient
  kPenalty,    // the value has a penalty whose gradient is missing
  kNan,        // the value is no number
  kThrows,     // in the third step
  kDrifts,     // each step adds a little to the gradient
  kOnDevices,  // right in f64, off by a thousandth in f32
};

/// BPR, with a fault.
class PlantedLoss final : public Loss {
 public:
  PlantedLoss(Backend& backend, Plant plant) : backend_(backend), plant_(plant) {}

  std::string_view name() const override { return "planted"; }

  void backward(Model& model, Batch& batch, Matrix& losses) override {
    Triplets& triplets = batch.triplets();
    ++steps_;
    if (plant_ == Plant::kThrows && steps_ == 3) throw std::runtime_error("planted exception");
    Matrix& grad_users = model.embedding_gradient(Side::kUser);
    Matrix& grad_items = model.embedding_gradient(Side::kItem);
    backend_.bpr(triplets, model.embeddings(Side::kUser), model.embeddings(Side::kItem), grad_users,
                 grad_items, losses);
    if (plant_ == Plant::kItemSign) scale(grad_items, -1.0);
    if (plant_ == Plant::kTwice) {
      scale(grad_users, 2.0);
      scale(grad_items, 2.0);
    }
    if (plant_ == Plant::kDrifts) scale(grad_items, 1.0 + 1e-12 * steps_);
    if (plant_ == Plant::kOnDevices && backend_.describe().precision == "f32") {
      scale(grad_users, 1.001);
    }
    if (plant_ == Plant::kOneRow) {
      const NodeId first = backend_.get_triplets(triplets).front().user;
      change(grad_users, [&](std::size_t i, double value) {
        return static_cast<NodeId>(i) / grad_users.cols() == first ? 0.0 : value;
      });
    }
    if (plant_ == Plant::kNan) change(losses, [](std::size_t, double) { return std::nan(""); });
    if (plant_ == Plant::kPenalty) {
      Matrix unused_users = backend_.allocate(grad_users.rows(), grad_users.cols());
      Matrix unused_items = backend_.allocate(grad_items.rows(), grad_items.cols());
      backend_.l2_penalty(triplets, 1e-3, model.penalized(Side::kUser),
                          model.penalized(Side::kItem), unused_users, unused_items, losses);
    }
    model.backward();
  }

 private:
  template <typename F>
  void change(Matrix& matrix, const F& f) {
    std::vector<double> values(static_cast<std::size_t>(matrix.size()));
    backend_.download(matrix, std::span<double>(values));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = f(i, values[i]);
    backend_.upload(std::span<const double>(values), matrix);
  }
  void scale(Matrix& matrix, double factor) {
    change(matrix, [factor](std::size_t, double value) { return factor * value; });
  }

  Backend& backend_;
  Plant plant_;
  int steps_ = 0;
};

StepCheckOptions small_steps() {
  return {
      .gradient = {},
      .problem = {.users = 7, .items = 6, .width = 3, .layers = 2, .batch_size = 8, .problems = 2},
      .models = {},
      .sampling = {},
      .device = {}};
}

ModelOptions model_options(ModelKind kind, int width) {
  ModelOptions options;
  options.kind = kind;
  options.width = width;
  options.layers = 2;
  options.inputs = InputKind::kIds;
  options.init_std = 0.5;
  return options;
}

GradientCheckResult check_planted(Plant plant, const StepCheckOptions& options = small_steps()) {
  return check_loss(
      [plant](Backend& backend) { return std::make_unique<PlantedLoss>(backend, plant); }, options);
}

TEST(CheckLoss, ARightLossPassesOverEveryModel) {
  const GradientCheckResult result = check_planted(Plant::kNone);
  EXPECT_TRUE(result.passed()) << result.describe();
  // mf and lightgcn: 13 rows of 3; gcmc has more parameters; two problems each.
  EXPECT_GT(result.compared, 2 * 3 * 39);
  EXPECT_LE(std::abs(result.analytic - result.numeric), result.tolerance);
}

TEST(CheckLoss, FaultsAreSaidInWords) {
  const auto described = [](Plant plant) {
    const GradientCheckResult result = check_planted(plant);
    EXPECT_FALSE(result.passed());
    return result.describe();
  };
  EXPECT_THAT(
      described(Plant::kItemSign),
      AllOf(StartsWith("planted over mf: the gradient is WRONG"), HasSubstr("item_embedding["),
            HasSubstr("the whole gradient of item_embedding has the wrong sign"),
            HasSubstr("(seed 0)")));
  EXPECT_THAT(described(Plant::kTwice), HasSubstr("_embedding is 2 times the numeric one"));
  EXPECT_THAT(described(Plant::kOneRow), HasSubstr("of user_embedding, only row "));
  EXPECT_THAT(described(Plant::kPenalty), HasSubstr("the gradient is WRONG"));
  EXPECT_THAT(described(Plant::kNan), HasSubstr("not finite: the value is nan"));
  EXPECT_THAT(described(Plant::kThrows), HasSubstr("an exception: planted exception"));
  EXPECT_THAT(described(Plant::kDrifts),
              HasSubstr("not reproducible: the derivative by item_embedding["));
}

TEST(CheckLoss, DirectionsFindAWrongRow) {
  StepCheckOptions options = small_steps();
  options.gradient.mode = GradientCheckMode::kDirections;
  EXPECT_TRUE(check_planted(Plant::kNone, options).passed());
  const GradientCheckResult result = check_planted(Plant::kOneRow, options);
  EXPECT_EQ(result.finding, GradientFinding::kWrong);
  EXPECT_EQ(result.matrix, "user_embedding");
  EXPECT_GE(result.row, 0);
  EXPECT_EQ(result.analytic, 0.0);
}

TEST(CheckLoss, ASecondBackendIsCompared) {
  StepCheckOptions options = small_steps();
  options.device = "cpu";
  const GradientCheckResult right = check_planted(Plant::kNone, options);
  EXPECT_TRUE(right.passed()) << right.describe();
  const GradientCheckResult result = check_planted(Plant::kOnDevices, options);
  EXPECT_EQ(result.finding, GradientFinding::kDeviceDiffers) << result.describe();
  EXPECT_EQ(result.matrix, "user_embedding");
  EXPECT_NEAR(result.analytic / result.numeric, 1.001, 1e-5);
  EXPECT_THAT(result.describe(),
              HasSubstr("the device differs from the reference: user_embedding["));
  EXPECT_THAT(result.describe(), HasSubstr("on cpu"));
  options.device = "cuda:99";
  EXPECT_THROW(check_planted(Plant::kNone, options), Error);
}

TEST(CheckLoss, AnExpressionPassesOverEveryModelOnASecondBackend) {
  StepCheckOptions options = small_steps();
  options.device = "cpu";
  options.sampling.negatives_per_positive = 3;
  for (const auto similarity : {PairSimilarity::kDot, PairSimilarity::kCosine}) {
    const GradientCheckResult result = check_loss(
        [similarity](Backend& backend) {
          return make_expression_loss(backend, "formula", gradcheck_detail::contrast_expression(),
                                      {.similarity = similarity, .l2 = 0.05});
        },
        options);
    EXPECT_TRUE(result.passed()) << result.describe();
    EXPECT_THAT(result.describe(), StartsWith("formula over mf, lightgcn, gcmc: "));
  }
}

/// The mean score less nearly itself: a millionth of it is left, of which f32 has no digits.
TEST(CheckLoss, AProblemThatIsTooIllConditionedIsReportedAsSuch) {
  StepCheckOptions options = small_steps();
  options.models = {model_options(ModelKind::kMatrixFactorization, 3)};
  options.problem.problems = 1;
  const Expression p = Expression::positive();
  const auto shifted = [&](double shift) {
    return [p, shift](Backend& backend) {
      return make_expression_loss(backend, "shifted", p - shift);
    };
  };
  const gradcheck_detail::NamedModel mf{"mf", options.models.front()};
  gradcheck_detail::StepParts parts = gradcheck_detail::parts_of(options.problem, mf);
  parts.loss = shifted(0.0);
  const auto reference = make_reference_backend();
  gradcheck_detail::StepProblem problem(*reference, options.problem, parts, Seed{0},
                                        first_parameters(options.problem, mf, Seed{0}));
  const double mean_score = problem.step().front();
  ASSERT_NE(mean_score, 0.0);
  EXPECT_TRUE(check_loss(shifted(mean_score * (1 - 1e-6)), options).passed());
  options.device = "cpu";
  const GradientCheckResult result = check_loss(shifted(mean_score * (1 - 1e-6)), options);
  EXPECT_EQ(result.finding, GradientFinding::kDeviceDiffers) << result.describe();
  EXPECT_THAT(result.describe(),
              HasSubstr("on cpu; the problem is too ill-conditioned to compare"));
}

TEST(CheckLoss, TakesModelsAndSamplingOfTheUser) {
  StepCheckOptions options = small_steps();
  options.models = {model_options(ModelKind::kLightGcn, 4)};
  options.sampling.negatives_per_positive = 3;
  const LossFactory ccl = [](Backend& backend) {
    LossOptions loss;
    loss.kind = LossKind::kCcl;
    loss.margin = 0.1;
    return make_loss(backend, loss, 0.01, 7);
  };
  const GradientCheckResult result = check_loss(ccl, options);
  EXPECT_TRUE(result.passed()) << result.describe();
  EXPECT_THAT(result.describe(), StartsWith("ccl over lightgcn: "));
  options.problem.users = 2;
  EXPECT_THROW(check_loss(ccl, options), ConfigError);
}

/// final = 2 layer 0, a model of a user; `factor` is what its gradient is multiplied with.
class DoubledModel final : public Model {
 public:
  DoubledModel(Backend& backend, const Graph& graph, const Triplets& triplets, double factor)
      : backend_(backend), factor_(factor) {
    for (const Side side : {Side::kUser, Side::kItem}) {
      const auto s = static_cast<std::size_t>(side);
      for (auto* of : {&values_, &finals_, &grad_finals_, &gradients_}) {
        (*of)[s] = backend.allocate(graph.num_nodes(side), 3);
      }
      parameters_.push_back({.name = std::string(to_string(side)) + "_table",
                             .side = side,
                             .value = &values_[s],
                             .gradient = &gradients_[s],
                             .rows = &triplets.rows(side)});
    }
  }

  std::string_view name() const override { return "doubled"; }
  std::vector<Parameter>& parameters() override { return parameters_; }
  void initialize(Seed seed) override {
    std::mt19937_64 random(seed.value);
    for (Matrix& table : values_) {
      scale(table, table, [&](double) { return static_cast<double>(random() % 1000) / 1000.0; });
    }
  }
  void forward() override { embed(); }
  void embed() override {
    for (std::size_t s = 0; s < 2; ++s)
      scale(values_[s], finals_[s], [](double x) { return 2.0 * x; });
  }
  void backward() override {
    for (std::size_t s = 0; s < 2; ++s) {
      scale(grad_finals_[s], gradients_[s], [&](double x) { return 2.0 * factor_ * x; });
    }
  }
  const Matrix& embeddings(Side side) const override {
    return finals_[static_cast<std::size_t>(side)];
  }
  Matrix& embedding_gradient(Side side) override {
    return grad_finals_[static_cast<std::size_t>(side)];
  }
  PenaltyTarget penalty_target() const override { return PenaltyTarget::kLayer0; }
  const Matrix& penalized(Side side) const override {
    return values_[static_cast<std::size_t>(side)];
  }
  Matrix& penalized_gradient(Side side) override {
    return gradients_[static_cast<std::size_t>(side)];
  }

 private:
  template <typename F>
  void scale(const Matrix& from, Matrix& to, const F& f) {
    std::vector<double> values(static_cast<std::size_t>(from.size()));
    backend_.download(from, std::span<double>(values));
    for (double& value : values) value = f(value);
    backend_.upload(std::span<const double>(values), to);
  }

  Backend& backend_;
  double factor_;
  std::array<Matrix, 2> values_;
  std::array<Matrix, 2> finals_;
  std::array<Matrix, 2> grad_finals_;
  std::array<Matrix, 2> gradients_;
  std::vector<Parameter> parameters_;
};

TEST(CheckModel, ModelsOfTheUserAreChecked) {
  const auto found = [](double factor) {
    return check_model(
        [factor](Backend& backend, const Graph& graph, const Triplets& triplets) {
          return std::make_unique<DoubledModel>(backend, graph, triplets, factor);
        },
        small_steps());
  };
  EXPECT_TRUE(found(1.0).passed()) << found(1.0).describe();
  EXPECT_THAT(found(-1.0).describe(),
              AllOf(StartsWith("doubled: the gradient is WRONG"), HasSubstr("has the wrong sign")));
  EXPECT_THAT(found(1.001).describe(), HasSubstr("is 1.001 times the numeric one"));
}

/// No care is taken of the arguments of ReLU here: some are near 0.
TEST(CheckModel, KinksOfReluDoNoHarm) {
  StepCheckOptions options = small_steps();
  options.problem.problems = 30;
  const auto make = [](Backend& backend, const Graph& graph, const Triplets& triplets) {
    return make_model(backend, graph, triplets, model_options(ModelKind::kGcMc, 6));
  };
  const GradientCheckResult result = check_model(make, options);
  EXPECT_TRUE(result.passed()) << result.describe();
  // One step for all derivatives cannot do.
  options.gradient.eps = 1e-3;
  EXPECT_EQ(check_model(make, options).finding, GradientFinding::kWrong);
}

TEST(CheckModel, ModelsOfTernPassOnADeviceToo) {
  for (const ModelKind kind :
       {ModelKind::kMatrixFactorization, ModelKind::kLightGcn, ModelKind::kGcMc}) {
    StepCheckOptions options = small_steps();
    options.device = "cpu";
    const auto make = [kind](Backend& backend, const Graph& graph, const Triplets& triplets) {
      return make_model(backend, graph, triplets, model_options(kind, 5));
    };
    const GradientCheckResult result = check_model(make, options);
    EXPECT_TRUE(result.passed()) << result.describe();
  }
}

}  // namespace
}  // namespace tern::test
