#include "tern/report.hpp"

#include <fmt/format.h>

#include <array>
#include <memory>
#include <system_error>
#include <utility>

#include "host/report/html.hpp"
#include "host/report/page.hpp"
#include "host/support/parallel.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

namespace fs = std::filesystem;

struct NavigationEntry {
  const char* id;
  const char* name;
};
constexpr std::array<NavigationEntry, 9> kNavigation{
    NavigationEntry{"summary", "Summary"},
    NavigationEntry{"metrics", "Metrics"},
    NavigationEntry{"differences", "Differences"},
    NavigationEntry{"training", "Training"},
    NavigationEntry{"groups", "Where it is right"},
    NavigationEntry{"data", "Data"},
    NavigationEntry{"map", "Map"},
    NavigationEntry{"examples", "Examples"},
    NavigationEntry{"settings", "Settings"},
};

void check_runs(std::span<const fs::path> runs) {
  if (runs.empty() || runs.size() > kMaxReportRuns) {
    throw ConfigError(
        fmt::format("a report shows 1 to {} runs, found {}", kMaxReportRuns, runs.size()));
  }
  for (std::size_t i = 0; i < runs.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      std::error_code absent;
      if (fs::equivalent(runs[i], runs[j], absent)) {
        throw ConfigError(fmt::format("the run {} is named twice", runs[i].string()));
      }
    }
  }
}

std::string title_of(const report::Page& page) {
  std::string names;
  for (const report::Source& run : page.runs()) {
    names += (names.empty() ? "" : ", ") + report::escaped(run.name, 40);
  }
  return names;
}

std::string document(const report::Page& page, const std::string& sections) {
  std::string navigation;
  for (const NavigationEntry& entry : kNavigation) {
    if (sections.find(fmt::format("<section id=\"{}\">", entry.id)) == std::string::npos) continue;
    navigation += fmt::format("<a href=\"#{}\">{}</a>\n", entry.id, entry.name);
  }
  const std::string names = title_of(page);
  // The policy forbids every request: nothing is loaded from anywhere.
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'; "
      "script-src 'unsafe-inline'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n"
      "<title>{0} \xE2\x80\x93 Tern report</title>\n<style>\n{1}</style>\n</head>\n<body>\n"
      "<header><p class=\"kind\">Tern "
      "report</p><h1><bdi>{0}</bdi></h1>\n<nav>\n{2}</nav></header>\n"
      "<main>\n{3}</main>\n<div id=\"tip\" "
      "hidden></div>\n<script>\n{4}</script>\n</body>\n</html>\n",
      names, report::style_sheet(), navigation, sections, report::script());
}

}  // namespace

std::string make_report(std::span<const fs::path> runs, const ReportOptions& options) {
  check_runs(runs);
  const std::unique_ptr<ThreadLimit> limit = limit_threads(options.threads);
  const std::unique_ptr<Backend> backend = make_backend(options.device, options.threads);
  const report::Page page = report::measure_page(report::open_sources(runs, *backend), *backend);
  return document(page, report::summary_section(page) + report::metrics_section(page) +
                            report::differences_section(page) + report::training_section(page) +
                            report::groups_section(page) + report::data_section(page) +
                            report::map_section(page) + report::examples_section(page, *backend) +
                            report::settings_section(page));
}

}  // namespace tern
