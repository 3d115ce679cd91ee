#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "tern/device.hpp"
#include "tern/trainer.hpp"
#include "tests/train/planted.hpp"

namespace tern::test {

inline std::vector<double> values_of(const TensorFile& file, const std::string& name) {
  return std::get<std::vector<double>>(file.tensors.at(name).values);
}

/// Whether both hold the same tensors, bit for bit. Each is a TensorFile or a TrainingState.
template <typename One, typename Other>
testing::AssertionResult same(const One& a, const Other& b) {
  if (a.tensors.size() != b.tensors.size()) return testing::AssertionFailure() << "other tensors";
  for (const auto& [name, tensor] : a.tensors) {
    const auto found = b.tensors.find(name);
    if (found == b.tensors.end() || found->second.shape != tensor.shape ||
        found->second.values != tensor.values) {
      return testing::AssertionFailure() << name << " differs";
    }
  }
  return testing::AssertionSuccess();
}

/// The parameters after config.epochs epochs.
inline TensorFile trained_parameters(Backend& backend, const Dataset& data, const Config& config) {
  Trainer trainer(backend, data, config);
  trainer.run();
  return trainer.last();
}

/// The same, but one trainer makes the first `before` epochs, and another goes on from its state.
inline TensorFile resumed_parameters(Backend& backend, const Dataset& data, const Config& config,
                                     int before) {
  Config begin = config;
  begin.epochs = before;
  Trainer first(backend, data, begin);
  first.run();
  Trainer second(backend, data, config);
  second.restore(first.state(), "state");
  second.run();
  return second.last();
}

/// A trainer on the reference backend, and its reports.
struct Job {
  explicit Job(Dataset data_in = planted_dataset(), const Config& config_in = planted_config())
      : data(std::move(data_in)), config(config_in), trainer(*backend, data, config) {
    callbacks.on_epoch = [this](const EpochRecord& record) { records.push_back(record); };
    callbacks.on_note = [this](std::string_view note) { notes.emplace_back(note); };
  }

  TrainingResult run() { return trainer.run(callbacks); }

  std::unique_ptr<Backend> backend = make_reference_backend();
  Dataset data;
  Config config;
  Trainer trainer;
  TrainerCallbacks callbacks;
  std::vector<EpochRecord> records;
  std::vector<std::string> notes;
};

}  // namespace tern::test
