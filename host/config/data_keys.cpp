#include <algorithm>
#include <array>
#include <cctype>

#include "host/config/key_builders.hpp"
#include "host/config/key_sections.hpp"

namespace tern {

using enum OnResume;

namespace {

/// A name, or characters that cannot be parts of an id.
bool is_separator_name(std::string_view value) {
  constexpr std::array<std::string_view, 7> kNames{"auto", "tab",   "comma", "semicolon",
                                                   "pipe", "space", "::"};
  if (std::find(kNames.begin(), kNames.end(), value) != kNames.end()) return true;
  constexpr std::string_view kNever("\0\n\r\"", 4);
  const bool letter = !value.empty() && (std::isalnum(static_cast<unsigned char>(value[0])) != 0 ||
                                         static_cast<unsigned char>(value[0]) > 0x7F);
  return value.size() == 1 && !letter && kNever.find(value[0]) == std::string_view::npos;
}

}  // namespace

std::vector<KeySpec> data_keys() {
  return {
      text("data.path", kHarmless, "path",
           "the directory or file to train on (DATA on the command line)", at(&Config::data_path),
           any_text),
      choice<SplitMethod>("data.split", kFixed,
                          "how the test set is chosen; auto: as given by the data, else random",
                          at(&Config::data, &DataOptions::split),
                          {{"auto", SplitMethod::kAuto},
                           {"given", SplitMethod::kGiven},
                           {"random", SplitMethod::kRandom},
                           {"leave-one-out", SplitMethod::kLeaveOneOut},
                           {"cold-items", SplitMethod::kColdItems},
                           {"time", SplitMethod::kTime}}),
      number("data.test_fraction", kFixed, "share of the interactions held out for testing",
             at(&Config::data, &DataOptions::test_fraction), kBelowOne),
      optional_number(
          "data.valid_fraction", kFixed,
          "share of the remaining interactions held out for validation; 0: none; auto: 0.1, but "
          "nothing is cut from a given training set",
          at(&Config::data, &DataOptions::valid_fraction), kBelowOne, "auto"),
      integer("data.split_seed", kFixed,
              "seed of the split; training seeds vary over the same split",
              at(&Config::data, &DataOptions::split_seed, &Seed::value), 0, kLargest),
      integer("data.k_core", kFixed,
              "drop users and items with fewer interactions, until all that remain have enough",
              at(&Config::data, &DataOptions::k_core), 0, 1'000'000'000),
      optional_number("data.min_rating", kFixed, "drop interactions with a lower rating",
                      at(&Config::data, &DataOptions::min_rating), kAnyNumber),
      choice<DataFormat>(
          "data.format", kFixed,
          "layout of the files of interactions; auto: recognised by their first lines",
          at(&Config::data, &DataOptions::format),
          {{"auto", DataFormat::kAuto},
           {"table", DataFormat::kTable},
           {"adjacency", DataFormat::kAdjacency},
           {"jsonl", DataFormat::kJsonLines}}),
      text("data.separator", kFixed,
           "one of auto|tab|comma|semicolon|pipe|space|::, or another character",
           "what divides the fields of a table; space: any number of blanks",
           at(&Config::data, &DataOptions::separator), is_separator_name),
      choice<HeaderRow>(
          "data.header", kFixed,
          "whether a table's first row holds names; auto: if they look like names",
          at(&Config::data, &DataOptions::header),
          {{"auto", HeaderRow::kAuto}, {"yes", HeaderRow::kYes}, {"no", HeaderRow::kNo}}),
      choice<TextEncoding>("data.encoding", kFixed, "encoding of the files of interactions",
                           at(&Config::data, &DataOptions::encoding),
                           {{"utf-8", TextEncoding::kUtf8}, {"latin-1", TextEncoding::kLatin1}}),
      text("data.user_column", kFixed, "header name, or position from 1 as text",
           "column (or JSON key) of the users; empty: found by its header, else the first",
           at(&Config::data, &DataOptions::user_column), any_text),
      text("data.item_column", kFixed, "header name, or position from 1 as text",
           "column of the items; empty: found by its header, else the second",
           at(&Config::data, &DataOptions::item_column), any_text),
      text("data.rating_column", kFixed, "header name, or position from 1 as text",
           "column of the ratings, or none; empty: found by its header, else the third",
           at(&Config::data, &DataOptions::rating_column), any_text),
      text("data.timestamp_column", kFixed, "header name, or position from 1 as text",
           "column of the times, or none; empty: found by its header, else the fourth",
           at(&Config::data, &DataOptions::timestamp_column), any_text),
      integer("data.max_bytes", kHarmless, "largest file to accept, in bytes after decompression",
              at(&Config::data, &DataOptions::max_bytes), 1, kLargest),
      integer("data.max_nodes", kHarmless, "largest number of users, or of items, to accept",
              at(&Config::data, &DataOptions::max_nodes), 1, 2'147'483'646),
      integer("data.max_feature_bytes", kHarmless, "largest features of a side to accept, in bytes",
              at(&Config::data, &DataOptions::max_feature_bytes), 1, kLargest),
      integer("data.max_categories", kHarmless,
              "most values of a column of features that become categories",
              at(&Config::data, &DataOptions::max_categories), 1, kLargest),
  };
}

}  // namespace tern
