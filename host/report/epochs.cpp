#include "host/report/epochs.hpp"

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "host/support/file_bytes.hpp"
#include "host/support/files.hpp"

namespace tern::report {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kMaxFileBytes = std::int64_t{1} << 32;
constexpr std::size_t kMaxLogLines = 40;

bool read_line(const std::string& text, EpochLine& line) {
  const Json record = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!record.is_object()) return false;
  const auto epoch = record.find("epoch");
  if (epoch == record.end() || !epoch->is_number_integer()) return false;
  line.epoch = epoch->get<int>();
  for (const auto& [key, value] : record.items()) {
    if (key == "best" && value.is_boolean()) line.best = value.get<bool>();
    if (value.is_number() && std::isfinite(value.get<double>())) {
      line.values[key] = value.get<double>();
    }
    if (key != "collapse" || !value.is_array()) continue;
    for (const Json& sentence : value) {
      if (sentence.is_string()) line.collapse.push_back(sentence.get<std::string>());
    }
  }
  return true;
}

std::istringstream open_text(const std::filesystem::path& file) {
  if (!is_there(file)) return std::istringstream();
  return std::istringstream(std::string(read_whole_file(file, kMaxFileBytes).view()));
}

}  // namespace

Epochs read_epochs(const std::filesystem::path& file) {
  Epochs epochs;
  std::istringstream stream = open_text(file);
  for (std::string text; std::getline(stream, text);) {
    EpochLine line;
    if (read_line(text, line)) {
      epochs.lines.push_back(std::move(line));
    } else {
      ++epochs.damaged;
    }
  }
  return epochs;
}

LogLines read_log(const std::filesystem::path& file) {
  LogLines log;
  bool in_beginning = true;
  std::istringstream stream = open_text(file);
  // "2026-01-31T12:00:00.000Z info    Text."
  for (std::string line; std::getline(stream, line);) {
    const std::size_t level = line.find(' ');
    if (level == std::string::npos) continue;
    const std::size_t text = line.find_first_not_of(' ', line.find(' ', level + 1));
    if (text == std::string::npos) continue;
    const std::string message = line.substr(text);
    if (message.starts_with("epoch ")) in_beginning = false;
    if (in_beginning && log.beginning.size() < kMaxLogLines) log.beginning.push_back(message);
    const bool is_warning = line.compare(level + 1, 7, "warning") == 0;
    if (is_warning && log.warnings.size() < kMaxLogLines) log.warnings.push_back(message);
  }
  return log;
}

}  // namespace tern::report
