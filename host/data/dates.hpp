#pragma once

#include <optional>
#include <string_view>

namespace tern {

/// Seconds since 1970 in UTC of "2018-09-20", "2012-05-01 10:00:00" (or with "T"; seconds, their
/// fraction, and a zone "Z", "+02:00" or "+0200" may follow), or "Wed Mar 22 11:37:04 -0700 2017". A
/// year is from 1 to 9999. Nothing if the text is no such date.
std::optional<double> parse_date(std::string_view text);

/// Recognises "31/01/2020" or "12:30", which are common in columns of times but not read: the order of
/// day and month is not known, or there is no day.
bool looks_like_date(std::string_view text);

}  // namespace tern
