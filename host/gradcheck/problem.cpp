#include "host/gradcheck/problem.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "host/train/sampling.hpp"
#include "tern/error.hpp"

namespace tern::gradcheck_detail {

void check(const GradcheckOptions& options) {
  const auto require = [](bool holds, const char* name, auto value, const char* expected) {
    if (!holds) throw ConfigError(fmt::format("{}: found {}, expected {}", name, value, expected));
  };
  // Central differences take four losses an element, each over every edge.
  require(options.users >= 3 && options.users <= 1000, "users", options.users, "3 to 1000");
  require(options.items >= 3 && options.items <= 1000, "items", options.items, "3 to 1000");
  require(options.density > 0.0 && options.density <= 1.0, "density", options.density,
          "a share above 0, at most 1");
  require(options.width >= 1 && options.width <= 1024, "width", options.width, "1 to 1024");
  require(options.layers >= 1 && options.layers <= 16, "layers", options.layers, "1 to 16");
  require(options.batch_size >= 1, "batch_size", options.batch_size, "at least 1");
  require(std::isfinite(options.l2) && options.l2 >= 0.0, "l2", options.l2, "a finite number >= 0");
  require(options.problems >= 1 && options.problems <= 1000, "problems", options.problems,
          "1 to 1000");
}

Interactions random_graph(const GradcheckOptions& options, Seed seed) {
  std::mt19937_64 random(seed.value);
  std::bernoulli_distribution chosen(options.density);
  std::vector<Interaction> pairs;
  for (NodeId user = 0; user < options.users - 1; ++user) {
    for (NodeId item = 0; item < options.items - 1; ++item) {
      if (chosen(random) || user == 0) pairs.push_back({user, item});
    }
  }
  return Interactions::from_pairs(options.users, options.items, pairs);
}

Values random_values(std::int64_t size, std::mt19937_64& random) {
  std::uniform_real_distribution<float> uniform(-1.0F, 1.0F);
  Values values(static_cast<std::size_t>(size));
  for (double& value : values) value = uniform(random);
  return values;
}

Matrix upload(Backend& backend, std::int64_t rows, const Values& values) {
  Matrix matrix = backend.allocate(rows, static_cast<std::int64_t>(values.size()) / rows);
  backend.upload(std::span<const double>(values), matrix);
  return matrix;
}

Values download(Backend& backend, const Matrix& matrix) {
  Values values(static_cast<std::size_t>(matrix.size()));
  backend.download(matrix, std::span<double>(values));
  return values;
}

InBatchSoftmaxOptions softmax_options(SoftmaxMask mask) {
  // Temperatures of practice would leave one column a row, and gradients of nothing else.
  return {.temperature = 0.5, .negative_weight = 0.75, .mask = mask, .popularity_correction = 0.25};
}

PairWeight weighted_by(const Matrix* thresholds) {
  return {.thresholds = thresholds, .temperature = 0.5};
}

AlignmentUniformityOptions alignment_options() {
  // Uniformity is negative: with a weight about 1 it may cancel the alignment, and errors relative to
  // the loss would have no meaning.
  return {.uniformity_weight = 0.25};
}

Expression contrast_expression() {
  const Expression p = Expression::positive();
  const Expression n = Expression::negative();
  return mean(softplus(n - p)) + 0.5 * log(1.0 + sum(exp(0.5 * (n - p)))) +
         0.25 * sqrt(1.0 + p * p + sum(n * sigmoid(n)));
}

namespace {

/// The same models with each other loss.
void add_losses(std::vector<NamedModel>& found, const GradcheckOptions& options) {
  const std::vector<NamedModel> with_bpr = found;
  const auto add_loss = [&](const char* name, const LossOptions& loss) {
    for (NamedModel model : with_bpr) {
      model.name += name;
      model.loss = loss;
      found.push_back(std::move(model));
    }
  };
  LossOptions softmax;
  softmax.kind = LossKind::kSoftmax;
  softmax.softmax = softmax_options(SoftmaxMask::kObserved);
  add_loss(" softmax", softmax);
  if (!cosines_vary(options)) return;
  LossOptions directau;
  directau.kind = LossKind::kDirectAu;
  directau.uniformity_weight = alignment_options().uniformity_weight;
  add_loss(" directau", directau);
  LossOptions contrast;
  contrast.kind = LossKind::kSoftmax;
  // Weighed more than the positive, few negatives leave no loss near 0, which would have no digits.
  contrast.softmax = {.temperature = 0.5, .negative_weight = 1.5};
  contrast.negatives = SoftmaxNegatives::kSampled;
  add_loss(" sampled softmax", contrast);
  LossOptions mixed = contrast;
  mixed.softmax = softmax_options(SoftmaxMask::kObserved);
  mixed.negatives = SoftmaxNegatives::kMixed;
  add_loss(" mixed softmax", mixed);
  LossOptions at_k = softmax;
  at_k.kind = LossKind::kSoftmaxAtK;
  // Measured at the first parameters; not so few that the weights, or their slopes, are all near 0.
  at_k.at_k = {.k = 2, .weight_temperature = weighted_by(nullptr).temperature, .refresh_every = 1};
  add_loss(" sl@k", at_k);
  LossOptions sampled_at_k = contrast;
  sampled_at_k.kind = LossKind::kSoftmaxAtK;
  sampled_at_k.at_k = at_k.at_k;
  add_loss(" sampled sl@k", sampled_at_k);
  LossOptions mixed_at_k = mixed;
  mixed_at_k.kind = LossKind::kSoftmaxAtK;
  mixed_at_k.at_k = at_k.at_k;
  add_loss(" mixed sl@k", mixed_at_k);
  contrast.kind = LossKind::kCcl;
  contrast.margin = 0.1;  // cosines of random rows are on both sides
  add_loss(" ccl", contrast);
}

}  // namespace

std::vector<NamedModel> models(const GradcheckOptions& options) {
  std::vector<NamedModel> found;
  const auto add = [&](std::string name, ModelKind kind, int layers) {
    ModelOptions model;
    model.kind = kind;
    model.width = options.width;
    model.layers = layers;
    model.init_std = 0.5;  // wide enough that softplus leaves its linear part
    found.push_back({std::move(name), model});
  };
  add("mf", ModelKind::kMatrixFactorization, 0);
  add("lightgcn L1", ModelKind::kLightGcn, 1);
  if (options.layers > 1) {
    add(fmt::format("lightgcn L{}", options.layers), ModelKind::kLightGcn, options.layers);
  }
  const auto add_gcmc = [&](std::string name, InputKind inputs, std::vector<int> hidden) {
    add(std::move(name), ModelKind::kGcMc, 0);
    found.back().options.inputs = inputs;
    found.back().options.hidden = std::move(hidden);
  };
  add_gcmc("gcmc ids", InputKind::kIds, {});
  add_gcmc("gcmc features", InputKind::kFeatures, {});
  add_gcmc("gcmc both L2", InputKind::kBoth, {options.width + 1});
  const auto add_contrast = [&](int layers, int view) {
    add(fmt::format("xsimgcl L{}", layers), ModelKind::kLightGcn, layers);
    found.back().options.contrast = {.kind = ContrastKind::kXSimGcl,
                                     .weight = 0.5,
                                     .temperature = 0.5,
                                     .magnitude = 0.25,
                                     .layer = view};
  };
  add_contrast(1, 1);
  if (options.layers > 1) add_contrast(options.layers, options.layers / 2 + 1);
  add_contrast(options.layers + 2, 1);
  const auto add_plus = [&](int layers) {
    add(fmt::format("lightgcn++ L{}", layers), ModelKind::kLightGcn, layers);
    found.back().options.propagation = {.kind = PropagationKind::kLightGcnPlusPlus};
  };
  if (cosines_vary(options)) {
    add_plus(1);
    if (options.layers > 1) add_plus(options.layers);
    add_plus(options.layers + 2);
  }
  std::vector<NamedModel> with_expression(found.begin(), found.begin() + 2);
  add_losses(found, options);
  for (NamedModel& model : with_expression) {
    model.name += " expression";
    model.expression = contrast_expression();
    found.push_back(std::move(model));
  }
  return found;
}

EncodedDataset random_features(const GradcheckOptions& options, Seed seed) {
  std::mt19937_64 random(seed.value + 4);
  constexpr std::int64_t kNumbers = 3;
  constexpr NodeId kCategories = 5;
  std::bernoulli_distribution has(0.3);
  const auto draw = [&](NodeId nodes) {
    EncodedFeatures features;
    features.number_names.assign(kNumbers, "number");
    features.category_names.assign(kCategories, "category");
    const Values numbers = random_values(nodes * kNumbers, random);
    features.numbers.assign(numbers.begin(), numbers.end());
    std::vector<Interaction> ones;
    for (NodeId node = 0; node < nodes; ++node) {
      for (NodeId category = 0; category < kCategories; ++category) {
        if (has(random)) ones.push_back({node, category});
      }
    }
    features.categories = Interactions::from_pairs(nodes, kCategories, ones);
    return features;
  };
  EncodedFeatures users = draw(options.users);
  return {std::move(users), draw(options.items)};
}

StepParts parts_of(const GradcheckOptions& options, const NamedModel& model) {
  Config config;
  config.loss = model.loss;
  config.batch_size = options.batch_size;
  const bool contrasts = contrasts_samples(model.loss) || model.expression;
  if (contrasts) config.sampling.negatives_per_positive = kContrastNegatives;
  return {.name = model.name,
          .model =
              [of = model.options](Backend& backend, const Graph& graph, const Triplets& triplets,
                                   const NodeFeatures& features) {
                return make_model(backend, graph, triplets, of, features);
              },
          .loss =
              [of = model.loss, expression = model.expression, l2 = options.l2,
               users = options.users](Backend& backend) {
                return expression
                           ? make_expression_loss(backend, "expression", *expression, {.l2 = l2})
                           : make_loss(backend, of, l2, users);
              },
          .sampling = sampling_of(config),
          .batch_triplets = options.batch_size * std::int64_t{contrasts ? kContrastNegatives : 1},
          .epoch = 1 + model.loss.at_k.refresh_every};
}

namespace {

Triplets make_triplets_for(Backend& backend, const Graph& graph, const StepParts& parts,
                           Seed seed) {
  SamplingOptions sampling = parts.sampling;
  sampling.seed = seed;
  return backend.make_triplets(graph, sampling, parts.batch_triplets);
}

}  // namespace

StepProblem::StepProblem(Backend& backend, const GradcheckOptions& options, const NamedModel& model,
                         Seed seed)
    : StepProblem(backend, options, model, seed, first_parameters(options, model, seed)) {}

StepProblem::StepProblem(Backend& backend, const GradcheckOptions& options, const NamedModel& model,
                         Seed seed, const Start& start)
    : StepProblem(backend, options, parts_of(options, model), seed, start) {}

StepProblem::StepProblem(Backend& backend, const GradcheckOptions& options, const StepParts& parts,
                         Seed seed, const Start& start)
    : backend_(backend),
      start_(start),
      interactions_(random_graph(options, seed)),
      features_(random_features(options, seed)),
      graph_(backend.make_graph(interactions_)),
      triplets_(make_triplets_for(backend, graph_, parts, seed)),
      model_(parts.model(backend, graph_, triplets_, features_.view())),
      loss_(parts.loss ? parts.loss(backend) : nullptr),
      losses_(
          backend.allocate(loss_terms(*model_), triplets_.num_batches(), {.replicated = true})) {
  model_->initialize(start.seed);
  if (loss_ != nullptr) {
    loss_->prepare(*model_);
    loss_->begin_epoch(*model_, parts.epoch, {});
  }
  backend_.sample(triplets_, 1);
  if (seed.value % 2 == 1) {
    for (; batch_ + 1 < triplets_.num_batches(); ++batch_) backend_.next_batch(triplets_);
  }
}

std::vector<Triplet> StepProblem::batch() {
  const std::vector<Triplet> all = backend_.get_triplets(triplets_);
  const std::int64_t begin = batch_ * triplets_.batch_size();
  const std::int64_t end = std::min(begin + triplets_.batch_size(), triplets_.size());
  return {all.begin() + begin, all.begin() + end};
}

std::vector<double> StepProblem::step() {
  for (const NamedCounter& counter : model_->counters()) backend_.set(*counter.value, 0);
  model_->forward();
  return loss_ != nullptr ? ranked() : probed();
}

std::vector<double> StepProblem::ranked() {
  Batch current(backend_, triplets_);
  loss_->backward(*model_, current, losses_);
  const Values losses = download(backend_, losses_);
  std::vector<double> terms;
  for (std::int64_t term = 0; term < losses_.rows(); ++term) {
    terms.push_back(losses[static_cast<std::size_t>(term * triplets_.num_batches() + batch_)]);
  }
  return terms;
}

/// Σ c e + e² / 2 over the elements e of the batch's distinct rows, with random c.
std::vector<double> StepProblem::probed() {
  std::mt19937_64 random(start_.seed.value + 6);
  double sum = 0.0;
  for (const Side side : {Side::kUser, Side::kItem}) {
    const Matrix& embeddings = model_->embeddings(side);
    const Values values = download(backend_, embeddings);
    const Values weights = random_values(embeddings.size(), random);
    const std::vector<bool> in_batch = batch_rows(side);
    const auto width = static_cast<std::size_t>(embeddings.cols());
    Values gradient(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!in_batch[i / width]) continue;
      sum += weights[i] * values[i] + values[i] * values[i] / 2.0;
      gradient[i] = weights[i] + values[i];
    }
    backend_.upload(std::span<const double>(gradient), model_->embedding_gradient(side));
  }
  model_->backward();
  return {sum};
}

std::vector<bool> StepProblem::batch_rows(Side side) {
  std::vector<bool> rows(static_cast<std::size_t>(graph_.num_nodes(side)));
  for (const Triplet& triplet : batch()) {
    rows[static_cast<std::size_t>(side == Side::kUser ? triplet.user : triplet.positive)] = true;
    if (side == Side::kItem && triplet.negative >= 0) {
      rows[static_cast<std::size_t>(triplet.negative)] = true;
    }
  }
  return rows;
}

Values StepProblem::gradient(const Parameter& parameter) {
  Values values = download(backend_, *parameter.gradient);
  if (parameter.rows == nullptr) return values;
  const bool of_users = parameter.rows == &triplets_.rows(Side::kUser);
  if (!of_users && parameter.rows != &triplets_.rows(Side::kItem)) {
    throw ShapeError(parameter.name + ": rows are not those of the triplets");
  }
  const std::vector<bool> valid = batch_rows(of_users ? Side::kUser : Side::kItem);
  const auto width = static_cast<std::size_t>(parameter.gradient->cols());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!valid[i / width]) values[i] = 0.0;
  }
  return values;
}

NamedMatrices StepProblem::parameters() {
  NamedMatrices all;
  for (const Parameter& parameter : model_->parameters()) {
    all.push_back({parameter.name, parameter.value->rows(), parameter.value->cols(),
                   download(backend_, *parameter.value)});
  }
  return all;
}

void StepProblem::move_to(const NamedMatrices& parameters) {
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    backend_.upload(std::span<const double>(parameters[p].values), *model_->parameters()[p].value);
  }
}

double StepProblem::loss_at(const NamedMatrices& parameters) {
  move_to(parameters);
  const std::vector<double> terms = step();
  return std::accumulate(terms.begin(), terms.end(), 0.0);
}

std::vector<Values> StepProblem::gradients() {
  std::vector<Values> all;
  for (const Parameter& parameter : model_->parameters()) all.push_back(gradient(parameter));
  return all;
}

}  // namespace tern::gradcheck_detail
