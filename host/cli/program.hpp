#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <vector>

#include "host/cli/commands.hpp"

namespace tern::cli {

/// Runs body. Any exception becomes one line "tern: ..." on standard error and an exit code: 2 for
/// usage and configuration, 65 for bad input data, the code of the rank that failed if another one has, 1
/// for every other failure.
int guarded(const std::function<int()>& body) noexcept;

/// Parses the command line and runs the subcommand that it names; prints help and version.
/// Throws ConfigError, with a hint, on a wrong command line.
int run_command(CLI::App& program, const std::vector<Command>& commands, int argc, char** argv);

}  // namespace tern::cli
