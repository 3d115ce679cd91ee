#include "host/cli/program.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "host/cli/commands.hpp"
#include "host/cli/console.hpp"
#include "host/cli/help.hpp"
#include "host/cli/output.hpp"
#include "host/cli/shortage.hpp"
#include "host/cli/signals.hpp"
#include "host/cli/suggestions.hpp"
#include "tern/error.hpp"
#include "tern/version.hpp"

namespace tern::cli {
namespace {

int report(ExitCode code, std::string_view message) {
  Console(Console::Mode::kTalk).line("tern: " + std::string(message));
  return code;
}

const CLI::App& chosen(const CLI::App& program) {
  const auto subcommands = program.get_subcommands();
  return subcommands.empty() ? program : *subcommands.front();
}

// CLI11 reads a word in brackets as a list if an option takes several values: the user "[deleted]"
// would become "deleted". A mark at the end hides the bracket during parsing.
constexpr char kMark = '\x01';

std::string unmarked(std::string word) {
  if (word.ends_with(kMark)) word.pop_back();
  return word;
}

// The words as parse() expects them: in reverse, without the program's name.
std::vector<std::string> marked_words(int argc, char** argv) {
  std::vector<std::string> words;
  for (int i = argc - 1; i > 0; --i) {
    words.emplace_back(argv[i]);
    if (words.back().ends_with(']')) words.back() += kMark;
  }
  return words;
}

void unmark_values(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    if (option->get_items_expected_max() == 0) continue;  // a flag
    const auto unmark = [](std::string& word) {
      word = unmarked(std::move(word));
      return std::string();
    };
    option->transform(CLI::Validator(unmark, "", ""));
  }
}

// The word after an option, unless it is another option.
std::string value_after(std::string_view option, int argc, char** argv) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (argv[i] == option && argv[i + 1][0] != '-') return argv[i + 1];
  }
  return "";
}

// A message on the first word that no option and no positional accepted.
std::string unexpected(const CLI::App& program, int argc, char** argv) {
  const CLI::App& app = chosen(program);
  const std::string place = &app == &program ? "tern" : "tern " + app.get_name();
  for (std::string word : program.remaining(true)) {
    word = unmarked(std::move(word));
    if (word.starts_with("-")) {
      const std::size_t equals = word.find('=');
      const std::string name = word.substr(0, equals);
      const std::string value =
          equals == std::string::npos ? value_after(name, argc, argv) : word.substr(equals + 1);
      return fmt::format("{} has no option {}{}", place, name,
                         did_you_mean_option(app, name, value));
    }
    return fmt::format("{0} does not expect \"{1}\" (see {0} --help)", place, word);
  }
  return "unexpected arguments";
}

void check_subcommand(const std::vector<Command>& commands, int argc, char** argv) {
  if (argc < 2) throw ConfigError("the subcommand is missing (see tern --help)");
  const std::string word = argv[1];
  if (word.starts_with("-")) return;
  std::vector<std::string> names;
  names.reserve(commands.size());
  for (const Command& command : commands) names.push_back(command.app->get_name());
  if (std::find(names.begin(), names.end(), word) == names.end()) {
    throw ConfigError("there is no subcommand \"" + word + "\"" + did_you_mean(word, names) +
                      " (see tern --help)");
  }
}

}  // namespace

int guarded(const std::function<int()>& body) noexcept {
  try {
    ignore_broken_pipes();
    return body();
  } catch (const ReaderGone&) {
    return kDone;
  } catch (const ConfigError& error) {
    return report(kUsage, error.what());
  } catch (const DataError& error) {
    return report(kBadData, error.what());
  } catch (const MemoryError& error) {
    return report_shortage(error.what());
  } catch (const std::bad_alloc&) {
    return report_shortage("out of memory");
  } catch (const std::exception& error) {
    return report(kFailed, error.what());
  } catch (...) {
    return report(kFailed, "unknown failure");
  }
}

int run_command(CLI::App& program, const std::vector<Command>& commands, int argc, char** argv) {
  program.name("tern");

  program.require_subcommand(1);
  program.set_version_flag("--version", "tern " + std::string(version()));
  program.footer("tern SUBCOMMAND --help describes each of them.");
  check_subcommand(commands, argc, argv);
  for (const Command& command : commands) unmark_values(*command.app);
  try {
    program.parse(marked_words(argc, argv));
  } catch (const CLI::CallForHelp&) {
    print(program.help());
    return kDone;
  } catch (const CLI::CallForVersion& version) {
    print(std::string(version.what()) + "\n");
    return kDone;
  } catch (const CLI::ExtrasError&) {
    throw ConfigError(unexpected(program, argc, argv));
  } catch (const CLI::RequiredError& error) {
    // A missing required option may be present under another name.
    const std::vector<std::string> left = program.remaining(true);
    if (std::any_of(left.begin(), left.end(), [](auto& word) { return word.starts_with('-'); })) {
      throw ConfigError(unexpected(program, argc, argv));
    }
    throw ConfigError(error.what());
  } catch (const CLI::ParseError& error) {
    throw ConfigError(error.what());
  }
  for (const Command& command : commands) {
    if (command.app->parsed()) return command.run();
  }
  return kUsage;  // not reached: one subcommand is required
}

}  // namespace tern::cli
