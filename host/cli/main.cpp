// The program: each subcommand is a file of this folder.

#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "host/cli/commands.hpp"
#include "host/cli/help.hpp"
#include "host/cli/program.hpp"

int main(int argc, char** argv) {
  using namespace tern::cli;
  const int code = guarded([&] {
    CLI::App program(
        "Tern trains graph recommenders on a table of users and the items they interacted with.");
    program.formatter(std::make_shared<HelpFormatter>());
    const std::vector<Command> commands{
        add_train(program),       // learn embeddings, into a run directory
        add_evaluate(program),    // metrics of a run on held-out interactions
        add_recommend(program),   // the best items for users
        add_score(program),       // the model's score of given pairs
        add_similar(program),     // nearest neighbours by cosine
        add_report(program),      // a page of charts, as HTML
        add_export(program),      // embeddings for other programs
        add_inspect(program),     // summary of a data set
        add_split(program),       // a split as files
        add_generate(program),    // synthetic data
        add_gradcheck(program),   // gradients against differences
        add_info(program),        // this build and this machine
        add_completion(program),  // words for a shell
        add_man(program),         // the manual page
    };
    return run_command(program, commands, argc, argv);
  });
  // exit() waits for OpenBLAS's own threads, which wait forever for memory that a limit of the
  // address space refuses.
  rlimit space{};
  if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY) {
    std::fflush(nullptr);
    std::_Exit(code);
  }
  return code;
}
