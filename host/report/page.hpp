#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "host/report/chart.hpp"
#include "host/report/contest.hpp"
#include "host/report/groups.hpp"
#include "host/report/sources.hpp"
#include "tern/backend.hpp"

namespace tern::report {

/// Everything that the sections of a page show.
struct Page {
  Sources sources;
  std::optional<Contest> contest = {};                // none: nothing is held out
  std::vector<std::optional<Ranking>> rankings = {};  // by run; none without a contest or a model
  std::optional<Ranking> popularity = {};
  std::optional<Ranking> linear_filter = {};  // none too if it takes too long for this data
  std::vector<std::int64_t> user_degrees = {};
  std::vector<std::int64_t> item_degrees = {};
  Groups user_groups = {};
  Groups item_groups = {};

  const std::vector<Source>& runs() const { return sources.runs; }
  const Dataset& data() const { return *sources.data; }
  /// "recall@20" for "recall" with the longest lists.
  std::string at_k(const std::string& metric) const;
};

Page measure_page(Sources sources, Backend& backend);

/// The name of a run as HTML, and with its colour.
std::string name_of(const Source& run);
Key key_of(const Page& page, std::size_t run);
inline const Key kPopularityKey{.name = "popularity", .color = kBaseline};

/// A section with its title; nothing if it has no body.
std::string section(const std::string& id, const std::string& title, const std::string& body);

// The sections, as HTML; each in the file of its name. Empty if a page has nothing to show there.
std::string summary_section(const Page& page);
std::string metrics_section(const Page& page);
std::string differences_section(const Page& page);
std::string training_section(const Page& page);
std::string groups_section(const Page& page);
std::string data_section(const Page& page);
std::string map_section(const Page& page);
std::string examples_section(const Page& page, Backend& backend);
std::string settings_section(const Page& page);

/// The style sheet, and the script that shows values under the pointer.
std::string_view style_sheet();
std::string_view script();

}  // namespace tern::report
