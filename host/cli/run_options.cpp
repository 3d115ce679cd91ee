#include "host/cli/run_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "host/cli/config_options.hpp"
#include "host/cli/format.hpp"
#include "host/cli/help.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"

namespace tern::cli {
namespace {

std::unique_ptr<Backend> open_backend(const RunOptions& options, Console& console) {
  std::string notice;
  std::unique_ptr<Backend> backend = make_backend(options.device, options.threads, &notice);
  if (!notice.empty()) console.line(notice);
  return backend;
}

int epoch_of(const TensorFile& checkpoint) {
  const auto found = checkpoint.metadata.find("epoch");
  int epoch = 0;
  if (found != checkpoint.metadata.end()) {
    const std::string& text = found->second;
    std::from_chars(text.data(), text.data() + text.size(), epoch);
  }
  return epoch;
}

}  // namespace

void RunOptions::add_to(CLI::App& app) {
  app.add_option("RUN", path, "the run directory that tern train made")->required();
  add_choice(app, "--checkpoint", checkpoint, {"best", "last"},
             "the epoch whose parameters to use");
  app.add_option("--device", device, "auto|cpu|cuda|cuda:N|reference")
      ->type_name("NAME")
      ->check(value_of("train.device"))
      ->capture_default_str();
  app.add_option("--threads", threads, "threads on a CPU; 0: all")
      ->type_name("N")
      ->check(value_of("train.threads"))
      ->capture_default_str();
  app.add_flag("--quiet", quiet, "no messages but errors");
}

void NewNodeOptions::add_to(CLI::App& app) {
  const auto add = [&](const std::string& name, std::string& file, const std::string& what) {
    app.add_option(name, file,
                   "table of features of new " + what +
                       ", unknown in training: gcmc computes their embeddings from these")
        ->type_name("FILE");
  };
  add("--new-items", items, "items");
  add("--new-users", users, "users");
}

LoadedRun::LoadedRun(const RunOptions& options, Console& console, const NewNodeOptions& new_nodes)
    : console_(console),
      run_(Run::open(options.path)),
      checkpoint_(options.checkpoint),
      // Before the data is read, so that an absent device is reported at once.
      backend_(open_backend(options, console)) {
  TensorFile parameters = run_.read_checkpoint(checkpoint_);
  epoch_ = epoch_of(parameters);
  data_ = run_.load_data();
  if (!new_nodes.users.empty()) add_nodes(Side::kUser, new_nodes.users, parameters);
  if (!new_nodes.items.empty()) add_nodes(Side::kItem, new_nodes.items, parameters);
  train_ = backend_->make_graph(data_.train);
  model_ = make_model(*backend_, train_, no_triplets_, run_.config().model,
                      features_for(data_, run_.config().model).view());
  load_parameters(*backend_, *model_, parameters);
  model_->embed();
}

void LoadedRun::add_nodes(Side side, const std::string& file, TensorFile& parameters) {
  const bool of_users = side == Side::kUser;
  const ModelOptions& model = run_.config().model;
  if (!reads_features(model)) {
    throw ConfigError(
        fmt::format("--new-{}: the run is a {} that knows nodes only by their ids, expected a gcmc "
                    "with features",
                    of_users ? "users" : "items", tern::model_name(model.kind)));
  }
  const std::size_t notes = data_.notes.size();
  add_new_nodes(data_, side, file, run_.config().data);
  for (std::size_t i = notes; i < data_.notes.size(); ++i) console_.line(data_.notes[i]);
  // If ids are learned too, a new node gets 0, the mean of the initial embeddings.
  const auto ids = parameters.tensors.find(of_users ? "user_embedding" : "item_embedding");
  if (ids == parameters.tensors.end()) return;
  Tensor& table = ids->second;
  table.shape[0] = of_users ? data_.users.size() : data_.items.size();
  const auto size = static_cast<std::size_t>(table.shape[0] * table.shape[1]);
  std::visit([&](auto& values) { values.resize(size); }, table.values);
}

std::vector<float> LoadedRun::download(Side side) {
  const Matrix& matrix = embeddings(side);
  std::vector<float> values(static_cast<std::size_t>(matrix.size()));
  backend_->download(matrix, std::span<float>(values));
  return values;
}

void check_k(std::int64_t k, std::int64_t candidates, std::string_view what) {
  if (k < 1) throw ConfigError(fmt::format("-k: found {}, expected at least 1", k));
  if (k > candidates) {
    throw ConfigError(
        fmt::format("-k: found {}, but the run has only {} {}", k, grouped(candidates), what));
  }
}

void ListLength::add_to(CLI::App& app, const std::string& help) {
  given_ = app.add_option("-k", k_, help)->type_name("N")->capture_default_str();
}

std::int64_t ListLength::resolve(std::int64_t candidates, std::string_view what) const {
  if (given_->count() == 0) return std::min(k_, candidates);
  check_k(k_, candidates, what);
  return k_;
}

}  // namespace tern::cli
