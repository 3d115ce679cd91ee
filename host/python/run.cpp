#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "host/config/keys.hpp"
#include "host/python/arrays.hpp"
#include "host/python/listener.hpp"
#include "host/python/module.hpp"
#include "tern/recommender.hpp"
#include "tern/report.hpp"
#include "tern/tensor_file.hpp"

namespace nb = nanobind;

namespace tern::python {
namespace {

using ScoredIds = std::vector<std::pair<std::string, float>>;

/// Users between two checks for a signal. A part takes the user embeddings along, which many users pay for.
constexpr std::ptrdiff_t kUsersAtOnce = 2048;

ScoredIds pairs_of(const std::vector<ScoredId>& list) {
  ScoredIds pairs;
  pairs.reserve(list.size());
  for (const auto& [id, score] : list) pairs.emplace_back(id, score);
  return pairs;
}

RecommendOptions options_of(std::int64_t n, bool leave_out, bool cold,
                            const std::vector<std::string>& items,
                            const std::vector<std::string>& without) {
  RecommendOptions options;
  options.n = n;
  options.seen = leave_out ? SeenItems::kLeaveOut : SeenItems::kList;
  options.cold = cold ? ColdNodes::kList : ColdNodes::kLeaveOut;
  options.items = items;
  options.without = without;
  return options;
}

std::vector<ScoredIds> recommend(Recommender& model, const std::vector<std::string>& users,
                                 std::int64_t n, bool leave_out, bool cold,
                                 const std::vector<std::string>& items,
                                 const std::vector<std::string>& without) {
  const nb::gil_scoped_release release;
  const RecommendOptions options = options_of(n, leave_out, cold, items, without);
  std::vector<ScoredIds> lists;
  lists.reserve(users.size());
  const auto is_unknown = [&](const std::string& user) {
    return !model.ids(Side::kUser).find(user);
  };
  const auto unknown = std::ranges::find_if(users, is_unknown);
  if (unknown != users.end())
    model.recommend(*unknown, options);  // throws, before others are ranked
  SignalWatch signals;
  for (auto next = users.begin(); next != users.end(); signals.check()) {
    const auto end = next + std::min<std::ptrdiff_t>(kUsersAtOnce, users.end() - next);
    for (const Recommendations& list : model.recommend_each({next, end}, options)) {
      lists.push_back(pairs_of(list.items));
    }
    next = end;
  }
  return lists;
}

/// users: (id, items) of each.
std::vector<ScoredIds> recommend_new(
    Recommender& model, const std::vector<std::pair<std::string, std::vector<std::string>>>& users,
    std::int64_t n, bool leave_out, bool cold, const std::vector<std::string>& items,
    const std::vector<std::string>& without, nb::object on_note) {
  Listener listener(nb::none(), std::move(on_note));
  const nb::gil_scoped_release release;
  std::vector<NewUser> wanted;
  wanted.reserve(users.size());
  for (const auto& [id, history] : users) wanted.push_back({id, history});
  std::vector<ScoredIds> lists;
  for (const Recommendations& list :
       model.recommend_new(wanted, options_of(n, leave_out, cold, items, without),
                           [&](std::string_view text) { listener.note(text); })) {
    lists.push_back(pairs_of(list.items));
  }
  return lists;
}

using MetricsByName = std::map<std::string, double>;
using BaselinesByName = std::map<std::string, std::optional<MetricsByName>>;

MetricsByName by_name(const Metrics& metrics) {
  return {metrics.begin(), metrics.end()};
}

std::pair<MetricsByName, BaselinesByName> evaluate(Recommender& model, bool on_test,
                                                   const std::vector<int>& ks, bool cold,
                                                   std::optional<double> ease_l2,
                                                   nb::object on_note) {
  Listener listener(nb::none(), std::move(on_note));
  SignalWatch signals;
  const nb::gil_scoped_release release;
  ModelEvaluationOptions options;
  options.split = on_test ? SelectionSplit::kTest : SelectionSplit::kValid;
  options.ks = ks;
  options.cold = cold;
  if (ease_l2) options.baselines = EaseOptions{.l2 = *ease_l2};
  options.note = [&](std::string_view text) { listener.note(text); };
  options.progress = [&](std::string_view) { signals.check(); };
  const ModelEvaluation found = model.evaluate(options);
  BaselinesByName baselines;
  for (const auto& [name, metrics] : found.baselines) {
    baselines[name] = metrics ? std::optional(by_name(*metrics)) : std::nullopt;
  }
  return {by_name(found.metrics), std::move(baselines)};
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

using TableView = nb::ndarray<nb::numpy, const float, nb::ndim<2>>;

/// A view that keeps the model alive; a copy only of f64, which is rounded.
template <Side kSide>
TableView factors(nb::handle_t<Recommender> self) {
  const Tensor& table = nb::cast<const Recommender&>(self).embeddings(kSide);
  const auto rows = static_cast<std::size_t>(table.shape.at(0));
  const auto columns = static_cast<std::size_t>(table.shape.at(1));
  if (const auto* values = std::get_if<std::vector<float>>(&table.values)) {
    return {values->data(), {rows, columns}, self};
  }
  auto rounded = std::make_unique<std::vector<float>>(in_f32(table));
  const float* data = rounded->data();
  return {data, {rows, columns}, owner_of(std::move(rounded))};
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
      .def("recommend_new", &recommend_new, nb::arg("users"), nb::arg("n"), nb::arg("leave_out"),
           nb::arg("cold"), nb::arg("items"), nb::arg("without"), nb::arg("on_note").none(),
           nb::sig("def recommend_new(self, users: collections.abc.Sequence[tuple[str, "
                   "collections.abc.Sequence[str]]], n: int, leave_out: bool, cold: bool, items: "
                   "collections.abc.Sequence[str], without: collections.abc.Sequence[str], "
                   "on_note: collections.abc.Callable[[str], None] | None) -> "
                   "list[list[tuple[str, float]]]"))
      .def("evaluate", &evaluate, nb::arg("on_test"), nb::arg("ks"), nb::arg("cold"),
           nb::arg("ease_l2").none(), nb::arg("on_note").none(),
           nb::sig("def evaluate(self, on_test: bool, ks: collections.abc.Sequence[int], cold: "
                   "bool, ease_l2: float | None, on_note: collections.abc.Callable[[str], None] | "
                   "None) -> tuple[dict[str, float], dict[str, dict[str, float] | None]]"),
           "(metrics, baselines), by name.")
      .def(
          "export_to",
          [](Recommender& model, const std::string& folder, const std::string& format) {
            const nb::gil_scoped_release release;
            model.export_to(folder, format);
          },
          nb::arg("folder"), nb::arg("format"))
      .def_prop_ro("checkpoint", &Recommender::checkpoint)
      .def_prop_ro("epoch", &Recommender::epoch)
      .def("similar_items", &similar<Side::kItem>, nb::arg("item"), nb::arg("n"))
      .def("similar_users", &similar<Side::kUser>, nb::arg("user"), nb::arg("n"))
      .def(
          "score",
          [](Recommender& model, const std::string& user, const std::string& item) {
            const nb::gil_scoped_release release;
            return model.score(user, item);
          },
          nb::arg("user"), nb::arg("item"))
      .def(
          "score_each",
          [](Recommender& model, const std::vector<std::pair<std::string, std::string>>& pairs) {
            const nb::gil_scoped_release release;
            return model.score_each(pairs);
          },
          nb::arg("pairs"))
      .def_prop_ro("users", &ids<Side::kUser>)
      .def_prop_ro("items", &ids<Side::kItem>)
      .def_prop_ro("user_factors", &factors<Side::kUser>)
      .def_prop_ro("item_factors", &factors<Side::kItem>)
      .def_prop_ro("settings",
                   [](const Recommender& model) { return settings_of(model.config()); });
  module.def("write_report", &write_report, nb::arg("runs"), nb::arg("file"));
}

}  // namespace tern::python
