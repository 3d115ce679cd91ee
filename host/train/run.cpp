#include "tern/run.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "tern/error.hpp"

namespace tern {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// Raised when a reader of today could misread a run of tomorrow.
constexpr int kFormatVersion = 1;
constexpr std::uintmax_t kMaxManifestBytes = 1 << 20;

constexpr char kConfigFile[] = "config.toml";
constexpr char kManifestFile[] = "run.json";
constexpr char kMetricsFile[] = "metrics.jsonl";
constexpr char kUsersFile[] = "users.tsv";
constexpr char kItemsFile[] = "items.tsv";
constexpr char kCheckpointFolder[] = "checkpoints";

/// What a run consists of, in the order in which it is removed: without a manifest it is no run.
std::vector<fs::path> run_files() {
  return {kManifestFile,
          kConfigFile,
          kMetricsFile,
          kUsersFile,
          kItemsFile,
          fs::path(kCheckpointFolder) / "best.safetensors",
          fs::path(kCheckpointFolder) / "last.safetensors"};
}

std::string hexadecimal(std::uint64_t value) {
  return fmt::format("{:016x}", value);
}

/// FNV-1a, 64 bits. Source: Fowler, Noll and Vo, draft-eastlake-fnv.
std::uint64_t hash_text(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325ull;
  for (const char byte : text) {
    hash ^= static_cast<unsigned char>(byte);
    hash *= 0x100000001B3ull;
  }
  return hash;
}

fs::path checkpoint_file(const fs::path& run, std::string_view name) {
  if (name != "best" && name != "last") {
    throw Error(fmt::format("a run has the checkpoints best and last, not \"{}\"", name));
  }
  return run / kCheckpointFolder / fmt::format("{}.safetensors", name);
}

void make_directories(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (!error && !fs::is_directory(path)) error = std::make_error_code(std::errc::not_a_directory);
  if (error) {
    throw Error(
        fmt::format("{}: the directory cannot be made: {}", path.string(), error.message()));
  }
}

void remove_run(const fs::path& path) {
  for (const fs::path& file : run_files()) {
    std::error_code error;
    fs::remove(path / file, error);
    if (error) {
      throw Error(
          fmt::format("{}: cannot be removed: {}", (path / file).string(), error.message()));
    }
  }
}

bool holds_run(const fs::path& path) {
  std::error_code ignored;
  for (const fs::path& file : run_files()) {
    if (fs::exists(fs::symlink_status(path / file, ignored))) return true;
  }
  return false;
}

std::string read_text(const fs::path& file) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(file, error);
  if (error) throw DataError(file.string(), 0, fmt::format("cannot be read: {}", error.message()));
  if (size > kMaxManifestBytes) {
    throw DataError(file.string(), 0,
                    fmt::format("has {} bytes, expected at most {}", size, kMaxManifestBytes));
  }
  std::string text(static_cast<std::size_t>(size), '\0');
  std::ifstream stream(file, std::ios::binary);
  if (!stream.read(text.data(), static_cast<std::streamsize>(size))) {
    throw DataError(file.string(), 0, "cannot be read");
  }
  return text;
}

/// The data fingerprint in a manifest.
std::uint64_t read_manifest(const fs::path& file) {
  const std::string text = read_text(file);
  const Json manifest = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto damaged = [&](std::string_view what) -> DataError {
    return {file.string(), 0, fmt::format("{}; the file is damaged", what)};
  };
  if (!manifest.is_object()) throw damaged("is not a JSON object");
  const auto version = manifest.find("format_version");
  if (version == manifest.end() || !version->is_number_integer()) {
    throw damaged("has no integer format_version");
  }
  if (*version != kFormatVersion) {
    throw DataError(file.string(), 0,
                    fmt::format("is of format version {}, this build reads version {}",
                                version->dump(), kFormatVersion));
  }
  const auto text_of = manifest.find("data_fingerprint");
  std::uint64_t fingerprint = 0;
  if (text_of == manifest.end() || !text_of->is_string()) throw damaged("has no data_fingerprint");
  const std::string digits = text_of->get<std::string>();
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), fingerprint, 16);
  if (error != std::errc() || end != digits.data() + digits.size() || digits.size() != 16) {
    throw damaged("has a data_fingerprint that is not 16 hexadecimal digits");
  }
  return fingerprint;
}

void add_monitors(Json& line, std::string_view side, const EmbeddingStatistics& statistics) {
  const auto add = [&](std::string_view name, double value) {
    line[fmt::format("{}_{}", side, name)] = value;
  };
  add("mean_norm", statistics.mean_norm);
  add("max_norm", statistics.max_norm);
  add("mean_cosine", statistics.mean_cosine);
  add("min_column_deviation", statistics.min_column_deviation);
  add("max_column_deviation", statistics.max_column_deviation);
  add("effective_rank", statistics.effective_rank);
}

/// Of all that a job with this configuration reads of the data.
std::uint64_t fingerprint_of(const Dataset& data, const Config& config) {
  if (!reads_features(config.model) || data.feature_fingerprint == 0) return data.fingerprint;
  return hash_text(hexadecimal(data.fingerprint) + hexadecimal(data.feature_fingerprint));
}

/// Throws DataError where the data names a node otherwise than the run does.
void compare_names(const fs::path& file, const Vocabulary& names) {
  const Vocabulary saved = Vocabulary::read(file);
  if (saved.size() != names.size()) {
    throw DataError(file.string(), 0,
                    fmt::format("has {} names, but the data has {}", saved.size(), names.size()));
  }
  for (NodeId id = 0; id < saved.size(); ++id) {
    if (saved.name(id) != names.name(id)) {
      throw DataError(file.string(), static_cast<std::int64_t>(id) + 1,
                      fmt::format("is \"{}\", but the data has \"{}\" in its place", saved.name(id),
                                  names.name(id)));
    }
  }
}

}  // namespace

Run Run::create(const fs::path& path, const Config& config, const Dataset& data,
                Overwrite overwrite) {
  if (holds_run(path)) {
    if (overwrite == Overwrite::kNo) {
      throw Error(fmt::format("{}: there is a run in this directory already", path.string()));
    }
    remove_run(path);
  }
  make_directories(path / kCheckpointFolder);
  Config resolved = config;
  if (!resolved.data_path.empty()) {
    resolved.data_path = fs::absolute(resolved.data_path).lexically_normal().string();
  }
  data.users.write(path / kUsersFile);
  data.items.write(path / kItemsFile);
  write_file_atomically(path / kConfigFile, write_config(resolved));
  // Last: a directory with a manifest is a whole run.
  const std::uint64_t fingerprint = fingerprint_of(data, resolved);
  const Json manifest{{"format_version", kFormatVersion},
                      {"data_fingerprint", hexadecimal(fingerprint)}};
  write_file_atomically(path / kManifestFile, manifest.dump() + "\n");
  return Run(path, std::move(resolved), fingerprint);
}

Run Run::open(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) {
    throw DataError(path.string(), 0, "is not a directory, expected that of a run");
  }
  for (const char* name : {kManifestFile, kConfigFile, kUsersFile, kItemsFile}) {
    if (!fs::is_regular_file(path / name, ignored)) {
      throw DataError(path.string(), 0,
                      fmt::format("is not the directory of a run: it has no {}", name));
    }
  }
  const std::uint64_t fingerprint = read_manifest(path / kManifestFile);
  Config config;
  try {
    read_config(config, path / kConfigFile);
    validate(config);
  } catch (const ConfigError& error) {
    throw DataError((path / kConfigFile).string(), 0, error.what());
  }
  return Run(path, std::move(config), fingerprint);
}

void Run::append(const EpochRecord& record) {
  Json line{{"epoch", record.epoch},       {"loss", record.loss},
            {"bpr_loss", record.bpr_loss}, {"l2_loss", record.l2_loss},
            {"seconds", record.seconds},   {"triplets_per_second", record.triplets_per_second}};
  if (record.metrics.has_value()) {
    line["best"] = record.best;
    for (const auto& [name, value] : *record.metrics) line[name] = value;
  }
  // Statistics of no rows mean that the monitors did not look.
  if (record.users.rows > 0) {
    line["evaluation_seconds"] = record.evaluation_seconds;
    add_monitors(line, "user", record.users);
    line["user_gradient_norm"] = record.user_gradient_norm;
    add_monitors(line, "item", record.items);
    line["item_gradient_norm"] = record.item_gradient_norm;
  }
  if (!record.collapse.empty()) line["collapse"] = record.collapse;
  const fs::path file = path_ / kMetricsFile;
  std::ofstream stream(file, std::ios::app | std::ios::binary);
  stream << line.dump() + "\n" << std::flush;  // dump() writes what is not finite as null
  if (!stream) throw Error(fmt::format("{}: cannot be written", file.string()));
}

namespace {

/// Of what decides the numbers: not of where the data lies (the fingerprint speaks for it), nor of
/// the threads, so that the same training on the same kind of device gives the same file.
std::uint64_t config_hash(Config config) {
  config.data_path.clear();
  config.threads = 0;
  return hash_text(write_config(config));
}

}  // namespace

void Run::write_checkpoint(std::string_view name, const TensorFile& parameters, int epoch) {
  const fs::path path = checkpoint_file(path_, name);
  TensorFile file = parameters;
  file.metadata["format_version"] = std::to_string(kFormatVersion);
  file.metadata["model"] = model_name(config_.model.kind);
  file.metadata["epoch"] = std::to_string(epoch);
  file.metadata["config_hash"] = hexadecimal(config_hash(config_));
  file.metadata["data_fingerprint"] = hexadecimal(fingerprint_);
  write_safetensors(path, file);
}

TensorFile Run::read_checkpoint(std::string_view name) const {
  const fs::path path = checkpoint_file(path_, name);
  TensorFile file = read_safetensors(path);
  // The hash of the configuration is for people: a device or a list of k may be edited later.
  const auto expect = [&](const char* key, std::string_view wanted) {
    const auto found = file.metadata.find(key);
    if (found == file.metadata.end()) {
      throw DataError(path.string(), 0, fmt::format("its metadata has no {}", key));
    }
    if (found->second != wanted) {
      throw DataError(
          path.string(), 0,
          fmt::format("its metadata says {} {}, expected {}", key, found->second, wanted));
    }
  };
  expect("format_version", std::to_string(kFormatVersion));
  expect("model", model_name(config_.model.kind));
  expect("data_fingerprint", hexadecimal(fingerprint_));
  return file;
}

Dataset Run::load_data() const {
  Dataset data = load_dataset(config_.data_path, config_.data);
  const std::uint64_t found = fingerprint_of(data, config_);
  if (found != fingerprint_) {
    throw DataError(config_.data_path, 0,
                    fmt::format("the data has changed since the run in {}: its fingerprint is {}, "
                                "expected {}",
                                path_.string(), hexadecimal(found), hexadecimal(fingerprint_)));
  }
  compare_names(path_ / kUsersFile, data.users);
  compare_names(path_ / kItemsFile, data.items);
  return data;
}

}  // namespace tern
