#include "host/data/sources.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "host/support/files.hpp"
#include "host/support/message.hpp"
#include "host/support/utf8.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

namespace fs = std::filesystem;

struct Extension {
  const char* text;
  SourceFormat format;
};

constexpr std::array<Extension, 8> kInteractionExtensions{{{".txt", SourceFormat::kAdjacency},
                                                           {".tsv", SourceFormat::kTsv},
                                                           {".csv", SourceFormat::kCsv},
                                                           {".dat", SourceFormat::kOtherTable},
                                                           {".data", SourceFormat::kOtherTable},
                                                           {".inter", SourceFormat::kOtherTable},
                                                           {".jsonl", SourceFormat::kJson},
                                                           {".json", SourceFormat::kJson}}};
constexpr std::array<Extension, 4> kFeatureExtensions{{{".npy", SourceFormat::kNpy},
                                                       {".npz", SourceFormat::kNpz},
                                                       {".tsv", SourceFormat::kTsv},
                                                       {".csv", SourceFormat::kCsv}}};
constexpr std::array<const char*, 3> kCompressions{"", ".gz", ".zst"};

/// The file with this stem in a directory, if there is one. Throws DataError if there are several.
std::optional<Source> find_one(const fs::path& directory, const std::string& stem,
                               std::span<const Extension> extensions) {
  std::optional<Source> found;
  for (const Extension& extension : extensions) {
    for (const char* compression : kCompressions) {
      // NumPy arrays are not read compressed.
      const fs::path path = directory / fmt::format("{}{}{}", stem, extension.text, compression);
      const Source source{path, extension.format};
      if (source.is_array() && *compression != '\0') continue;
      std::error_code error;
      if (!fs::exists(path, error)) continue;
      if (found) {
        throw DataError(directory.string(), 0,
                        fmt::format("found both {} and {}, expected one of them",
                                    found->path.filename().string(), path.filename().string()));
      }
      found = source;
    }
  }
  return found;
}

/// The file with the ids of an array's rows, if there are both.
std::optional<fs::path> find_ids(const fs::path& path, const std::optional<Source>& features) {
  std::error_code error;
  if (!features || !features->is_array() || !fs::exists(path, error)) return std::nullopt;
  return path;
}

/// The name without ".gz" or ".zst".
fs::path uncompressed_name(const fs::path& path) {
  const fs::path name = path.filename();
  const std::string ending = to_lower(name.extension().string());
  return ending == ".gz" || ending == ".zst" ? name.stem() : name;
}

/// The format by a name's ending, in any case.
SourceFormat format_by_name(const fs::path& path) {
  const std::string ending = to_lower(uncompressed_name(path).extension().string());
  for (const Extension& extension : kInteractionExtensions) {
    if (ending == extension.text) return extension.format;
  }
  return SourceFormat::kUnknown;
}

/// The file of interactions with this stem in a directory, if there is one. Throws DataError if there
/// are several.
std::optional<Source> find_interactions(const std::vector<fs::path>& files, std::string_view stem) {
  std::optional<Source> found;
  for (const fs::path& path : files) {
    if (uncompressed_name(path).stem() != stem) continue;
    const SourceFormat format = format_by_name(path);
    if (format == SourceFormat::kUnknown) continue;
    if (found) {
      throw DataError(path.parent_path().string(), 0,
                      fmt::format("found both {} and {}, expected one of them", found->name(),
                                  path.filename().string()));
    }
    found = Source{path, format};
  }
  return found;
}

/// Some of the names in a directory, for a message.
std::string some_names(const fs::path& directory) {
  std::vector<std::string> names;
  for (const fs::path& path : list_directory(directory)) names.push_back(path.filename().string());
  if (names.empty()) return "the directory is empty";
  std::sort(names.begin(), names.end());
  constexpr std::size_t kMax = 6;
  const std::size_t shown = std::min(kMax, names.size());
  return fmt::format("the directory holds {}{}",
                     fmt::join(names.begin(), names.begin() + shown, ", "),
                     names.size() > kMax ? ", ..." : "");
}

/// Whether a file is there for people: hidden ones, README, LICENSE, .md, .pdf, .html.
bool is_for_people(const fs::path& path) {
  const std::string name = to_lower(path.filename().string());
  const auto begins = [&](std::string_view text) { return name.starts_with(text); };
  const auto ends = [&](std::string_view text) { return name.ends_with(text); };
  return begins(".") || begins("readme") || begins("license") || begins("licence") ||
         begins("citation") || ends(".md") || ends(".pdf") || ends(".html");
}

std::vector<std::string> find_unread(const std::vector<fs::path>& files, const Sources& sources) {
  std::vector<fs::path> read;
  for (const std::optional<Source>& part : sources.interactions) {
    if (part) read.push_back(part->path);
  }
  for (const auto* features : {&sources.user_features, &sources.item_features}) {
    if (*features) read.push_back((*features)->path);
  }
  for (const auto* ids : {&sources.user_ids, &sources.item_ids}) {
    if (*ids) read.push_back(**ids);
  }
  std::vector<std::string> unread;
  for (const fs::path& file : files) {
    std::error_code error;
    if (!fs::is_regular_file(file, error) || is_for_people(file)) continue;
    if (std::find(read.begin(), read.end(), file) != read.end()) continue;
    std::string name = in_message(file.filename().string());
    const std::string stem = to_lower(uncompressed_name(file).stem().string());
    if (stem == "val" || stem == "validation" || stem == "dev")
      name += " (expected the name valid)";
    unread.push_back(std::move(name));
  }
  return unread;
}

void check_interactions(const fs::path& directory, Sources& sources, std::optional<Source> pooled) {
  const auto fail = [&](const std::string& message) {
    throw DataError(directory.string(), 0, message);
  };
  std::optional<Source>& train = sources.interactions[0];
  if (pooled && (train || sources.has_held_out())) {
    const Source& other = *(train                     ? train
                            : sources.interactions[1] ? sources.interactions[1]
                                                      : sources.interactions[2]);
    fail(fmt::format(
        "found both {} and {}, expected either one table to split, or train and test files",
        pooled->path.filename().string(), other.path.filename().string()));
  }
  if (pooled) train = std::move(pooled);
  if (!train) {
    fail(fmt::format(
        "no train.txt and no interactions.tsv (or .csv, .dat, .inter, .jsonl, ...): {}; a "
        "single file may have any name",
        some_names(directory)));
  }
}

}  // namespace

Source file_source(const fs::path& path) {
  Source source{path, format_by_name(path)};
  if (source.format == SourceFormat::kTsv || source.format == SourceFormat::kCsv ||
      source.format == SourceFormat::kAdjacency) {
    return source;
  }
  throw DataError(
      path.string(), 0,
      "the name does not show the format, expected .tsv or .csv, with or without .gz or "
      ".zst");
}

Sources find_sources(const fs::path& path) {
  if (path == "-") {
    Sources sources;
    sources.interactions[0] = Source{path, SourceFormat::kUnknown};
    return sources;
  }
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  Sources sources;
  if (!fs::exists(status)) {
    throw DataError(path.string(), 0,
                    error && status.type() != fs::file_type::not_found
                        ? fmt::format("cannot be examined: {}", error.message())
                        : "no such file or directory");
  }
  if (!fs::is_directory(status)) {
    sources.interactions[0] = Source{path, format_by_name(path)};
    return sources;
  }
  std::vector<fs::path> files = list_directory(path);
  std::sort(files.begin(), files.end());
  constexpr std::array<const char*, kSplitParts> kStems{"train", "valid", "test"};
  for (std::size_t part = 0; part < kSplitParts; ++part) {
    sources.interactions[part] = find_interactions(files, kStems[part]);
  }
  check_interactions(path, sources, find_interactions(files, "interactions"));
  sources.user_features = find_one(path, "user_features", kFeatureExtensions);
  sources.item_features = find_one(path, "item_features", kFeatureExtensions);
  sources.user_ids = find_ids(path / "user_ids.txt", sources.user_features);
  sources.item_ids = find_ids(path / "item_ids.txt", sources.item_features);
  sources.unread = find_unread(files, sources);
  return sources;
}

}  // namespace tern
