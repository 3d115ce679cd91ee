// The reader of feature tables, their encoding, and the reader of new nodes (the text after a record
// separator, 0x1E). Promises: features, or the exact message of the refusal, do not depend on the
// chunks; features are finite, have the shape (nodes, columns), and can be encoded; new nodes have
// the same columns, and new names.

#include "host/data/feature_table.hpp"

#include <algorithm>
#include <cmath>

#include "tern/dataset.hpp"
#include "tern/feature_encoding.hpp"
#include "tests/fuzz/targets.hpp"

namespace tern::fuzz {
namespace {

struct FeatureOptions {
  TableFormat format = TableFormat::kTsv;
  Vocabulary names;
  DataOptions data = {};
  std::size_t chunk_bytes = 1;
};

FeatureOptions take_feature_options(Input& input) {
  FeatureOptions options;
  const unsigned flags = input.byte();
  options.format = (flags & 1) != 0 ? TableFormat::kCsv : TableFormat::kTsv;
  if ((flags & 2) != 0) {
    options.names = Vocabulary::numbered(4);
  } else {
    for (const char* name : {"a", "b", "c", "\xC3\xA9", "x y"}) options.names.add(name);
  }
  options.data.max_feature_bytes = 20'000;
  options.data.max_categories = 5;
  options.chunk_bytes = 1 + input.byte() % 64;
  return options;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](float x, float y) {
           return x == y && std::signbit(x) == std::signbit(y);
         });
}

void check(const Features& features, const Vocabulary& names,
           const std::vector<std::string>& notes) {
  require(features.values.size() == static_cast<std::size_t>(names.size()) * features.names.size(),
          "features are not (nodes, columns)");
  require(std::all_of(features.values.begin(), features.values.end(),
                      [](float value) { return std::isfinite(value); }),
          "a feature is not finite");
  for (const std::string& note : notes) require_one_line(note);
  const EncodedFeatures encoded = FeatureEncoding(features, names.size()).encode(features);
  require(encoded.number_names.size() + encoded.category_names.size() == features.names.size(),
          "encoded, columns are lost");
  require(std::all_of(encoded.numbers.begin(), encoded.numbers.end(),
                      [](float value) { return std::isfinite(value); }),
          "an encoded feature is not finite");
}

void add_nodes(const FeatureOptions& options, const Features& features, std::string_view text) {
  Dataset data;
  data.users = options.names;
  data.items = Vocabulary::numbered(2);
  data.user_features = features;
  data.train = Interactions::from_pairs(data.users.size(), 2, {});
  data.valid = data.train;
  data.test = data.train;
  const NodeId before = data.users.size();
  const char* name = options.format == TableFormat::kCsv ? "new.csv" : "new.tsv";
  const std::filesystem::path path = scratch_file(name, text);
  const auto added = attempt([&] {
    add_new_nodes(data, Side::kUser, path, options.data);
    return true;
  });
  if (accepted(added) == nullptr) return;
  require(data.users.size() > before && data.new_users == data.users.size() - before,
          "new nodes are not counted");
  require(data.user_features->names == features.names, "new nodes change the columns");
  check(*data.user_features, data.users, data.notes);
}

}  // namespace

void read_feature_table(Input input) {
  const FeatureOptions options = take_feature_options(input);
  const std::string_view all = input.rest();
  const std::size_t stop = all.find('\x1E');
  const std::string_view text = all.substr(0, stop);
  std::vector<std::string> notes;
  std::vector<std::string> more_notes;
  FeatureTableTask task;
  task.format = options.format;
  FeatureTableTask in_pieces = task;
  in_pieces.chunk_bytes = options.chunk_bytes;
  const auto whole = attempt(
      [&] { return parse_feature_table(text, "table", task, options.names, options.data, notes); });
  const auto pieces = attempt([&] {
    return parse_feature_table(text, "table", in_pieces, options.names, options.data, more_notes);
  });
  require(whole.index() == pieces.index(), "cut text is refused, or whole text is");
  if (accepted(whole) == nullptr) {
    require(std::get<1>(whole) == std::get<1>(pieces), "the refusal depends on the cuts");
    return;
  }
  const Features& features = *accepted(whole);
  require(features.names == accepted(pieces)->names && notes == more_notes &&
              same_bits(features.values, accepted(pieces)->values),
          "features depend on the cuts");
  check(features, options.names, notes);
  if (stop != std::string_view::npos) add_nodes(options, features, all.substr(stop + 1));
}

}  // namespace tern::fuzz
