#include "host/cli/program.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <filesystem>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "host/cli/commands.hpp"
#include "host/cli/console.hpp"
#include "host/cli/help.hpp"
#include "host/cli/output.hpp"
#include "host/cli/shortage.hpp"
#include "host/cli/signals.hpp"
#include "host/cli/suggestions.hpp"
#include "host/distributed/communicator.hpp"
#include "host/support/message.hpp"
#include "tern/error.hpp"
#include "tern/version.hpp"

namespace tern::cli {
namespace {

int report(int code, std::string_view message) {
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

// The words as parse() expects them: in reverse.
std::vector<std::string> marked_words(std::vector<std::string> words) {
  std::reverse(words.begin(), words.end());
  for (std::string& word : words) {
    if (word.ends_with(']')) word += kMark;
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

// An option that takes all words up to the next option, and the places of these words.
struct WordList {
  std::string option;
  std::vector<std::size_t> places;
};

// words: those of the command line, from the subcommand on.
std::vector<WordList> find_lists(const CLI::App& app, const std::vector<std::string>& words) {
  std::vector<WordList> lists;
  bool in_list = false;
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (words[i].size() > 1 && words[i].starts_with('-')) {
      const std::string name = words[i].substr(0, words[i].find('='));
      const CLI::Option* option = app.get_option_no_throw(name);
      in_list = option != nullptr && option->get_items_expected_max() > 1;
      if (in_list) lists.push_back({name, {}});
    } else if (in_list) {
      lists.back().places.push_back(i);
    }
  }
  return lists;
}

bool lacks_run(const CLI::App& app) {
  const CLI::Option* run = app.get_option_no_throw("RUN");
  return run != nullptr && run->count() == 0;
}

[[noreturn]] void fail_without_run(const CLI::App& app, const std::vector<std::string>& words) {
  std::string message =
      fmt::format("RUN is missing: name the run directory right after {}", app.get_name());
  for (const WordList& list : find_lists(app, words)) {
    std::string taken;
    for (const std::size_t place : list.places) {
      taken += (taken.empty() ? "" : ", ") + quote(words[place]);
    }
    if (taken.empty()) continue;
    message += fmt::format("; {} takes every word up to the next option: {}", list.option, taken);
  }
  throw ConfigError(message);
}

// "--user a b RUN -k 5": if RUN is missing, and a list ends with a directory, this is RUN.
void parse_words(CLI::App& program, std::vector<std::string> words) {
  try {
    program.parse(marked_words(words));
  } catch (const CLI::RequiredError&) {
    const CLI::App& app = chosen(program);
    if (!lacks_run(app)) throw;
    for (const WordList& list : find_lists(app, words)) {
      std::error_code unknown_kind;
      if (list.places.empty() ||
          !std::filesystem::is_directory(words[list.places.back()], unknown_kind)) {
        continue;
      }
      const auto run = words.begin() + static_cast<std::ptrdiff_t>(list.places.back());
      std::rotate(words.begin() + 1, run, run + 1);
      program.parse(marked_words(words));
      return;
    }
    throw;
  }
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
  } catch (const distributed::ReportedLoss& loss) {
    return loss.code();  // rank 0 prints it
  } catch (const distributed::LostRank& loss) {
    return report(loss.code(), loss.what());
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
  const std::vector<std::string> words(argv + 1, argv + argc);
  try {
    parse_words(program, words);
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
    if (lacks_run(chosen(program))) fail_without_run(chosen(program), words);
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
