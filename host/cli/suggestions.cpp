#include "host/cli/suggestions.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "host/config/synonyms.hpp"
#include "host/support/edit_distance.hpp"
#include "tern/config.hpp"

namespace tern::cli {
namespace {

// Options without a key, and their names in other programs.
constexpr std::array kOptionSynonyms{
    Synonyms{"-k", "k n topk topks top_k num cutoff cutoffs"},
    Synonyms{"--config", "config_file config_files cfg conf"},
    Synonyms{"--out",
             "output output_dir out_dir save save_dir save_path run_dir log_dir "
             "checkpoint_dir comment"},
    Synonyms{"--output", "out output_file save"},
    Synonyms{"--to", "out output output_dir out_dir save_dir"},
    Synonyms{"--resume", "load continue restart resume_from from_checkpoint"},
    Synonyms{"--overwrite", "force"},
    Synonyms{"--quiet", "silent no_progress"},
    Synonyms{"--help", "h usage"},
};

bool has(const CLI::App& app, const std::string& option) {
  return app.get_option_no_throw(option) != nullptr;
}

std::string nearest_word(std::string_view word, const std::vector<std::string>& known) {
  int limit = static_cast<int>(std::clamp<std::size_t>(word.size() / 2, 2, 8));
  std::string nearest;
  for (const std::string& candidate : known) {
    const int distance = edit_distance(word, candidate, limit);
    if (distance > limit) continue;
    nearest = candidate;
    limit = distance - 1;
  }
  return nearest;
}

/// "--batch-size" for train.batch_size, "--model" for model.kind.
std::string option_named_after(std::string_view key) {
  const std::size_t dot = key.find('.');
  std::string name(key.substr(dot + 1) == "kind" ? key.substr(0, dot) : key.substr(dot + 1));
  std::replace(name.begin(), name.end(), '_', '-');
  return "--" + name;
}

std::string assignment(std::string_view key, std::string_view value) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._,:/+-@[]";
  const bool usable = !value.empty() && value.find_first_not_of(kPlain) == std::string_view::npos;
  return fmt::format("--set {}={}", key, usable ? value : "VALUE");
}

/// Whether --set of this app sets any key: that of evaluate is only about the reading of a file.
bool takes_keys(const CLI::App& app) {
  return has(app, "--config");
}

/// The options and keys of the app that an option of this name may mean.
std::vector<std::string> meant_by(const CLI::App& app, std::string_view option,
                                  std::string_view value) {
  std::vector<std::string> meant;
  const std::string word = plain_word(option);
  for (const Synonyms& row : kOptionSynonyms) {
    if (is_among(word, row.words) && has(app, std::string(row.key))) meant.emplace_back(row.key);
  }
  if (!meant.empty()) return meant;
  for (const std::string_view key : keys_meant_by(word)) {
    const std::string same = option_named_after(key);
    if (has(app, same)) {
      meant.push_back(same);
    } else if (takes_keys(app)) {
      meant.push_back(assignment(key, value));
    }
  }
  return meant;
}

std::vector<std::string> known_options(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  if (takes_keys(app)) {
    for (const ConfigKey& key : config_keys()) names.push_back(option_named_after(key.key));
  }
  return names;
}

}  // namespace

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known) {
  const std::string nearest = nearest_word(word, known);
  return nearest.empty() ? "" : ": did you mean " + nearest + "?";
}

std::string did_you_mean_option(const CLI::App& app, std::string_view option,
                                std::string_view value) {
  std::vector<std::string> meant = meant_by(app, option, value);
  if (meant.empty()) {
    const std::string nearest = nearest_word(option, known_options(app));
    if (has(app, nearest)) return ": did you mean " + nearest + "?";
    if (!nearest.empty()) meant = meant_by(app, nearest, value);
  }
  return meant.empty() ? "" : fmt::format(": did you mean {}?", fmt::join(meant, " or "));
}

}  // namespace tern::cli
