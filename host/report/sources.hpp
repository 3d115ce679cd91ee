#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/report/epochs.hpp"
#include "host/train/item_scorer.hpp"
#include "tern/config.hpp"
#include "tern/dataset.hpp"
#include "tern/run.hpp"

namespace tern::report {

/// What a page needs of one run.
struct Source {
  std::filesystem::path path;
  std::string name;  // as the page shows it, short and different for every run
  Config config;
  std::vector<std::string> notes;  // on its configuration
  Epochs epochs;
  LogLines log;
  std::string build;  // of the program that trained it, if known
  /// The final embeddings of the best epoch, or of the last one without a best; a scorer if the model was fitted. Neither
  /// if the run has no checkpoint yet.
  std::optional<FinalEmbeddings> embeddings;
  std::unique_ptr<ItemScorer> scorer;
  bool has_best = false;

  bool is_fitted() const { return tern::is_fitted(config.model.kind); }
  bool has_model() const { return embeddings || scorer; }
};

struct Sources {
  std::unique_ptr<const Dataset> data;  // the first run's, which all have; scorers refer to it
  std::vector<Source> runs;
};

/// Opens the runs. Throws DataError if one is damaged, or if its data differs from that of the first.
Sources open_sources(std::span<const std::filesystem::path> runs, Backend& backend);

}  // namespace tern::report
