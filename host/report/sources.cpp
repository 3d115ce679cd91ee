#include "host/report/sources.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "host/run/manifest.hpp"
#include "host/serve/final_tables.hpp"
#include "host/support/files.hpp"
#include "host/support/hash.hpp"
#include "host/train/fitted_model.hpp"
#include "tern/error.hpp"
#include "tern/tensor_file.hpp"

namespace tern::report {
namespace {

namespace fs = std::filesystem;

std::string sizes_of(const Dataset& data) {
  return fmt::format("{} users, {} items, {} + {} + {} interactions to train, validate and test",
                     data.users.size(), data.items.size(), data.train.size(), data.valid.size(),
                     data.test.size());
}

bool same_names(const Vocabulary& a, const Vocabulary& b) {
  if (a.size() != b.size()) return false;
  for (NodeId id = 0; id < a.size(); ++id) {
    if (a.name(id) != b.name(id)) return false;
  }
  return true;
}

void expect_same_data(const Dataset& data, const fs::path& path, const Dataset& first,
                      const fs::path& first_path) {
  const bool same_splits =
      data.train == first.train && data.valid == first.valid && data.test == first.test;
  if (same_splits && same_names(data.users, first.users) && same_names(data.items, first.items)) {
    return;
  }
  const std::string found = sizes_of(data);
  const std::string expected = sizes_of(first);
  const std::string but =
      found != expected
          ? ""
          : fmt::format("; as many, but {} (fingerprints {} and {})",
                        same_splits ? "with other ids" : "not the same",
                        hexadecimal(data.fingerprint), hexadecimal(first.fingerprint));
  throw DataError(path.string(), 0,
                  fmt::format("a report compares runs of the same data: found {}, but {} has {}{}",
                              found, first_path.string(), expected, but));
}

std::string build_of(const fs::path& file) {
  if (!is_there(file)) return "";
  const auto metadata = read_safetensors_metadata(file);
  const auto found = metadata.find("build");
  return found == metadata.end() ? "" : found->second;
}

/// data: the run's own, with the features that its model reads. kept: the same interactions, which outlive the source.
Source open_source(const Run& run, const Dataset& data, const Dataset& kept, Backend& backend) {
  Source source;
  source.path = run.path();
  source.config = run.config();
  source.notes = run.config_notes();
  source.epochs = read_epochs(run.path() / kMetricsFile);
  source.log = read_log(run.log_file());
  if (source.is_fitted()) {
    if (!run.has_fitted()) return source;
    source.build = build_of(run.fitted_path());
    source.scorer =
        restore_model(kept, run.config(), run.read_fitted(), run.fitted_path().string());
    return source;
  }
  source.build = build_of(run.path() / kEmbeddingsFile);
  const bool has_checkpoint = run.newest_place().has_value() || run.has_embeddings("best");
  if (!has_checkpoint) return source;
  source.has_best = run.has_best();
  source.embeddings = best_embeddings(run, data, backend);
  return source;
}

/// The last part of each path, or whole paths if two are alike.
void name_sources(std::vector<Source>& sources) {
  const auto short_name = [](const fs::path& path) {
    const fs::path whole = fs::absolute(path).lexically_normal();
    return (whole.has_filename() ? whole : whole.parent_path()).filename().string();
  };
  bool repeats = false;
  for (Source& source : sources) {
    source.name = short_name(source.path);
    repeats |= std::ranges::count(sources, source.name, &Source::name) > 1;
  }
  if (!repeats) return;
  for (Source& source : sources) source.name = source.path.string();
}

}  // namespace

Sources open_sources(std::span<const fs::path> runs, Backend& backend) {
  Sources sources;
  for (const fs::path& path : runs) {
    const Run run = Run::open(path);
    auto data = std::make_unique<const Dataset>(run.load_data());
    if (sources.data == nullptr) {
      sources.data = std::move(data);
      sources.runs.push_back(open_source(run, *sources.data, *sources.data, backend));
    } else {
      expect_same_data(*data, path, *sources.data, sources.runs.front().path);
      sources.runs.push_back(open_source(run, *data, *sources.data, backend));
    }
  }
  name_sources(sources.runs);
  return sources;
}

}  // namespace tern::report
