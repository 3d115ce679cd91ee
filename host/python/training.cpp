#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <fmt/format.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "host/backend/device.hpp"
#include "host/python/arrays.hpp"
#include "host/python/listener.hpp"
#include "host/python/module.hpp"
#include "host/python/training.hpp"
#include "host/serve/final_tables.hpp"
#include "host/train/metric_sums.hpp"
#include "tern/trainer.hpp"

namespace nb = nanobind;

namespace tern::python {
namespace {

/// A trained model's final embeddings, and how its training ended.
struct Trained {
  nb::object users;
  nb::object items;
  TrainingResult result;
};

/// And the exception that ended the training, or None. It is not kept in the result, because it refers to the
/// caller's frame, and so to the result, in a circle that the collector of garbage would not see.
std::pair<Trained, nb::object> train_factors(const Dataset& data, Config config,
                                             nb::object on_epoch, nb::object on_note) {
  Listener listener(std::move(on_epoch), std::move(on_note));
  Trained trained;
  FinalEmbeddings embeddings;
  {
    const nb::gil_scoped_release release;
    const std::unique_ptr<Backend> backend = backend_for(config, listener);
    fit_ks(config, data, listener);
    Trainer trainer(*backend, data, config);
    trained.result = listener.run(trainer);
    embeddings = final_embeddings(trainer, TrainedParameters::kBest);
  }
  trained.users = nb::cast(to_numpy(std::move(embeddings.users)));
  trained.items = nb::cast(to_numpy(std::move(embeddings.items)));
  return {std::move(trained), listener.error()};
}

std::optional<std::map<std::string, double>> metrics_of(const EpochRecord& record) {
  if (!record.metrics) return std::nullopt;
  return std::map<std::string, double>(record.metrics->begin(), record.metrics->end());
}

}  // namespace

std::unique_ptr<Backend> backend_for(const Config& config, Listener& listener) {
  std::string notice;
  std::unique_ptr<Backend> backend =
      make_program_backend(config.device, config.threads, &notice, config.reproducibility);
  if (!notice.empty()) listener.note(notice);
  return backend;
}

void fit_ks(Config& config, const Dataset& data, Listener& listener) {
  const NodeId items = data.items.size();
  if (!shorten_default_ks(config, items)) return;
  listener.note(fmt::format("The data has only {} items: metrics are of lists of {}.", items,
                            config.evaluation.ks.back()));
}

void bind_training(nb::module_& module) {
  nb::class_<EpochRecord>(module, "EpochRecord", "The results of one epoch.")
      .def_ro("epoch", &EpochRecord::epoch, "From 1.")
      .def_ro("loss", &EpochRecord::loss, "Mean over batches of all terms.")
      .def_ro("ranking_loss", &EpochRecord::ranking_loss)
      .def_ro("l2_loss", &EpochRecord::l2_loss)
      .def_ro("contrast_loss", &EpochRecord::contrast_loss)
      .def_ro("seconds", &EpochRecord::seconds, "Of training, without evaluation.")
      .def_ro("evaluation_seconds", &EpochRecord::evaluation_seconds)
      .def_ro("best", &EpochRecord::best, "The best so far by the chosen metric.")
      .def_ro("user_gradient_norm", &EpochRecord::user_gradient_norm)
      .def_ro("item_gradient_norm", &EpochRecord::item_gradient_norm)
      .def_ro("collapse", &EpochRecord::collapse, "A sentence for each sign of a collapse.")
      .def_prop_ro("metrics", &metrics_of, "By name, if this epoch was evaluated.");
  nb::class_<Trained>(module, "Trained", "A trained model, and how its training ended.")
      .def_prop_ro(
          "user_factors", [](const Trained& self) { return nb::cast<NumpyTable>(self.users); },
          "(users, width)")
      .def_prop_ro(
          "item_factors", [](const Trained& self) { return nb::cast<NumpyTable>(self.items); },
          "(items, width)")
      .def_prop_ro("epochs", [](const Trained& self) { return self.result.epochs; })
      .def_prop_ro(
          "best_epoch", [](const Trained& self) { return self.result.best_epoch; },
          "The last one without interactions for validation.");
  module.def(
      "train_factors", &train_factors, nb::arg("data"), nb::arg("config"),
      nb::arg("on_epoch").none(), nb::arg("on_note").none(),
      nb::sig(
          "def train_factors(data: Dataset, config: Config, on_epoch: "
          "collections.abc.Callable[[EpochRecord], bool] | None, on_note: "
          "collections.abc.Callable[[str], None] | None) -> tuple[Trained, BaseException | None]"));
}

}  // namespace tern::python
