#pragma once

#include <string>
#include <string_view>

namespace tern {

/// What the name of a column says about it.
enum class ColumnMeaning { kUser, kItem, kRating, kTimestamp };

/// Letters and digits before a colon, in lower case: "User-ID:token" is "userid".
std::string plain_name(std::string_view name);

/// The place of a name among the known names of such columns, from 0: the smaller, the more certain.
/// -1: not known.
int rank_of_name(ColumnMeaning meaning, std::string_view name);

/// Some of the known names, for messages: "user, user_id, customer_id".
std::string_view examples_of(ColumnMeaning meaning);

/// Whether a name ends in one of RecBole's types, such as ":token".
bool has_type(std::string_view name);

}  // namespace tern
