// Whole data sets. The first bytes are options; the rest is files, each of which begins with a record
// separator (0x1E) and a letter that names it. Promises: interactions, names and features fit each
// other; the parts of a split that Tern makes are disjoint and complete; loading is deterministic.

#include "tern/dataset.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "tests/fuzz/targets.hpp"

namespace tern::fuzz {
namespace {

constexpr std::array<SplitMethod, 8> kSplits{
    SplitMethod::kAuto,        SplitMethod::kAuto,      SplitMethod::kGiven, SplitMethod::kRandom,
    SplitMethod::kLeaveOneOut, SplitMethod::kColdItems, SplitMethod::kTime,  SplitMethod::kRandom};

constexpr std::array<DataFormat, 4> kFormats{DataFormat::kAuto, DataFormat::kTable,
                                             DataFormat::kAdjacency, DataFormat::kJsonLines};

const std::map<char, std::string> kFiles{
    {'t', "train.txt"},         {'e', "test.txt"},          {'v', "valid.txt"},
    {'T', "train.tsv"},         {'E', "test.tsv"},          {'V', "valid.csv"},
    {'i', "interactions.tsv"},  {'c', "interactions.csv"},  {'u', "user_features.tsv"},
    {'f', "item_features.csv"}, {'n', "item_features.npy"}, {'z', "train.txt.gz"},
    {'d', "interactions.dat"},  {'j', "train.jsonl"},       {'J', "test.jsonl"}};

DataOptions take_options(Input& input) {
  DataOptions options;
  const unsigned flags = input.byte();
  options.split = kSplits[flags % 8];
  if ((flags & 8) != 0) options.valid_fraction = 0.5;
  if ((flags & 16) != 0) options.k_core = 2;
  if ((flags & 32) != 0) options.min_rating = 2.5;
  const unsigned more = input.byte();
  options.test_fraction = static_cast<double>(more % 16) / 16;
  options.format = kFormats[more / 16 % 4];
  if (more >= 0x80) options.encoding = TextEncoding::kLatin1;
  // Limits far below the memory limit of a fuzzing run.
  options.max_bytes = 1 << 16;
  options.max_nodes = 5000;
  options.max_feature_bytes = 1 << 20;
  return options;
}

/// Writes the files, and removes those of earlier inputs.
std::filesystem::path write_files(std::string_view text) {
  const std::filesystem::path directory = scratch_directory() / "dataset";
  std::filesystem::create_directory(directory);
  std::set<std::string> written;
  while (!text.empty()) {
    const std::size_t stop = text.find('\x1E');
    const std::string_view file = text.substr(0, stop);
    text.remove_prefix(stop == std::string_view::npos ? text.size() : stop + 1);
    const auto name = file.empty() ? kFiles.end() : kFiles.find(file.front());
    if (name == kFiles.end()) continue;
    scratch_file("dataset/" + name->second, file.substr(1));
    written.insert(name->second);
  }
  for (const auto& [letter, name] : kFiles) {
    if (!written.contains(name)) std::filesystem::remove(directory / name);
  }
  return directory;
}

void check_split(const Interactions& split, const Dataset& data) {
  require(split.num_users() == data.users.size() && split.num_items() == data.items.size(),
          "a split has other nodes than the data");
  for (NodeId user = 0; user < split.num_users(); ++user) {
    NodeId last = -1;
    for (const NodeId item : split.row(user)) {
      require(item > last && item < split.num_items(), "a row is not ascending and in range");
      last = item;
    }
  }
}

void check_features(const std::optional<Features>& features, NodeId nodes) {
  if (!features) return;
  require(features->values.size() ==
              static_cast<std::size_t>(nodes) * static_cast<std::size_t>(features->width()),
          "features do not fit the nodes");
  for (const float value : features->values) {
    require(std::isfinite(value), "a feature is not finite");
  }
}

void check_disjoint(const Dataset& data) {
  for (NodeId user = 0; user < data.users.size(); ++user) {
    std::set<NodeId> items;
    for (const Interactions* split : {&data.train, &data.valid, &data.test}) {
      for (const NodeId item : split->row(user)) {
        require(items.insert(item).second, "an interaction is in two splits");
      }
    }
  }
}

}  // namespace

void load_data_set(Input input) {
  const DataOptions options = take_options(input);
  const std::filesystem::path directory = write_files(input.rest());
  const auto load = [&] { return attempt([&] { return load_dataset(directory, options); }); };
  const auto loaded = load();
  if (accepted(loaded) == nullptr) return;
  const Dataset& data = *accepted(loaded);
  for (const Interactions* split : {&data.train, &data.valid, &data.test}) {
    check_split(*split, data);
  }
  check_features(data.user_features, data.users.size());
  check_features(data.item_features, data.items.size());
  for (const std::string& note : data.notes) require_one_line(note);
  const bool given = std::find(data.notes.begin(), data.notes.end(),
                               "The split is the given one.") != data.notes.end();
  if (!given) check_disjoint(data);
  const auto again = load();
  require(accepted(again) != nullptr && accepted(again)->fingerprint == data.fingerprint &&
              accepted(again)->feature_fingerprint == data.feature_fingerprint,
          "the same files load otherwise");
}

}  // namespace tern::fuzz
