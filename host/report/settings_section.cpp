// Settings, versions, the machine, and the commands that train the runs again.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "host/config/keys.hpp"
#include "host/report/html.hpp"
#include "host/report/page.hpp"
#include "host/support/number_text.hpp"
#include "host/support/shell_word.hpp"
#include "tern/version.hpp"

namespace tern::report {
namespace {

constexpr std::size_t kValueCharacters = 300;
constexpr std::string_view kPathKey = "data.path";

/// Values that differ from the defaults, by key.
std::map<std::string, std::string> changed_values(const Config& config) {
  std::map<std::string, std::string> changed;
  for (const ConfigDifference& difference : compare_configs(Config{}, config)) {
    changed[difference.key] = difference.to;
  }
  return changed;
}

std::string changes_table(const Page& page) {
  HtmlTable table;
  table.add_head("key");
  std::vector<std::map<std::string, std::string>> changed;
  for (const Source& run : page.runs()) {
    table.add_head(page.runs().size() > 1 ? name_of(run) : "value", "text");
    changed.push_back(changed_values(run.config));
  }
  table.add_head("default", "text");
  const Config defaults;
  for (const KeySpec& spec : key_table()) {
    const auto has_it = [&](const auto& values) { return values.contains(spec.key); };
    if (std::ranges::none_of(changed, has_it)) continue;
    const std::string standard = to_toml(spec.get(defaults));
    std::vector<std::string> values;
    values.reserve(changed.size());
    for (const auto& of_run : changed) {
      values.push_back(has_it(of_run) ? of_run.at(spec.key) : standard);
    }
    const bool differs =
        std::ranges::any_of(values, [&](auto& value) { return value != values[0]; });
    table.add_row(fmt::format("<code>{}</code>", spec.key));
    for (const std::string& value : values) {
      table.add(escaped(value, kValueCharacters), differs ? "text differs" : "text");
    }
    table.add(escaped(standard, kValueCharacters), "text");
  }
  return table.html();
}

/// A directory beside that of the run, which may be given as "." or with a slash at its end.
std::filesystem::path again_beside(const std::filesystem::path& run) {
  std::filesystem::path path = run.lexically_normal();
  if (path.filename() == "." || path.filename() == "..") {
    path = std::filesystem::absolute(run).lexically_normal();
  }
  if (!path.has_filename()) path = path.parent_path();
  return path += "-again";
}

std::string command_of(const Source& run) {
  const std::string& path = run.config.data_path;
  std::string command = "tern train " + (path.empty() || path == "-" ? "DATA" : shell_word(path));
  for (const auto& [key, value] : changed_values(run.config)) {
    if (key != kPathKey)
      command += fmt::format(" \\\n  --set {}", shell_word(fmt::format("{}={}", key, value)));
  }
  return command + " \\\n  --out " + shell_word(again_beside(run.path).string());
}

/// The line of the log that names the device, or nothing.
std::string device_of(const Source& run) {
  for (const std::string& line : run.log.beginning) {
    for (const char* on : {" on cpu: ", " on cuda", " on reference: "}) {
      const std::size_t at = line.find(on);
      if (at != std::string::npos) return line.substr(at + 4);
    }
  }
  return "";
}

double training_seconds(const Source& run) {
  double seconds = 0.0;
  for (const EpochLine& line : run.epochs.lines) {
    const auto found = line.values.find("seconds");
    if (found != line.values.end()) seconds += found->second;
  }
  return seconds;
}

std::string origin_table(const Page& page) {
  HtmlTable table;
  table.add_head("run");
  for (const char* head : {"directory", "data", "device"}) table.add_head(head, "text");
  table.add_head("time of training");
  table.add_head("written by", "text");
  const auto or_unknown = [](const std::string& text) {
    return text.empty() ? std::string("not recorded") : escaped(text, kValueCharacters);
  };
  for (const Source& run : page.runs()) {
    table.add_row(name_of(run));
    table.add(escaped(run.path.string(), kValueCharacters), "text");
    table.add(run.config.data_path.empty() ? "given in memory"
                                           : escaped(run.config.data_path, kValueCharacters),
              "text");
    table.add(or_unknown(device_of(run)), "text");
    table.add(duration(training_seconds(run)));
    table.add(run.build.empty() ? "not recorded" : "Tern " + escaped(run.build), "text");
  }
  return table.html();
}

std::string details(const std::string& title, const std::string& text) {
  return fmt::format("<details><summary>{}</summary>\n<pre>{}</pre></details>\n", title, text);
}

}  // namespace

std::string settings_section(const Page& page) {
  std::string out = origin_table(page);
  out += "<h3>Settings that differ from the defaults</h3>\n" + changes_table(page);
  if (page.runs().size() > 1) out += "<p>Values in bold differ between the runs.</p>\n";
  out += "<h3>To train again</h3>\n";
  for (const Source& run : page.runs()) {
    if (page.runs().size() > 1) out += fmt::format("<h4>{}</h4>\n", name_of(run));
    out += fmt::format("<pre class=\"command\">{}</pre>\n", escaped(command_of(run)));
  }
  out += fmt::format(
      "<p>With the same data, version, kind of device and number of processes, this gives the same "
      "embeddings, bit for bit.{}</p>\n",
      std::ranges::any_of(page.runs(),
                          [](const Source& run) {
                            return run.config.data_path.empty() || run.config.data_path == "-";
                          })
          ? " DATA stands for the data that the run was given."
          : "");
  for (const Source& run : page.runs()) {
    const std::string whose = page.runs().size() > 1 ? " of " + name_of(run) : "";
    out += details("All settings" + whose, escaped(write_config(run.config), 20'000));
    std::string notes;
    for (const std::string& note : run.notes) notes += escaped(note, 400) + "\n";
    for (const std::string& line : run.log.beginning) notes += escaped(line, 400) + "\n";
    if (!notes.empty()) out += details("Messages when the training began" + whose, notes);
  }
  out += fmt::format("<p>This page was written by Tern {}.</p>\n", escaped(build_description()));
  return section("settings", "Settings and origin", out);
}

}  // namespace tern::report
