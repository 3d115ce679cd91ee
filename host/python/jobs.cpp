#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/python/listener.hpp"
#include "host/python/module.hpp"
#include "host/python/training.hpp"
#include "host/run/complete_run.hpp"
#include "host/run/fitting.hpp"
#include "host/run/job_description.hpp"
#include "host/run/resume.hpp"
#include "host/support/clock.hpp"
#include "host/train/fitted_model.hpp"
#include "tern/device.hpp"
#include "tern/run.hpp"
#include "tern/trainer.hpp"

namespace nb = nanobind;

// Jobs in a run directory: the program's, from host/run, with a listener instead of its console.

namespace tern::python {
namespace {

constexpr ResumeWords kWords{"resume", "directory", "tern.train(overwrite=True)", "train.epochs ="};

FitResult fit(const Dataset& data, const Config& config, Listener& listener) {
  const Clock::time_point begin = Clock::now();
  const std::unique_ptr<ItemScorer> scorer = fit_model(data, config, listener.progress());
  return measure_fit(*scorer, data, config, seconds_since(begin));
}

/// What the program writes at the beginning of a log: the findings in the data, the model and the device.
void note_job(const Dataset& data, const Config& config, const Backend& backend,
              Listener& listener) {
  for (const std::string& note : data.notes) listener.note(note);
  listener.note(describe_job(config, backend));
}

void train_in(Run& run, Backend& backend, Trainer& trainer, Listener& listener) {
  listener.run(run, trainer);
  write_embeddings(run, backend, trainer.model(), listener.log());
}

/// A new run, by the steps of the program's `train`.
void begin_run(const Dataset& data, const Config& config, const std::string& path,
               Run::Overwrite overwrite, Listener& listener) {
  if (is_fitted(config.model.kind)) {
    expect_fittable(data, config);
    Run::expect_room_for_run(path, overwrite);
    check_fitted_space(path, config, data, array_bytes(data, config.model));
    note_job(data, config, *make_cpu_backend(config.threads), listener);
    FitResult fitted = fit(data, config, listener);
    Run run = Run::create(path, config, data, overwrite);
    listener.open_log(run.log_file());
    write_fit(run, std::move(fitted));
    return;
  }
  const std::unique_ptr<Backend> backend = backend_for(config, listener);
  note_job(data, config, *backend, listener);
  Trainer trainer(*backend, data, config);
  check_space(path, config, data, trainer.state_bytes());
  Run run = Run::create(path, config, data, overwrite);
  listener.open_log(run.log_file());
  train_in(run, *backend, trainer, listener);
}

/// Fits the model of a run that lacks it, as after a full disk.
void resume_fit(Run& run, Config config, const Dataset& data, Listener& listener) {
  const JobLog log = listener.log();
  if (has_whole_fit(run, log)) return note_whole_fit(run.config(), config, log, kWords);
  fit_ks(config, data, listener);
  note_job(data, config, *make_cpu_backend(config.threads), listener);
  FitResult fitted = fit(data, config, listener);
  run.forget_after({.epoch = -1});  // all metrics
  run.set_config(config);
  write_fit(run, std::move(fitted));
}

void resume_run(Run& run, Config config, Listener& listener) {
  const JobLog log = listener.log();
  const std::vector<ConfigDifference> changes = allowed_changes(run.config(), config, kWords);
  const Dataset data = run.load_data();
  if (!run.holds_data()) run.keep_data(data);
  if (is_fitted(config.model.kind)) return resume_fit(run, std::move(config), data, listener);
  const std::unique_ptr<Backend> backend = backend_for(config, listener);
  std::optional<Run::SavedState> state;
  const Finished finished = how_finished(run, config, changes, log, state, kWords);
  if (finished != Finished::kNo) {
    log.note(finished == Finished::kCollapse
                 ? "nothing to do: the embeddings had collapsed, and monitor.on_collapse is stop"
                 : fmt::format("nothing to do: the run has {} epochs, train.epochs is {}",
                               state->state.progress.epoch, config.epochs));
    return complete_embeddings(run, *backend, data, log);
  }
  fit_ks(config, data, listener);
  note_job(data, config, *backend, listener);
  Trainer trainer(*backend, data, config);
  if (!state) state = load_state(run, changes, log, kWords);
  resume_training(run, trainer, state ? &*state : nullptr, changes, log);
  state.reset();  // its memory
  run.set_config(config);
  train_in(run, *backend, trainer, listener);
}

nb::object train_new(const Dataset& data, Config config, const std::string& path, bool overwrite,
                     nb::object on_epoch, nb::object on_note, nb::object on_warning) {
  Listener listener(std::move(on_epoch), std::move(on_note), std::move(on_warning));
  {
    const nb::gil_scoped_release release;
    fit_ks(config, data, listener);
    begin_run(data, config, path, overwrite ? Run::Overwrite::kYes : Run::Overwrite::kNo, listener);
  }
  return listener.error();
}

nb::object train_on(const std::string& path, Config config, nb::object on_epoch, nb::object on_note,
                    nb::object on_warning) {
  Listener listener(std::move(on_epoch), std::move(on_note), std::move(on_warning));
  {
    const nb::gil_scoped_release release;
    Run run = Run::resume(path);
    listener.open_log(run.log_file());
    resume_run(run, std::move(config), listener);
  }
  return listener.error();
}

}  // namespace

void bind_jobs(nb::module_& module) {
  module.def(
      "is_run", [](const std::string& path) { return Run::is_run(path); }, nb::arg("path"));
  module.def(
      "run_config", [](const std::string& path) { return Run::open(path).config(); },
      nb::arg("path"));
  module.def("train_run", &train_new, nb::arg("data"), nb::arg("config"), nb::arg("path"),
             nb::arg("overwrite"), nb::arg("on_epoch").none(), nb::arg("on_note").none(),
             nb::arg("on_warning").none(),
             nb::sig("def train_run(data: Dataset, config: Config, path: str, overwrite: bool, "
                     "on_epoch: collections.abc.Callable[[EpochRecord], bool] | None, on_note: "
                     "collections.abc.Callable[[str], None] | None, on_warning: "
                     "collections.abc.Callable[[str], None] | None) -> BaseException | None"));
  module.def("resume_run", &train_on, nb::arg("path"), nb::arg("config"),
             nb::arg("on_epoch").none(), nb::arg("on_note").none(), nb::arg("on_warning").none(),
             nb::sig("def resume_run(path: str, config: Config, "
                     "on_epoch: collections.abc.Callable[[EpochRecord], bool] | None, on_note: "
                     "collections.abc.Callable[[str], None] | None, on_warning: "
                     "collections.abc.Callable[[str], None] | None) -> BaseException | None"));
}

}  // namespace tern::python
