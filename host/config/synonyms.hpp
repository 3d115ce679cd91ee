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

/// A word without '-' and '_' and in lower case, so that "batchSize" and "batch-size" are alike.
std::string plain_word(std::string_view word);
/// Whether the plain word is one of the words.
bool is_among(std::string_view plain, std::string_view words);

/// The keys that somebody means by an unknown one ("lr", "train.lr", "optimizer.LR"): those with
/// this name in another section, or those with such a synonym. Empty: nothing is known of it.
std::vector<std::string_view> keys_meant_by(std::string_view unknown);

}  // namespace tern
