#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "host/config/batch.hpp"
#include "host/gradcheck/problem.hpp"
#include "host/gradcheck/subject_filter.hpp"
#include "tern/error.hpp"
#include "tern/tensor_file.hpp"

namespace tern {
namespace {

namespace fs = std::filesystem;
using gradcheck_detail::Values;

enum class Precision { kF32, kF64 };

Tensor tensor(std::vector<std::int64_t> shape, const Values& values, Precision precision) {
  if (precision == Precision::kF64) return {std::move(shape), values};
  return {std::move(shape), std::vector<float>(values.begin(), values.end())};
}

Tensor pairs_of(const Interactions& interactions) {
  std::vector<std::int32_t> ids;
  for (NodeId user = 0; user < interactions.num_users(); ++user) {
    for (const NodeId item : interactions.row(user)) ids.insert(ids.end(), {user, item});
  }
  return {{interactions.size(), 2}, std::move(ids)};
}

Tensor triplets_of(const std::vector<Triplet>& triplets) {
  std::vector<std::int32_t> ids;
  for (const Triplet& t : triplets) ids.insert(ids.end(), {t.user, t.positive, t.negative});
  return {{static_cast<std::int64_t>(triplets.size()), 3}, std::move(ids)};
}

Tensor numbers_of(const EncodedFeatures& features) {
  return {{features.num_nodes(), static_cast<std::int64_t>(features.number_names.size())},
          features.numbers};
}

Tensor categories_of(const EncodedFeatures& features) {
  const Interactions& categories = features.categories;
  const std::int64_t width = categories.num_items();
  std::vector<float> dense(static_cast<std::size_t>(features.num_nodes() * width));
  for (NodeId node = 0; node < features.num_nodes(); ++node) {
    for (const NodeId category : categories.row(node)) {
      dense[static_cast<std::size_t>(node * width + category)] = 1.0F;
    }
  }
  return {{features.num_nodes(), width}, std::move(dense)};
}

std::string loss_of(const LossOptions& loss) {
  if (loss.kind == LossKind::kCcl) return "ccl";
  if (loss.kind == LossKind::kBpr) return "bpr";
  if (loss.kind == LossKind::kDirectAu) return "directau";
  // SL@K has the name of the softmax that it weights.
  if (loss.negatives == SoftmaxNegatives::kMixed) return "mixed softmax";
  return loss.negatives == SoftmaxNegatives::kSampled ? "sampled softmax" : "softmax";
}

/// The contents of step.json, which tools/crosscheck_torch.py reads.
nlohmann::ordered_json step_settings(const Backend& backend, const GradcheckOptions& options,
                                     const gradcheck_detail::NamedModel& named,
                                     gradcheck_detail::StepProblem& problem) {
  const ContrastOptions& contrast = named.options.contrast;
  nlohmann::ordered_json step{
      {"model", problem.model().name()},
      {"layers", named.options.kind == ModelKind::kGcMc
                     ? static_cast<int>(named.options.hidden.size()) + 1
                     : named.options.layers},
      {"loss", loss_of(named.loss)},
      {"temperature", named.loss.softmax.temperature},
      {"negative_weight", named.loss.softmax.negative_weight},
      {"uniformity_weight", named.loss.uniformity_weight},
      {"margin", named.loss.margin},
      {"weight_temperature", named.loss.at_k.weight_temperature},
      {"negatives_per_positive",
       contrasts_samples(named.loss) ? gradcheck_detail::kContrastNegatives : 1},
      {"popularity_correction", named.loss.softmax.popularity_correction},
      {"l2", options.l2},
      {"users", options.users},
      {"items", options.items},
      {"backend", backend.name()},
      {"precision", backend.describe().precision}};
  if (contrast.kind == ContrastKind::kXSimGcl) {
    step["contrast"] = {{"weight", contrast.weight},
                        {"temperature", contrast.temperature},
                        {"magnitude", contrast.magnitude},
                        {"layer", contrast.layer},
                        {"seed", problem.start().seed.value}};
  }
  const PropagationOptions& propagation = named.options.propagation;
  if (propagation.kind == PropagationKind::kLightGcnPlusPlus) {
    step["propagation"] = {
        {"alpha", propagation.alpha}, {"beta", propagation.beta}, {"gamma", propagation.gamma}};
  }
  return step;
}

void dump_step(Backend& backend, const GradcheckOptions& options,
               const gradcheck_detail::NamedModel& named, const fs::path& directory) {
  gradcheck_detail::StepProblem problem(backend, options, named, options.seed);
  const Precision precision =
      backend.describe().precision == "f64" ? Precision::kF64 : Precision::kF32;
  const auto write = [&](const std::string& name, const Tensor& values) {
    write_npy(directory / (name + ".npy"), values);
  };
  const auto write_matrix = [&](const std::string& name, const Matrix& shape,
                                const Values& values) {
    write(name, tensor({shape.rows(), shape.cols()}, values, precision));
  };
  if (reads_features(named.options)) {
    write("user_numbers", numbers_of(*problem.features().users));
    write("user_categories", categories_of(*problem.features().users));
    write("item_numbers", numbers_of(*problem.features().items));
    write("item_categories", categories_of(*problem.features().items));
  }
  write("interactions", pairs_of(problem.interactions()));
  write("triplets", triplets_of(problem.batch()));
  const Values losses = problem.step();
  write("loss", tensor({static_cast<std::int64_t>(losses.size())}, losses, precision));
  for (const Parameter& parameter : problem.model().parameters()) {
    write_matrix(parameter.name, *parameter.value,
                 gradcheck_detail::download(backend, *parameter.value));
    write_matrix(parameter.name + "_gradient", *parameter.gradient, problem.gradient(parameter));
  }
  for (const NamedBuffer& buffer : problem.loss().buffers()) {
    write_matrix(buffer.name, *buffer.value, gradcheck_detail::download(backend, *buffer.value));
  }
  for (const NamedBuffer& buffer : problem.model().buffers()) {
    write_matrix(buffer.name, *buffer.value, gradcheck_detail::download(backend, *buffer.value));
  }
  problem.model().embed();
  for (const Side side : {Side::kUser, Side::kItem}) {
    const Matrix& finals = problem.model().embeddings(side);
    write_matrix(side == Side::kUser ? "final_users" : "final_items", finals,
                 gradcheck_detail::download(backend, finals));
  }
  // Written last: a directory with this file is complete.
  write_file_atomically(directory / "step.json",
                        step_settings(backend, options, named, problem).dump(2) + "\n");
}

}  // namespace

std::vector<fs::path> dump_steps(Backend& backend, const GradcheckOptions& options,
                                 const fs::path& directory) {
  gradcheck_detail::check(options);
  std::vector<fs::path> made;
  const gradcheck_detail::SubjectFilter filter(options.filter);
  for (const gradcheck_detail::NamedModel& model : gradcheck_detail::models(options)) {
    // The file that describes a step cannot name a formula.
    if (model.expression || !filter.matches(model.name)) continue;
    std::string name = model.name;
    std::replace(name.begin(), name.end(), ' ', '-');
    const fs::path place = directory / name;
    std::error_code error;
    fs::create_directories(place, error);
    if (error) {
      throw Error(
          fmt::format("{}: the directory cannot be created: {}", place.string(), error.message()));
    }
    dump_step(backend, options, model, place);
    made.push_back(place);
  }
  if (made.empty()) {
    throw ConfigError(fmt::format("filter: no model matches \"{}\"", options.filter));
  }
  return made;
}

}  // namespace tern
