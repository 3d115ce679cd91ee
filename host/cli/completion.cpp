// tern completion: scripts by which a shell completes the command line. They hold all words, so that
// a shell need not start the program.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "host/cli/command_tree.hpp"
#include "host/cli/commands.hpp"
#include "host/cli/help.hpp"
#include "host/cli/output.hpp"
#include "host/config/recipes.hpp"
#include "host/support/shell_word.hpp"
#include "tern/config.hpp"

namespace tern::cli {
namespace {

struct CompletionOptions {
  std::string shell;
  std::string out = "-";
};

/// What can stand in the place of a value.
enum class Value : std::uint8_t { kNone, kWords, kFile, kDirectory, kKeys };

struct Completion {
  Value value = Value::kNone;
  std::vector<std::string> words;  // of kWords; of kKeys: the begin of the keys, or none
};

std::vector<std::string> choices_of_key(std::string_view name) {
  for (const ConfigKey& key : config_keys()) {
    if (key.key == name) return choices_of(key.type);
  }
  return {};
}

Completion completion_of(const OptionDescription& option) {
  const std::string& name = option.is_positional ? option.names.front() : option.value;
  if (const std::vector<std::string> words = option.choices(); !words.empty()) {
    return {Value::kWords, words};
  }
  if (option.names.back() == "--device") return {Value::kWords, choices_of_key("train.device")};
  if (option.names.back() == "--recipe") {
    std::vector<std::string> names;
    for (const Recipe& recipe : recipes()) names.emplace_back(recipe.name);
    return {Value::kWords, names};
  }
  if (name == "FILE" || name == "DATA") return {Value::kFile, {}};
  if (name == "DIR" || name == "RUN" || name == "[RUN]") return {Value::kDirectory, {}};
  if (name == "KEY=VALUE") return {Value::kKeys, {}};
  if (name == "data.KEY=VALUE") return {Value::kKeys, {"data."}};
  return {};
}

std::vector<std::string> keys() {
  std::vector<std::string> names;
  for (const ConfigKey& key : config_keys()) names.push_back(key.key);
  return names;
}

/// Lines "key) ACTION ;;" of a case of a shell, for the keys whose values are a choice.
std::string value_cases(std::string_view action) {
  std::string out;
  for (const ConfigKey& key : config_keys()) {
    const std::vector<std::string> words = choices_of(key.type);
    if (words.empty()) continue;
    out +=
        fmt::format("    {}) {} {} ;;\n", key.key, action,
                    action == "compadd" ? fmt::format("{}", fmt::join(words, " "))
                                        : shell_quoted(fmt::format("{}", fmt::join(words, " "))));
  }
  return out;
}

// --- bash -----------------------------------------------------------------------------------------

constexpr std::string_view kBashHelpers = R"(
_tern_words() {
  mapfile -t COMPREPLY < <(compgen -W "$1" -- "$current")
}

_tern_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen "$1" -- "$current")
}

_tern_keys() {
  local key words=
  for key in $_tern_all_keys; do [[ $key != "$1"* ]] || words+=" $key="; done
  compopt -o nospace 2>/dev/null
  _tern_words "$words"
}
)";

// Bash takes "=" for a word of its own.
constexpr std::string_view kBashBegin = R"(
_tern() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} name='' option='' i
  COMPREPLY=()
  if [[ $current == '=' ]]; then
    current='' name=$previous
  elif [[ $previous == '=' ]]; then
    name=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  if [[ $name == -* ]]; then
    previous=$name
  elif [[ -n $name ]]; then
    _tern_values "$name"
    return
  fi
  for ((i = COMP_CWORD - 1; i > 1; --i)); do
    if [[ ${COMP_WORDS[i]} == -* ]]; then
      option=${COMP_WORDS[i]}
      break
    fi
  done
)";

std::string bash_action(const Completion& completion) {
  switch (completion.value) {
    case Value::kWords:
      return "_tern_words " + shell_quoted(fmt::format("{}", fmt::join(completion.words, " ")));
    case Value::kFile:
      return "_tern_files -f";
    case Value::kDirectory:
      return "_tern_files -d";
    case Value::kKeys:
      return "_tern_keys " + shell_quoted(completion.words.empty() ? "" : completion.words.front());
    case Value::kNone:
      break;
  }
  return ":";
}

std::string bash_command(const CommandDescription& command) {
  std::vector<std::string> names;
  std::string single;
  std::string many;
  std::string positional;
  for (const OptionDescription& option : command.options) {
    const std::string action = bash_action(completion_of(option));
    if (option.is_positional) {
      positional = fmt::format("      {}\n", action);
      continue;
    }
    names.insert(names.end(), option.names.begin(), option.names.end());
    if (option.is_flag()) continue;
    (option.takes_many ? many : single) +=
        fmt::format("        {}) {}; return ;;\n", fmt::join(option.names, " | "), action);
  }
  std::string out = fmt::format("    {})\n", command.name);
  out += fmt::format(
      "      if [[ $current == -* ]]; then\n        _tern_words '{}'\n        return\n      fi\n",
      fmt::join(names, " "));
  if (!single.empty()) out += "      case $previous in\n" + single + "      esac\n";
  if (!many.empty()) out += "      case $option in\n" + many + "      esac\n";
  return out + positional + "      ;;\n";
}

std::string bash_script(const std::vector<CommandDescription>& commands) {
  std::vector<std::string> first;
  std::string cases;
  for (const CommandDescription& command : commands) {
    if (&command == &commands.front()) continue;
    first.push_back(command.name);
    cases += bash_command(command);
  }
  for (const OptionDescription& option : commands.front().options) {
    first.insert(first.end(), option.names.begin(), option.names.end());
  }
  return fmt::format(
      "# Completion of tern for bash, made by: tern completion bash\n\n_tern_all_keys='{}'\n{}\n"
      "_tern_values() {{\n  case $1 in\n{}  esac\n}}\n{}"
      "  if ((COMP_CWORD == 1)); then\n    _tern_words '{}'\n    return\n  fi\n"
      "  case ${{COMP_WORDS[1]}} in\n{}  esac\n}}\n\ncomplete -F _tern tern\n",
      fmt::join(keys(), " "), kBashHelpers, value_cases("_tern_words"), kBashBegin,
      fmt::join(first, " "), cases);
}

// --- zsh ------------------------------------------------------------------------------------------

constexpr std::string_view kZshKeys = R"(
# A key of the configuration, then its value. $1: the begin of the keys.
_tern_keys() {
  if ! compset -P '*='; then
    compadd -q -S '=' -- ${(M)_tern_all_keys:#${1}*}
    return
  fi
  local key=${IPREFIX%=}
  case ${key##*=} in
)";

std::string zsh_action(const Completion& completion) {
  switch (completion.value) {
    case Value::kWords:
      return fmt::format("({})", fmt::join(completion.words, " "));
    case Value::kFile:
      return "_files";
    case Value::kDirectory:
      return "_files -/";
    case Value::kKeys:
      // The blank keeps zsh from adding arguments of its own.
      return completion.words.empty() ? " _tern_keys" : " _tern_keys " + completion.words.front();
    case Value::kNone:
      break;
  }
  return " ";
}

/// Text within a specification of zsh's _arguments, in which brackets and colons have a meaning.
std::string zsh_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_argument(const OptionDescription& option) {
  const std::string action = zsh_action(completion_of(option));
  if (option.is_positional) {
    return shell_quoted(fmt::format("{}:{}:{}", option.takes_many ? "*" : "1",
                                    zsh_text(option.names.front()), action));
  }
  std::string rest = fmt::format("[{}]", zsh_text(option.help));
  if (!option.is_flag()) rest += fmt::format(":{}:{}", zsh_text(option.value), action);
  const std::string repeated = option.takes_many ? "*" : "";
  if (option.names.size() == 1) return shell_quoted(repeated + option.names.front() + rest);
  const std::string exclusive =
      option.takes_many ? repeated : fmt::format("({})", fmt::join(option.names, " "));
  return fmt::format("{}{{{}}}{}", shell_quoted(exclusive), fmt::join(option.names, ","),
                     shell_quoted(rest));
}

std::string zsh_script(const std::vector<CommandDescription>& commands) {
  std::string summaries;
  std::string cases;
  for (const CommandDescription& command : commands) {
    if (&command == &commands.front()) continue;
    summaries +=
        fmt::format("        {}\n", shell_quoted(command.name + ":" + zsh_text(command.summary)));
    cases += fmt::format("        {})\n          _arguments -s", command.name);
    for (const OptionDescription& option : command.options) {
      cases += " \\\n            " + zsh_argument(option);
    }
    cases += "\n          ;;\n";
  }
  std::string own;
  for (const OptionDescription& option : commands.front().options) {
    own += zsh_argument(option) + " ";
  }
  return fmt::format(
      "#compdef tern\n# Completion of tern for zsh, made by: tern completion zsh\n\n"
      "typeset -ga _tern_all_keys\n_tern_all_keys=({})\n{}{}  esac\n}}\n\n"
      "_tern() {{\n  local curcontext=$curcontext state line\n"
      "  _arguments -C {}'1: :->command' '*:: :->arguments'\n  case $state in\n    command)\n"
      "      local -a commands=(\n{}      )\n      _describe subcommand commands\n      ;;\n"
      "    arguments)\n      case $words[1] in\n{}      esac\n      ;;\n  esac\n}}\n\n"
      "if [[ $funcstack[1] == _tern ]]; then _tern \"$@\"; else compdef _tern tern; fi\n",
      fmt::join(keys(), " "), kZshKeys, value_cases("compadd"), own, summaries, cases);
}

int complete(const CompletionOptions& options, const CLI::App& program) {
  const std::vector<CommandDescription> commands = describe_commands(program);
  Output out(options.out);
  out.write(options.shell == "bash" ? bash_script(commands) : zsh_script(commands));
  out.finish();
  return kDone;
}

}  // namespace

Command add_completion(CLI::App& program) {
  const auto options = std::make_shared<CompletionOptions>();
  CLI::App* app = program.add_subcommand("completion", "Write a script by which a shell completes");
  add_choice(*app, "SHELL", options->shell, {"bash", "zsh"}, "the shell: bash or zsh")->required();
  app->add_option("-o,--output", options->out, "file to write; - is standard output")
      ->type_name("FILE")
      ->capture_default_str();
  app->footer(
      "For one session of bash: source <(tern completion bash)\n"
      "For one session of zsh:  source <(tern completion zsh), after compinit\n"
      "cmake --install puts both scripts, and the manual page of tern man, where shells and man\n"
      "look for them.");
  return {app, [options, &program] { return complete(*options, program); }};
}

}  // namespace tern::cli
