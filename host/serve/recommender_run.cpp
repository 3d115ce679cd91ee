// Users that training has not seen, metrics and files of a model: what the program does with a run.

#include <fmt/format.h>

#include <cmath>
#include <system_error>
#include <utility>

#include "host/serve/baseline_metrics.hpp"
#include "host/serve/cold_nodes.hpp"
#include "host/serve/evaluation_task.hpp"
#include "host/serve/export_model.hpp"
#include "host/serve/new_users.hpp"
#include "host/serve/recommender_impl.hpp"
#include "host/support/message.hpp"
#include "host/support/number_text.hpp"
#include "host/train/fitted_model.hpp"
#include "tern/error.hpp"
#include "tern/model.hpp"

namespace tern {
namespace {

namespace fs = std::filesystem;
using Note = std::function<void(std::string_view)>;

constexpr char kHistory[] = "history";

/// The users' names, and the rows with a known item.
std::pair<Vocabulary, std::vector<Interaction>> rows_of(const std::vector<NewUser>& users,
                                                        const Vocabulary& known_users,
                                                        const Vocabulary& known_items,
                                                        const Note& note) {
  Vocabulary names;
  std::vector<Interaction> rows;
  std::int64_t all = 0;
  std::int64_t unknown = 0;
  std::string an_unknown;
  for (const NewUser& user : users) {
    if (known_users.find(user.id)) {
      throw DataError(kHistory, 0,
                      fmt::format("the run knows the user {}, expected new users only: ask for its "
                                  "list by its id",
                                  quote(user.id)));
    }
    if (names.find(user.id)) {
      throw DataError(kHistory, 0, fmt::format("the user {} is given twice", quote(user.id)));
    }
    const NodeId id = names.add(user.id);
    for (const std::string& item : user.items) {
      ++all;
      if (const std::optional<NodeId> found = known_items.find(item)) {
        rows.push_back({id, *found});
      } else if (unknown++ == 0) {
        an_unknown = item;
      }
    }
  }
  if (rows.empty()) {
    throw DataError(kHistory, 0,
                    fmt::format("the run knows none of its {} items{}", grouped(all),
                                all == 0 ? "" : ", for example " + quote(an_unknown)));
  }
  if (unknown > 0 && note) {
    note(
        fmt::format("history: items that are unknown to the run, left out: {} of {}, for example "
                    "{}",
                    grouped(unknown), grouped(all), quote(an_unknown)));
  }
  return {std::move(names), std::move(rows)};
}

void check(const ModelEvaluationOptions& options, RankingSource& source) {
  if (options.cold && options.baselines) {
    throw ConfigError(
        "evaluate: expected either cold or baselines: the baselines cannot rank items without a "
        "training interaction");
  }
  if (options.cold && !source.reads_features_of(Side::kItem)) {
    throw ConfigError(
        fmt::format("evaluate: cold needs a gcmc with item features, but the run's model is {}",
                    model_name(source.config().model.kind)));
  }
  if (!options.baselines) return;
  const double l2 = options.baselines->l2;
  if (!(l2 > 0.0) || !std::isfinite(l2)) {
    throw ConfigError(
        fmt::format("evaluate: the penalty of ease is {}, expected a number above 0", l2));
  }
}

/// Throws ConfigError as the program's -k does.
EvaluationOptions lists_of(const ModelEvaluationOptions& options, const Config& config,
                           const EvaluationTask& task) {
  EvaluationOptions lists = config.evaluation;
  if (!options.ks.empty()) lists.ks = options.ks;
  for (const int k : lists.ks) {
    if (k < 1) throw ConfigError(fmt::format("k: found {}, expected at least 1", k));
    if (k <= task.held_out.num_items()) continue;
    throw ConfigError(fmt::format("k: found {}, but the run has only {} {}", grouped(k),
                                  grouped(task.held_out.num_items()),
                                  options.cold ? "items without a training interaction" : "items"));
  }
  return lists;
}

}  // namespace

const Graph& Recommender::Impl::train_graph() {
  if (!train_) train_ = backend_->make_graph(data_.train);
  return *train_;
}

TensorFile Recommender::Impl::parameters() {
  if (run_.empty()) {
    throw ConfigError(
        "history: the parameters of a run are needed: use Recommender::load() of a run");
  }
  try {
    return Run::open(run_).read_checkpoint(checkpoint_);
  } catch (const DataError& error) {
    throw DataError(run_.string(), 0,
                    fmt::format("a history needs a checkpoint of the run, from which the layers "
                                "are computed: {}",
                                error.what()));
  }
}

std::vector<Recommendations> Recommender::recommend_new(const std::vector<NewUser>& users,
                                                        const RecommendOptions& options,
                                                        const Note& note) {
  Impl& impl = *impl_;
  check_n(options.n);
  expect_places_users(impl, kHistory);
  if (users.empty()) return {};
  auto [names, rows] = rows_of(users, impl.data_.users, impl.data_.items, note);
  const NewUsers placed = place_users(impl, std::move(names), rows);
  UserTable table{.names = &placed.names, .cold = placed.cold, .source = kHistory};
  Matrix matrix;
  if (impl.is_fitted()) {
    table.histories = &placed.history;
  } else {
    matrix = impl.backend().allocate(placed.names.size(), impl.width());
    impl.backend().upload(std::span<const float>(placed.rows), matrix);
    table.embeddings = {&matrix, placed.rows};
  }
  std::vector<const Interactions*> observed;
  if (options.seen == SeenItems::kLeaveOut) observed = {&placed.observed};
  return impl.rank(table, all_ids(placed.names.size()), observed, options);
}

ModelEvaluation Recommender::evaluate(const ModelEvaluationOptions& options) {
  Impl& impl = *impl_;
  check(options, impl);
  const bool on_test = options.split == SelectionSplit::kTest;
  const EvaluationTask task =
      make_evaluation_task(impl, on_test ? impl.data_.test : impl.data_.valid,
                           on_test ? MaskValid::kYes : MaskValid::kNo,
                           options.cold ? RankedItems::kCold : RankedItems::kAll);
  if (task.held_out.size() == 0) {
    throw ConfigError(fmt::format("evaluate: this run's data has no {} interactions{}",
                                  on_test ? "test" : "validation",
                                  options.cold ? " with items that have none in training" : ""));
  }
  const EvaluationOptions lists = lists_of(options, impl.config_, task);
  ModelEvaluation found{.metrics = evaluate_source(impl, task, lists)};
  if (!options.baselines) return found;
  const std::vector<const Interactions*> observed = task.observed();
  const auto note = [&](std::string_view text) {
    if (options.note) options.note(text);
  };
  for (BaselineResult& result :
       measure_baselines({task.train, observed, task.held_out, lists, *options.baselines,
                          known_baseline(impl.config_, *options.baselines, found.metrics)},
                         note, options.progress)) {
    found.baselines.emplace_back(std::move(result.name), std::move(result.metrics));
  }
  return found;
}

void Recommender::export_to(const fs::path& folder, std::string_view format) {
  Impl& impl = *impl_;
  const std::optional<ExportFormat> known = export_format(format);
  if (!known) {
    throw ConfigError(fmt::format("format: found {}, expected npy, safetensors, word2vec or faiss",
                                  quote(format)));
  }
  std::error_code absent;
  if (!impl.run_.empty() && fs::equivalent(folder, impl.run_, absent)) {
    throw ConfigError(fmt::format(
        "{}: this is the directory of the run, whose files would be replaced: choose another",
        folder.string()));
  }
  if (!impl.is_fitted()) {
    return export_embeddings(impl, folder, *known,
                             {{"model", std::string(model_name(impl.config_.model.kind))},
                              {"checkpoint", impl.checkpoint_},
                              {"epoch", std::to_string(epoch())}},
                             {});
  }
  expect_exports_arrays(impl.config_, *known, "format");
  // The scorer gives its arrays away, and is made again.
  TensorFile taken = impl.scorer_->take_arrays();
  TensorFile copy = taken;
  impl.scorer_ = restore_model(impl.data_, impl.config_, std::move(taken), "model");
  export_arrays(impl.config_, std::move(copy), impl.data_.items, folder, *known, {});
}

const std::string& Recommender::checkpoint() const {
  return impl_->checkpoint_;
}

int Recommender::epoch() const {
  return impl_->is_fitted() ? 0 : impl_->embeddings_.epoch;
}

}  // namespace tern
