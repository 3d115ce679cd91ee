#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace tern::cli {

/// The program's exit codes. 65 and 75 are EX_DATAERR and EX_TEMPFAIL of sysexits.h.
enum ExitCode : int {
  kDone = 0,
  kFailed = 1,
  kUsage = 2,
  kBadData = 65,
  kStopped = 75,
};

/// A subcommand: its part of the command line, and run(), which is called after parsing. It returns
/// an exit code and may throw the exceptions of tern/error.hpp.
struct Command {
  CLI::App* app;
  std::function<int()> run;
};

// Each is in the file named after the subcommand.
Command add_train(CLI::App& program);
Command add_evaluate(CLI::App& program);
Command add_recommend(CLI::App& program);
Command add_score(CLI::App& program);
Command add_similar(CLI::App& program);
Command add_report(CLI::App& program);
Command add_export(CLI::App& program);
Command add_inspect(CLI::App& program);
Command add_split(CLI::App& program);
Command add_generate(CLI::App& program);
Command add_gradcheck(CLI::App& program);
Command add_info(CLI::App& program);
Command add_completion(CLI::App& program);
Command add_man(CLI::App& program);

}  // namespace tern::cli
