#include "host/cli/run_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

#include "host/backend/device.hpp"
#include "host/cli/config_options.hpp"
#include "host/cli/format.hpp"
#include "host/cli/help.hpp"
#include "host/run/checkpoint.hpp"
#include "host/serve/final_tables.hpp"
#include "host/train/fitted_model.hpp"
#include "tern/error.hpp"

namespace tern::cli {
namespace {

std::unique_ptr<Backend> open_backend(const RunOptions& options, Console& console) {
  std::string notice;
  std::unique_ptr<Backend> backend = make_program_backend(options.device, options.threads, &notice);
  if (!notice.empty()) console.line(notice);
  return backend;
}

// About the multiplications that the CPU does before a GPU is ready for the first.
constexpr double kLittleWork = 1e10;

}  // namespace

void RunOptions::add_to(CLI::App& app) {
  app.add_option("RUN", path, "the run directory that tern train made")->required();
  checkpoint_given = add_choice(app, "--checkpoint", checkpoint, {"best", "last"},
                                "the epoch whose parameters to use");
  app.add_option("--device", device,
                 "where to compute; auto: a GPU, if there is one, but the CPU for little work such "
                 "as the lists of a few users")
      ->type_name("auto|cpu|cuda|cuda:N|reference")
      ->check(value_of("train.device"))
      ->capture_default_str();
  app.add_option("--threads", threads, "threads on a CPU; 0: as many as it may use (tern info)")
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
      options_(options),
      limit_(limit_threads(options.threads)),
      run_(Run::open(options.path)) {
  if (is_fitted()) {
    if (!new_nodes.users.empty()) add_nodes(Side::kUser, new_nodes.users);
    if (!new_nodes.items.empty()) add_nodes(Side::kItem, new_nodes.items);
    if (options.checkpoint_given != nullptr && options.checkpoint_given->count() > 0) {
      console.line(
          fmt::format("{} is fitted and has one state: --checkpoint has no effect", model_name()));
    }
    if (options.device.starts_with("cuda")) {
      console.line(fmt::format("{} is computed on the CPU, whatever --device is", model_name()));
    }
    return;
  }
  // Without an evaluation, as after an early stop, there is no best epoch: the last one is used.
  if (options_.checkpoint == "best" && !run_.has_best()) options_.checkpoint = "last";
  // An absent device is reported at once.
  if (options.device.starts_with("cuda")) backend();
  const bool has_new_nodes = !new_nodes.users.empty() || !new_nodes.items.empty();
  // The reference backend checks others, so that it computes everything itself.
  if (!has_new_nodes && options.device != "reference") {
    stored_ = run_.read_embeddings(options_.checkpoint);
  }
  if (stored_) {
    epoch_ = stored_->epoch;
    return;
  }
  parameters_ = run_.read_checkpoint(options_.checkpoint);
  epoch_ = read_epoch(parameters_->metadata, options.path);
  if (!new_nodes.users.empty()) add_nodes(Side::kUser, new_nodes.users);
  if (!new_nodes.items.empty()) add_nodes(Side::kItem, new_nodes.items);
}

void LoadedRun::add_nodes(Side side, const std::string& file) {
  const bool of_users = side == Side::kUser;
  const ModelOptions& model = run_.config().model;
  if (!reads_features(model)) {
    throw ConfigError(fmt::format(
        "--new-{}: the run's model is {}, which knows nodes only by their ids, expected "
        "a gcmc with features{}",
        of_users ? "users" : "items", model_name(),
        is_fitted() && of_users ? "; --history ranks items for new users by theirs" : ""));
  }
  if (file == "-") {
    throw ConfigError(
        fmt::format("--new-{}: standard input has no name that shows the format, expected a file, "
                    ".tsv or .csv",
                    of_users ? "users" : "items"));
  }
  load_features();
  const std::size_t notes = data_->notes.size();
  add_new_nodes(*data_, side, file, run_.config().data);
  for (std::size_t i = notes; i < data_->notes.size(); ++i) console_.line(data_->notes[i]);
  // If ids are learned too, a new node gets 0, the mean of the initial embeddings.
  const auto ids = parameters_->tensors.find(of_users ? "user_embedding" : "item_embedding");
  if (ids == parameters_->tensors.end()) return;
  Tensor& table = ids->second;
  table.shape[0] = of_users ? data_->users.size() : data_->items.size();
  const auto size = static_cast<std::size_t>(table.shape[0] * table.shape[1]);
  std::visit([&](auto& values) { values.resize(size); }, table.values);
}

void LoadedRun::load_features() {
  if (has_features_ || !reads_features(run_.config().model)) return;
  Dataset whole = run_.load_data(Run::DataParts::kAll);
  if (!data_) {
    data_ = std::move(whole);
  } else {
    data_->user_features = std::move(whole.user_features);
    data_->item_features = std::move(whole.item_features);
  }
  has_features_ = true;
}

const Dataset& LoadedRun::data() {
  if (!data_) data_ = run_.load_data(Run::DataParts::kInteractions);
  return *data_;
}

const Vocabulary& LoadedRun::names(Side side) {
  if (data_) return side == Side::kUser ? data_->users : data_->items;
  std::optional<Vocabulary>& names = names_[static_cast<std::size_t>(side)];
  if (!names) names = run_.load_names(side);
  return *names;
}

bool LoadedRun::reads_features_of(Side side) {
  if (!reads_features(run_.config().model)) return false;
  std::optional<bool>& reads = reads_features_of_[static_cast<std::size_t>(side)];
  if (!reads && has_features_) {
    reads = (side == Side::kUser ? data_->user_features : data_->item_features).has_value();
  }
  if (!reads) reads = run_.has_features(side);
  return *reads;
}

std::unique_ptr<ItemScorer> LoadedRun::read_scorer() {
  const std::string file = run_.fitted_path().string();
  const std::string resume = fmt::format("tern train --resume {}", run_.path().string());
  const auto with_way_on = [&](const DataError& error, const std::string& way) {
    return DataError(file, 0, fmt::format("{}; to fit the model again: {}", error.finding(), way));
  };
  const Dataset& data = this->data();
  try {
    return restore_model(data, run_.config(), run_.read_fitted(), file);
  } catch (const DamagedCheckpoint& error) {
    throw with_way_on(error, resume);
  } catch (const DataError& error) {
    if (error.file() != file) throw;  // the run lacks it, and the message says so
    // Undamaged, but with the arrays of another model or data: --resume would take the run as complete.
    throw with_way_on(error, "remove this file, then: " + resume);
  }
}

const ItemScorer& LoadedRun::scorer() {
  if (!scorer_) scorer_ = read_scorer();
  return *scorer_;
}

Backend& LoadedRun::backend() {
  if (!backend_) backend_ = open_backend(options_, console_);
  return *backend_;
}

void LoadedRun::expect_queries(std::int64_t queries) {
  if (!stored_ || options_.device != "auto") return;
  const double candidates =
      static_cast<double>(std::max(stored_->users.shape[0], stored_->items.shape[0]));
  const double work = static_cast<double>(queries) * candidates * static_cast<double>(width());
  if (work < kLittleWork) options_.device = "cpu";
}

const Graph& LoadedRun::train_graph() {
  if (!train_) train_ = backend().make_graph(data().train);
  return *train_;
}

TensorFile LoadedRun::parameters() {
  try {
    return run_.read_checkpoint(options_.checkpoint);
  } catch (const DataError& error) {
    throw DataError(
        run_.path().string(), 0,
        fmt::format(
            "--history needs a checkpoint of the run, which it computes the layers from: {}",
            error.what()));
  }
}

Model& LoadedRun::model() {
  if (model_) return *model_;
  load_features();
  model_ = make_model(backend(), train_graph(), no_triplets_, run_.config().model,
                      features_for(data(), run_.config().model).view());
  if (!parameters_) parameters_ = run_.read_checkpoint(options_.checkpoint);
  load_parameters(backend(), *model_, *parameters_);
  parameters_.reset();
  model_->embed();
  return *model_;
}

const Matrix& LoadedRun::embeddings(Side side) {
  if (!stored_) return model().embeddings(side);
  std::optional<Matrix>& matrix = uploaded_[static_cast<std::size_t>(side)];
  if (!matrix) matrix = upload_table(backend(), table_of(*stored_, side));
  return *matrix;
}

HostTable LoadedRun::host_table(Side side) {
  if (stored_) return host_table_of(table_of(*stored_, side));
  const Matrix& matrix = embeddings(side);
  std::vector<float> values(static_cast<std::size_t>(matrix.size()));
  backend().download(matrix, std::span<float>(values));
  return HostTable(std::move(values));
}

std::int64_t LoadedRun::width() {
  return stored_ ? stored_->users.shape[1] : model().embeddings(Side::kUser).cols();
}

void check_k(std::int64_t k, std::int64_t candidates, std::string_view what) {
  if (k < 1) throw ConfigError(fmt::format("-k: found {}, expected at least 1", k));
  if (k > candidates) {
    throw ConfigError(
        fmt::format("-k: found {}, but the run has only {} {}", k, grouped(candidates), what));
  }
}

void ListLength::add_to(CLI::App& app, const std::string& help) {
  given_ = add_number(app, "-k", k_, help);
}

std::int64_t ListLength::resolve(std::int64_t candidates, std::string_view what) const {
  if (given_->count() == 0) return std::min(k_, candidates);
  check_k(k_, candidates, what);
  return k_;
}

}  // namespace tern::cli
