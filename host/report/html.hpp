#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tern::report {

/// The text as valid UTF-8 for a page: bytes that are not UTF-8, and control characters but for line ends and tabs, become
/// U+FFFD. At most `characters` characters; a longer text ends with an ellipsis.
std::string readable(std::string_view text, std::size_t characters = std::string_view::npos);

/// The text for an element or an attribute in double quotes: & < > " ' are entities. The text must be valid UTF-8.
std::string escape(std::string_view text);

/// escape(readable(text)).
std::string escaped(std::string_view text, std::size_t characters = std::string_view::npos);

/// An id of the data as an element: escaped, at most 48 characters, and isolated, so that right-to-left letters leave the
/// text around it in its order.
std::string id_element(std::string_view id);

/// A table in a box that scrolls sideways on a narrow screen. All cells are HTML; the first column names the rows.
class HtmlTable {
 public:
  /// css_class: "text" over a column of text.
  void add_head(std::string_view cell, std::string_view css_class = "");
  void add_row(std::string_view name);
  void add(std::string_view cell, std::string_view css_class = "");
  std::string html() const;

 private:
  std::string head_;
  std::string rows_;
};

}  // namespace tern::report
