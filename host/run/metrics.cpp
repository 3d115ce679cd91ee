#include "host/run/metrics.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
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

/// Appends one line, whole or not at all.
void append_line(const fs::path& file, const std::string& line) {
  const UniqueFd out(
      ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0666));
  struct stat before {};
  const bool opened = out.valid() && ::fstat(out.get(), &before) == 0;
  const ssize_t written = opened ? ::write(out.get(), line.data(), line.size()) : -1;
  if (written == static_cast<ssize_t>(line.size())) return;
  const int reason = written < 0 ? errno : ENOSPC;
  if (written > 0 && ::ftruncate(out.get(), before.st_size) != 0) {
    errno = 0;  // the next resume removes the partial line
  }
  throw Error(fmt::format("{}: cannot be written: {}", file.string(),
                          std::generic_category().message(reason)));
}

}  // namespace

void append_metrics(const fs::path& file, const EpochRecord& record) {
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
  append_line(file, line.dump() + "\n");  // dump() writes numbers that are not finite as null
}

void truncate_metrics(const fs::path& file, int epoch) {
  if (!is_there(file)) return;
  const std::string text(read_whole_file(file, kMaxMetricsBytes).view());
  std::istringstream stream(text);
  std::string kept;
  for (std::string line; std::getline(stream, line);) {
    const Json record = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!record.is_object() || !record.contains("epoch") || !record["epoch"].is_number_integer() ||
        record["epoch"].get<std::int64_t>() > epoch) {
      break;
    }
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
