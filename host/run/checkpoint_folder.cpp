#include "host/run/checkpoint_folder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>
#include <tuple>

#include "host/run/checkpoint.hpp"
#include "host/support/atomic_file.hpp"
#include "host/support/files.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStateStem = "epoch-";
constexpr std::string_view kBestStem = "best-";
constexpr std::string_view kStepInfix = "-step-";
constexpr std::string_view kExtension = ".safetensors";
constexpr std::string_view kAside = ".aside";

/// Removes a number from the front of the text; nothing if it does not begin with one.
template <typename Number>
std::optional<Number> take_number(std::string_view& text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value < 0) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

std::optional<CheckpointFolder::Entry> parse(const fs::path& path, std::string_view stem) {
  const std::string name = path.filename().string();
  std::string_view rest = name;
  if (!rest.starts_with(stem) || !rest.ends_with(kExtension)) return std::nullopt;
  rest.remove_prefix(stem.size());
  rest.remove_suffix(kExtension.size());
  const auto epoch = take_number<int>(rest);
  if (!epoch) return std::nullopt;
  CheckpointFolder::Entry entry{path, *epoch, 0};
  if (rest.starts_with(kStepInfix)) {
    rest.remove_prefix(kStepInfix.size());
    const auto step = take_number<std::int64_t>(rest);
    if (!step) return std::nullopt;
    entry.step = *step;
  }
  if (!rest.empty()) return std::nullopt;
  return entry;
}

}  // namespace

std::vector<CheckpointFolder::Entry> CheckpointFolder::entries(std::string_view stem) const {
  std::vector<Entry> found;
  for (const fs::path& path : list_directory(path_)) {
    if (std::optional<Entry> entry = parse(path, stem)) found.push_back(std::move(*entry));
  }
  std::sort(found.begin(), found.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.epoch, a.step) > std::tie(b.epoch, b.step);
  });
  return found;
}

std::vector<CheckpointFolder::Entry> CheckpointFolder::states() const {
  return entries(kStateStem);
}

std::vector<CheckpointFolder::Entry> CheckpointFolder::bests() const {
  return entries(kBestStem);
}

fs::path CheckpointFolder::state_path(int epoch, std::int64_t step) const {
  const std::string within = step > 0 ? fmt::format("{}{:06}", kStepInfix, step) : "";
  return path_ / fmt::format("{}{:06}{}{}", kStateStem, epoch, within, kExtension);
}

fs::path CheckpointFolder::best_path(int epoch) const {
  return path_ / fmt::format("{}{:06}{}", kBestStem, epoch, kExtension);
}

/// The best epochs of all readable states: those that training continues from, or those selected.
std::set<int> CheckpointFolder::referenced_bests(
    std::initializer_list<Reference> references) const {
  std::set<int> epochs;
  for (const Entry& state : states()) {
    try {
      const TrainingProgress progress =
          read_progress(read_safetensors_metadata(state.path), state.path.string());
      for (const Reference reference : references) {
        epochs.insert(reference == Reference::kContinues ? progress.best_epoch
                                                         : progress.selected_epoch);
      }
    } catch (const Error&) {  // a damaged state has no references
    }
  }
  return epochs;
}

void CheckpointFolder::set_aside_after(int epoch, std::int64_t step) const {
  for (const Entry& state : states()) {
    if (std::tie(state.epoch, state.step) <= std::tie(epoch, step)) continue;
    fs::path aside = state.path;
    aside += kAside;
    std::error_code ignored;
    fs::rename(state.path, aside, ignored);
  }
}

void CheckpointFolder::prune(int epoch, std::int64_t step, int keep) const {
  set_aside_after(epoch, step);
  const std::vector<Entry> all = states();
  for (auto i = static_cast<std::size_t>(keep); i < all.size(); ++i) remove_quietly(all[i].path);
  prune_bests({});
}

void CheckpointFolder::prune_bests(const std::set<int>& also) const {
  const std::set<int> wanted = referenced_bests({Reference::kContinues, Reference::kSelected});
  for (const Entry& best : bests()) {
    if (!wanted.contains(best.epoch) && !also.contains(best.epoch)) remove_quietly(best.path);
  }
}

void CheckpointFolder::forget_after(int epoch, std::int64_t step) const {
  set_aside_after(epoch, step);
  const std::set<int> wanted = referenced_bests({Reference::kContinues});
  for (const Entry& best : bests()) {
    if (best.epoch > epoch || !wanted.contains(best.epoch)) remove_quietly(best.path);
  }
}

void CheckpointFolder::clear() const {
  for (const fs::path& path : list_directory(path_)) {
    fs::path name = path;
    if (name.extension() == kAside) name.replace_extension();
    if (!parse(name, kStateStem) && !parse(name, kBestStem)) continue;
    remove_file(path);
  }
}

void remove_temporary_files(const fs::path& directory) {
  for (const fs::path& path : list_directory(directory)) {
    if (is_temporary_name(path.filename().string())) remove_quietly(path);
  }
}

}  // namespace tern
