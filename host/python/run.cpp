#include "tern/run.hpp"

#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/config/keys.hpp"
#include "host/python/arrays.hpp"
#include "host/python/listener.hpp"
#include "host/python/module.hpp"
#include "host/python/training.hpp"
#include "host/support/clock.hpp"
#include "host/train/fitted_model.hpp"
#include "tern/error.hpp"
#include "tern/recommender.hpp"
#include "tern/report.hpp"
#include "tern/tensor_file.hpp"
#include "tern/trainer.hpp"

namespace nb = nanobind;

namespace tern::python {
namespace {

using ScoredIds = std::vector<std::pair<std::string, float>>;

/// A run that somebody else may be reading: what the program's `train` writes, in the same order.
class RunWriter {
 public:
  RunWriter(const std::string& path, bool overwrite)
      : path_(path), overwrite_(overwrite ? Run::Overwrite::kYes : Run::Overwrite::kNo) {}

  void fit(const Dataset& data, const Config& config, Listener& listener) {
    expect_fittable(data, config);
    Run::expect_room_for_run(path_, overwrite_);
    check_fitted_space(path_, config, data, array_bytes(data, config.model));
    const Clock::time_point begin = Clock::now();
    const std::unique_ptr<ItemScorer> scorer =
        fit_model(data, config, [&](std::string_view text) { listener.note(text); });
    EpochRecord record;
    record.loss_name.clear();
    record.seconds = seconds_since(begin);
    record.best = true;
    record.metrics = evaluate_selection_split(*scorer, data, config);
    Run run = Run::create(path_, config, data, overwrite_);
    run.append(record);
    run.write_fitted(scorer->take_arrays());
  }

  void train(const Dataset& data, const Config& config, Listener& listener) {
    const std::unique_ptr<Backend> backend = backend_for(config, listener);
    Trainer trainer(*backend, data, config);
    check_space(path_, config, data, trainer.state_bytes());
    Run run = Run::create(path_, config, data, overwrite_);
    const Clock::time_point begin = Clock::now();
    Clock::time_point saved = begin;
    listener.run(trainer, [&](const EpochRecord& record) {
      run.append(record);
      if (record.best) run.write_best(trainer.best(), record.epoch, trainer.progress().best_epoch);
      if (!is_due(config.checkpoint, record.epoch, seconds_since(saved))) return;
      run.write_state(trainer.state());
      saved = Clock::now();
    });
    run.write_state(trainer.state());
    run.write_embeddings(*backend, trainer.model());
    run.write_projector();
  }

 private:
  static bool is_due(const CheckpointOptions& options, int epoch, double seconds) {
    const bool by_epochs = options.every_epochs > 0 && epoch % options.every_epochs == 0;
    return by_epochs || (options.every_minutes > 0.0 && seconds > 60.0 * options.every_minutes);
  }

  std::string path_;
  Run::Overwrite overwrite_;
};

nb::object train_run(const Dataset& data, Config config, const std::string& path, bool overwrite,
                     nb::object on_epoch, nb::object on_note) {
  if (config.on_nan == OnNan::kRollback) {
    throw ConfigError("train.on_nan: found rollback, which only the program `tern train` can do");
  }
  Listener listener(std::move(on_epoch), std::move(on_note));
  {
    const nb::gil_scoped_release release;
    fit_ks(config, data, listener);
    RunWriter writer(path, overwrite);
    if (is_fitted(config.model.kind)) {
      writer.fit(data, config, listener);
    } else {
      writer.train(data, config, listener);
    }
  }
  return listener.error();
}

ScoredIds pairs_of(const std::vector<ScoredId>& list) {
  ScoredIds pairs;
  pairs.reserve(list.size());
  for (const auto& [id, score] : list) pairs.emplace_back(id, score);
  return pairs;
}

std::vector<ScoredIds> recommend(Recommender& model, const std::vector<std::string>& users,
                                 std::int64_t n, bool leave_out, bool cold,
                                 const std::vector<std::string>& items,
                                 const std::vector<std::string>& without) {
  const nb::gil_scoped_release release;
  RecommendOptions options;
  options.n = n;
  options.seen = leave_out ? SeenItems::kLeaveOut : SeenItems::kList;
  options.cold = cold ? ColdNodes::kList : ColdNodes::kLeaveOut;
  options.items = items;
  options.without = without;
  std::vector<ScoredIds> lists;
  lists.reserve(users.size());
  for (const Recommendations& list : model.recommend_each(users, options)) {
    lists.push_back(pairs_of(list.items));
  }
  return lists;
}

template <Side kSide>
ScoredIds similar(Recommender& model, const std::string& id, std::int64_t n) {
  const nb::gil_scoped_release release;
  return pairs_of(kSide == Side::kItem ? model.similar_items(id, n) : model.similar_users(id, n));
}

template <Side kSide>
std::vector<std::string> ids(const Recommender& model) {
  const Vocabulary& names = model.ids(kSide);
  std::vector<std::string> found;
  for (NodeId id = 0; id < names.size(); ++id) found.push_back(names.name(id));
  return found;
}

template <Side kSide>
NumpyTable factors(const Recommender& model) {
  return to_numpy(Tensor(model.embeddings(kSide)));
}

std::unique_ptr<Recommender> load(const std::string& path, const std::string& device, int threads) {
  const nb::gil_scoped_release release;
  return std::make_unique<Recommender>(
      Recommender::load(path, {.device = device, .threads = threads}));
}

void write_report(const std::vector<std::string>& runs, const std::string& file) {
  const nb::gil_scoped_release release;
  const std::vector<std::filesystem::path> paths(runs.begin(), runs.end());
  write_file_atomically(file, make_report(paths));
}

std::map<std::string, std::string> settings_of(const Config& config) {
  std::map<std::string, std::string> settings;
  for (const KeySpec& key : key_table()) settings[key.key] = to_toml(key.get(config));
  return settings;
}

}  // namespace

void bind_run(nb::module_& module) {
  nb::class_<Recommender>(module, "Recommender", "Answers from a run, in the user's own ids.")
      .def_static("load", &load, nb::arg("path"), nb::arg("device"), nb::arg("threads"))
      .def("recommend", &recommend, nb::arg("users"), nb::arg("n"), nb::arg("leave_out"),
           nb::arg("cold"), nb::arg("items"), nb::arg("without"))
      .def("similar_items", &similar<Side::kItem>, nb::arg("item"), nb::arg("n"))
      .def("similar_users", &similar<Side::kUser>, nb::arg("user"), nb::arg("n"))
      .def(
          "score",
          [](Recommender& model, const std::string& user, const std::string& item) {
            const nb::gil_scoped_release release;
            return model.score(user, item);
          },
          nb::arg("user"), nb::arg("item"))
      .def_prop_ro("users", &ids<Side::kUser>)
      .def_prop_ro("items", &ids<Side::kItem>)
      .def_prop_ro("user_factors", &factors<Side::kUser>, nb::rv_policy::move)
      .def_prop_ro("item_factors", &factors<Side::kItem>, nb::rv_policy::move)
      .def_prop_ro("settings",
                   [](const Recommender& model) { return settings_of(model.config()); });
  module.def(
      "is_run", [](const std::string& path) { return Run::is_run(path); }, nb::arg("path"));
  module.def("write_report", &write_report, nb::arg("runs"), nb::arg("file"));
  module.def("train_run", &train_run, nb::arg("data"), nb::arg("config"), nb::arg("path"),
             nb::arg("overwrite"), nb::arg("on_epoch").none(), nb::arg("on_note").none(),
             nb::sig("def train_run(data: Dataset, config: Config, path: str, overwrite: bool, "
                     "on_epoch: collections.abc.Callable[[EpochRecord], bool] | None, on_note: "
                     "collections.abc.Callable[[str], None] | None) -> BaseException | None"));
}

}  // namespace tern::python
