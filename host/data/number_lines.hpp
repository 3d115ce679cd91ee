#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tern {

/// Statistics of the first lines of a text that may be numbers between blanks: enough lines to
/// distinguish an adjacency list from a table. Blank lines do not count.
struct NumberLines {
  std::int64_t lines = 0;
  std::int64_t with_words = 0;  // lines with anything but integers
  bool words_first = false;     // whether the first line is one of them
  bool has_fractions = false;   // whether a line has a number that is no integer
  std::size_t width = 0;        // the usual number of words in a line
  std::int64_t usual = 0;       // the lines of that width

  // Of the lines of integers with the usual width, if it is at least 3:
  std::int64_t counted = 0;
  std::int64_t users = 0;  // different first, second and third numbers
  std::int64_t seconds = 0;
  std::int64_t thirds = 0;
  bool ascending = true;  // whether each line ascends from its second number on
  bool has_times =
      false;  // whether the third or fourth column holds seconds since 1970 or the like
  bool has_negative = false;
  bool has_large_numbers = false;  // whether a number is no id of an adjacency list

  std::array<std::string_view, 3> first;  // words of the first such line
  std::int64_t first_line = 0;
};

NumberLines count_number_lines(std::string_view text);

}  // namespace tern
