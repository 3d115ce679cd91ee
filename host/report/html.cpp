#include "host/report/html.hpp"

#include <fmt/format.h>

#include "host/support/utf8.hpp"

namespace tern::report {
namespace {

constexpr std::size_t kIdCharacters = 48;
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::string_view kEllipsis = "\xE2\x80\xA6";     // U+2026

/// Whether a valid UTF-8 sequence is a control character that a page cannot hold: C0, DEL and C1.
bool is_control(std::string_view sequence) {
  const auto first = static_cast<unsigned char>(sequence.front());
  if (sequence.size() == 1) {
    return (first < 0x20 && first != '\n' && first != '\t') || first == 0x7F;
  }
  return sequence.size() == 2 && first == 0xC2 && static_cast<unsigned char>(sequence[1]) < 0xA0;
}

}  // namespace

std::string readable(std::string_view text, std::size_t characters) {
  std::string out;
  while (!text.empty()) {
    if (characters-- == 0) return out.append(kEllipsis);
    const std::size_t length = utf8_length(text);
    const std::string_view sequence = text.substr(0, length == 0 ? 1 : length);
    out += length == 0 || is_control(sequence) ? kReplacement : sequence;
    text.remove_prefix(sequence.size());
  }
  return out;
}

std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string escaped(std::string_view text, std::size_t characters) {
  return escape(readable(text, characters));
}

std::string id_element(std::string_view id) {
  return fmt::format("<bdi>{}</bdi>", escaped(id, kIdCharacters));
}

void HtmlTable::add_head(std::string_view cell, std::string_view css_class) {
  head_ += css_class.empty()
               ? fmt::format("<th scope=\"col\">{}</th>", cell)
               : fmt::format("<th scope=\"col\" class=\"{}\">{}</th>", css_class, cell);
}

void HtmlTable::add_row(std::string_view name) {
  rows_ += fmt::format("{}<tr><th scope=\"row\">{}</th>", rows_.empty() ? "" : "</tr>\n", name);
}

void HtmlTable::add(std::string_view cell, std::string_view css_class) {
  rows_ += css_class.empty() ? fmt::format("<td>{}</td>", cell)
                             : fmt::format("<td class=\"{}\">{}</td>", css_class, cell);
}

std::string HtmlTable::html() const {
  return fmt::format(
      "<div class=\"scroll\"><table>\n<thead><tr>{}</tr></thead>\n<tbody>\n{}{}</tbody>\n"
      "</table></div>\n",
      head_, rows_, rows_.empty() ? "" : "</tr>\n");
}

}  // namespace tern::report
