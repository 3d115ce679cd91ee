#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace tern::cli {

/// A subcommand: how it is recognised, and what it does once the command line is known. run()
/// answers an exit code and may throw what tern/error.hpp has.
struct Command {
  CLI::App* app;
  std::function<int()> run;
};

// One file each, named after the subcommand.
Command add_train(CLI::App& program);
Command add_evaluate(CLI::App& program);
Command add_recommend(CLI::App& program);
Command add_similar(CLI::App& program);
Command add_export(CLI::App& program);
Command add_inspect(CLI::App& program);
Command add_generate(CLI::App& program);
Command add_gradcheck(CLI::App& program);
Command add_info(CLI::App& program);

}  // namespace tern::cli
