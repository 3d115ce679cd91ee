#pragma once

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

inline constexpr ModelKind kBothModels[] = {ModelKind::kLightGcn, ModelKind::kMatrixFactorization};

inline std::vector<double> values_of(const TensorFile& file, const std::string& name) {
  return std::get<std::vector<double>>(file.tensors.at(name).values);
}

inline bool same(const TensorFile& a, const TensorFile& b) {
  return values_of(a, "user_embedding") == values_of(b, "user_embedding") &&
         values_of(a, "item_embedding") == values_of(b, "item_embedding");
}

/// A trainer on the reference backend, and what it reported.
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
