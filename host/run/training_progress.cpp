#include "host/run/training_progress.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <concepts>
#include <limits>
#include <optional>
#include <system_error>

#include "tern/error.hpp"

namespace tern {
namespace {

using Metadata = std::map<std::string, std::string>;

constexpr char kNone[] = "none";

/// The shortest text that gives the same number again.
std::string text_of(double value) {
  return fmt::format("{}", value);
}

class Reader {
 public:
  Reader(const Metadata& metadata, std::string_view file) : metadata_(metadata), file_(file) {}

  template <typename Number>
  Number number(const std::string& key) const {
    const std::string& text = text_at(key);
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) fail(key, text, "a number");
    return value;
  }

  template <typename Number>
  Number count(const std::string& key) const {
    const auto value = number<Number>(key);
    if (value < 0) fail(key, text_at(key), "0 or more");
    return value;
  }

  double finite(const std::string& key) const {
    const auto value = number<double>(key);
    if (!std::isfinite(value)) fail(key, text_at(key), "a finite number");
    return value;
  }

  std::optional<double> optional(const std::string& key) const {
    if (text_at(key) == kNone) return std::nullopt;
    return finite(key);
  }

  [[noreturn]] void fail(const std::string& key, const std::string& found,
                         std::string_view expected) const {
    throw DataError(file_, 0,
                    fmt::format("its metadata says {} \"{}\", expected {}", key,
                                found.substr(0, 60), expected));
  }

 private:
  const std::string& text_at(const std::string& key) const {
    const auto found = metadata_.find(key);
    if (found == metadata_.end()) {
      throw DataError(file_, 0, fmt::format("its metadata has no {}", key));
    }
    return found->second;
  }

  const Metadata& metadata_;
  std::string_view file_;
};

}  // namespace

void write_progress(const TrainingProgress& progress, Metadata& metadata) {
  metadata["epoch"] = std::to_string(progress.epoch);
  metadata["step"] = std::to_string(progress.step);
  metadata["steps"] = std::to_string(progress.steps);
  metadata["updates"] = std::to_string(progress.updates);
  metadata["best_epoch"] = std::to_string(progress.best_epoch);
  metadata["selected_epoch"] = std::to_string(progress.selected_epoch);
  metadata["best_metric"] = progress.best_metric ? text_of(*progress.best_metric) : kNone;
  metadata["since_best"] = std::to_string(progress.since_best);
  metadata["collapse_explained"] = std::to_string(progress.collapse_explained ? 1 : 0);
  metadata["rollbacks"] = std::to_string(progress.rollbacks);
  metadata["seconds"] = text_of(progress.seconds);
  metadata["user_gradient_norm"] = text_of(progress.user_gradient_norm);
  metadata["item_gradient_norm"] = text_of(progress.item_gradient_norm);
}

TrainingProgress read_progress(const Metadata& metadata, std::string_view file) {
  const Reader read(metadata, file);
  TrainingProgress progress;
  progress.epoch = read.count<int>("epoch");
  progress.step = read.count<std::int64_t>("step");
  progress.steps = read.count<std::int64_t>("steps");
  progress.updates = read.count<std::int64_t>("updates");
  progress.best_epoch = read.count<int>("best_epoch");
  progress.selected_epoch = read.count<int>("selected_epoch");
  progress.best_metric = read.optional("best_metric");
  progress.since_best = read.count<int>("since_best");
  progress.collapse_explained = read.count<int>("collapse_explained") != 0;
  progress.rollbacks = read.count<int>("rollbacks");
  progress.seconds = read.finite("seconds");
  progress.user_gradient_norm = read.number<double>("user_gradient_norm");
  progress.item_gradient_norm = read.number<double>("item_gradient_norm");
  if (progress.epoch == std::numeric_limits<int>::max()) {
    read.fail("epoch", metadata.at("epoch"), "fewer");
  }
  if (progress.step > progress.steps) {
    read.fail("step", metadata.at("step"), "at most " + metadata.at("steps"));
  }
  constexpr std::int64_t kMaxUpdates = std::int64_t{1} << 60;  // so that counting on is safe
  if (progress.updates > kMaxUpdates) read.fail("updates", metadata.at("updates"), "fewer");
  if (progress.best_epoch > progress.epoch) {
    read.fail("best_epoch", metadata.at("best_epoch"), "at most " + metadata.at("epoch"));
  }
  return progress;
}

std::int64_t read_count(const Metadata& metadata, const std::string& key, std::string_view file) {
  return Reader(metadata, file).count<std::int64_t>(key);
}

}  // namespace tern
