#include "host/run/tensorboard.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>

#include "host/run/event_file.hpp"
#include "host/run/metrics.hpp"
#include "host/run/projector.hpp"
#include "host/support/files.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::string_view kStem = "events.out.tfevents.";
constexpr std::string_view kEnd = ".tern";

/// The event files of the folder, oldest first, as TensorBoard reads them: by name.
std::vector<fs::path> event_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (fs::path& file : list_directory(folder)) {
    const std::string name = file.filename().string();
    if (name.starts_with(kStem) && name.ends_with(kEnd)) files.push_back(std::move(file));
  }
  std::sort(files.begin(), files.end());
  return files;
}

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// A name behind those of the files, even if the clock was set back.
fs::path next_file(const fs::path& folder, const std::vector<fs::path>& files, double seconds) {
  auto time = static_cast<std::int64_t>(seconds);
  if (!files.empty()) {
    const std::string last = files.back().filename().string();
    std::int64_t former = 0;
    std::from_chars(last.data() + kStem.size(), last.data() + last.size(), former);
    time = std::max(time, former);
  }
  return folder / fmt::format("{}{:010}.{:06}{}", kStem, time, files.size() + 1, kEnd);
}

std::string_view section_of(std::string_view key) {
  if (key == "loss" || key.ends_with("_loss")) return "loss";
  if (key.ends_with("seconds") || key.ends_with("_per_second")) return "speed";
  if (key.starts_with("user_") || key.starts_with("item_")) return "monitors";
  return "metrics";
}

/// The records of one line of the file of metrics.
std::string records_of(const std::string& line, double seconds) {
  const Json record = Json::parse(line);
  const auto epoch = record.at("epoch").get<std::int64_t>();
  std::vector<events::Scalar> values;
  std::string findings;
  for (const auto& [key, value] : record.items()) {
    if (key == "epoch") continue;
    if (value.is_number()) {
      values.push_back({fmt::format("{}/{}", section_of(key), key), value.get<double>()});
    } else if (value.is_array()) {
      for (const Json& sentence : value) {
        if (sentence.is_string()) findings += "- " + sentence.get<std::string>() + "\n";
      }
    }
  }
  std::string records = events::scalars(seconds, epoch, values);
  if (!findings.empty()) records += events::text(seconds, epoch, "collapse", findings);
  return records;
}

}  // namespace

void TensorBoardLog::append(const std::string& line, const fs::path& metrics,
                            const Config& config) {
  const double seconds = now();
  std::string records;
  fs::path file = file_;
  if (is_there(file)) {  // nobody has removed it
    records = records_of(line, seconds);
  } else {
    std::error_code error;
    fs::create_directories(folder_, error);  // if this fails, writing reports why
    const std::vector<fs::path> files = event_files(folder_);
    file = next_file(folder_, files, seconds);
    records = events::file_version(seconds);
    if (last_epoch_) records += events::restart(seconds, std::int64_t{*last_epoch_} + 1);
    records += events::hyperparameters(seconds, config);
    records +=
        events::text(seconds, 0, "configuration", "```toml\n" + write_config(config) + "```");
    if (files.empty()) {
      for (const std::string& past : read_metrics(metrics)) records += records_of(past, seconds);
    } else {
      records += records_of(line, seconds);
    }
  }
  append_to_file(file, records);
  file_ = std::move(file);
  last_epoch_.reset();
}

void TensorBoardLog::continue_after(int epoch) {
  file_.clear();
  last_epoch_ = epoch;
}

std::vector<fs::path> tensorboard_files(const fs::path& folder) {
  std::vector<fs::path> files = event_files(folder);
  for (const char* name : kProjectorFiles) {
    if (is_there(folder / name)) files.push_back(folder / name);
  }
  return files;
}

}  // namespace tern
