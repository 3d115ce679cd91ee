// tern report: one page on a run, or on several beside each other.

#include "tern/report.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "host/cli/commands.hpp"
#include "host/cli/config_options.hpp"
#include "host/cli/console.hpp"
#include "host/cli/output.hpp"
#include "host/support/message.hpp"

namespace tern::cli {
namespace {

struct ReportCommand {
  std::vector<std::string> runs;
  std::string out;  // empty: in the first run
  ReportOptions options;
  bool quiet = false;
};

int report_runs(const ReportCommand& command) {
  Console console(command.quiet ? Console::Mode::kQuiet : Console::Mode::kTalk);
  const std::vector<std::filesystem::path> runs(command.runs.begin(), command.runs.end());
  const std::string page = make_report(runs, command.options);
  const std::filesystem::path file =
      command.out.empty() ? runs.front() / kReportFile : std::filesystem::path(command.out);
  Output out(file);
  out.write(page);
  out.finish();
  console.line(fmt::format("wrote {} ({}): open it in a browser", file.string(),
                           format_bytes(static_cast<std::int64_t>(page.size()))));
  return kDone;
}

}  // namespace

Command add_report(CLI::App& program) {
  const auto command = std::make_shared<ReportCommand>();
  CLI::App* app = program.add_subcommand("report", "Write a page on one or more runs, as HTML");
  app->add_option(
         "RUN", command->runs,
         fmt::format(
             "run directories that tern train made, of the same data, at most {}: the others "
             "are compared with the first",
             kMaxReportRuns))
      ->required();
  app->add_option(
         "-o,--output", command->out,
         fmt::format("file to write; - is standard output [{} in the first RUN]", kReportFile))
      ->type_name("FILE");
  app->add_option("--device", command->options.device, "auto|cpu|cuda|cuda:N|reference")
      ->type_name("NAME")
      ->check(value_of("train.device"))
      ->capture_default_str();
  app->add_option("--threads", command->options.threads,
                  "threads on a CPU; 0: as many as it may use (tern info)")
      ->type_name("N")
      ->check(value_of("train.threads"))
      ->capture_default_str();
  app->add_flag("--quiet", command->quiet, "no messages but errors");
  app->footer(
      "The page is one file for any browser, and needs no network. It has metrics beside those of\n"
      "popularity, curves by epoch, recall by popularity and activity, the data, a map of the "
      "items,\n"
      "examples of recommendations, and the settings with the command that repeats the training.\n"
      "Several runs are compared user by user, with intervals of 95%. It holds ids of the data: "
      "think\n"
      "of that before you pass it on.");
  return {app, [command] { return report_runs(*command); }};
}

}  // namespace tern::cli
