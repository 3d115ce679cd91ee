#pragma once

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace tern::test {

/// The first fault in the markup of a page, or nothing: an element that ends in the wrong place, a bare < or &, an id that
/// occurs twice. It knows the markup that the report writes, not all of HTML.
inline std::string markup_fault(std::string_view page) {
  static const std::set<std::string_view> kVoid{"meta", "!DOCTYPE"};
  std::vector<std::string> open;
  std::set<std::string> ids;
  for (std::size_t at = 0; at < page.size(); ++at) {
    if (page[at] == '&') {
      const std::size_t end = page.find(';', at);
      if (end == std::string_view::npos || end - at > 7) return "bare &";
      continue;
    }
    if (page[at] != '<') continue;
    const std::size_t end = page.find('>', at);
    if (end == std::string_view::npos) return "an element without an end";
    std::string_view element = page.substr(at + 1, end - at - 1);
    if (element.find('<') != std::string_view::npos) return "< within " + std::string(element);
    if (std::ranges::count(element, '"') % 2 != 0) return "a bare \" in " + std::string(element);
    at = end;
    if (element.starts_with('/')) {
      const std::string name(element.substr(1));
      if (open.empty() || open.back() != name) return "unexpected </" + name + ">";
      open.pop_back();
      continue;
    }
    if (const std::size_t id = element.find(" id=\""); id != std::string_view::npos) {
      const std::string name(element.substr(id + 5, element.find('"', id + 5) - id - 5));
      if (!ids.insert(name).second) return "the id " + name + " occurs twice";
    }
    const std::string name(element.substr(0, element.find_first_of(" /")));
    if (element.ends_with('/') || kVoid.contains(name)) continue;
    open.push_back(name);
    if (name == "style" || name == "script") {  // text without markup
      at = page.find("</" + name, at) - 1;
    }
  }
  return open.empty() ? "" : "no end of <" + open.back() + ">";
}

/// The text of one section; "" if the page has none of this id.
inline std::string section_of(std::string_view page, std::string_view id) {
  const std::size_t begin = page.find("<section id=\"" + std::string(id) + "\">");
  if (begin == std::string_view::npos) return "";
  return std::string(page.substr(begin, page.find("</section>", begin) - begin));
}

}  // namespace tern::test
