#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tern {

/// Words that users and other programs have for a value of a key, separated by blanks, and what they
/// mean: a value of this key, or a setting of another one, "propagation.kind = lightgcn++".
struct ValueSynonyms {
  std::string_view key;
  std::string_view meaning;
  std::string_view words;
};
std::span<const ValueSynonyms> value_synonyms();

/// The value or setting that a user may mean by a word that is none of the key's values ("SL@K",
/// "lightgcnpp"): one of the synonyms, else the value that differs least. Empty if none is near.
std::string value_meant_by(std::string_view key, std::string_view word,
                           std::span<const std::string_view> values);

}  // namespace tern
