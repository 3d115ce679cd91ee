#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tern {

/// A key and the names that other programs have for it, separated by blanks.
struct Synonyms {
  std::string_view key;
  std::string_view words;
};
std::span<const Synonyms> synonyms();

/// A word without '-' and '_', in lower case: "batchSize" and "batch-size" become the same.
std::string plain_word(std::string_view word);
/// Whether the plain word is one of the words.
bool is_among(std::string_view plain, std::string_view words);

/// The keys that a user may mean by an unknown one ("lr", "train.lr", "optimizer.LR"): those with
/// this name in another section, else those with this synonym. Empty if there are none.
std::vector<std::string_view> keys_meant_by(std::string_view unknown);

}  // namespace tern
