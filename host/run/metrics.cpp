#include "host/run/metrics.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>

#include "host/support/file_bytes.hpp"
#include "host/support/files.hpp"
#include "host/support/unique_fd.hpp"
#include "tern/error.hpp"
#include "tern/tensor_file.hpp"

namespace tern {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::int64_t kMaxMetricsBytes = std::int64_t{1} << 32;

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

/// The epoch of a line; none if the line is damaged.
std::optional<std::int64_t> epoch_of(const std::string& line) {
  const Json record = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!record.is_object() || !record.contains("epoch") || !record["epoch"].is_number_integer()) {
    return std::nullopt;
  }
  return record["epoch"].get<std::int64_t>();
}

}  // namespace

std::string metrics_line(const EpochRecord& record) {
  Json line{{"epoch", record.epoch}};
  const bool is_trained = !record.loss_name.empty();
  if (is_trained) {
    line["loss"] = record.loss;
    line[record.loss_name + "_loss"] = record.ranking_loss;
    line["l2_loss"] = record.l2_loss;
  }
  if (record.contrast_loss) line["contrast_loss"] = *record.contrast_loss;
  line["seconds"] = record.seconds;
  if (is_trained) line["triplets_per_second"] = record.triplets_per_second;
  if (record.metrics.has_value()) {
    line["best"] = record.best;
    for (const auto& [name, value] : *record.metrics) line[name] = value;
  }
  // Without rows: the monitors did not check this epoch.
  if (record.users.rows > 0) {
    line["evaluation_seconds"] = record.evaluation_seconds;
    add_monitors(line, "user", record.users);
    line["user_gradient_norm"] = record.user_gradient_norm;
    add_monitors(line, "item", record.items);
    line["item_gradient_norm"] = record.item_gradient_norm;
  }
  if (!record.collapse.empty()) line["collapse"] = record.collapse;
  return line.dump() + "\n";  // dump() writes numbers that are not finite as null
}

std::vector<std::string> read_metrics(const fs::path& file) {
  std::vector<std::string> lines;
  if (!is_there(file)) return lines;
  std::istringstream stream(std::string(read_whole_file(file, kMaxMetricsBytes).view()));
  for (std::string line; std::getline(stream, line) && epoch_of(line);) lines.push_back(line);
  return lines;
}

void truncate_metrics(const fs::path& file, int epoch) {
  if (!is_there(file)) return;
  const std::string text(read_whole_file(file, kMaxMetricsBytes).view());
  std::string kept;
  for (const std::string& line : read_metrics(file)) {
    if (*epoch_of(line) > epoch) break;
    kept += line + "\n";
  }
  if (kept != text) write_file_atomically(file, kept);
}

void sync_metrics(const fs::path& file) {
  const UniqueFd opened(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  if (!opened.valid() || ::fsync(opened.get()) == 0) return;  // no epoch may be finished yet
  throw Error(fmt::format("{}: cannot be synced to disk: {}", file.string(),
                          std::generic_category().message(errno)));
}

}  // namespace tern
