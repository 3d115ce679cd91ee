// tern man: the manual page, made from the texts of --help.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/cli/command_tree.hpp"
#include "host/cli/commands.hpp"
#include "host/cli/output.hpp"
#include "tern/version.hpp"

namespace tern::cli {
namespace {

struct ManOptions {
  std::string out = "-";
};

/// Text for roff: a minus stays one, and no line is taken for a request.
std::string roff(std::string_view text) {
  std::string out;
  bool begins_line = true;
  for (const char c : text) {
    if (begins_line && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
    begins_line = c == '\n';
  }
  return out;
}

/// A footer of --help, whose lines stay as they are.
std::string as_it_stands(std::string_view text) {
  std::string out = ".PP\n.nf\n";
  bool was_empty = true;  // roff warns of empty lines at the begin
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line.empty()) {
      if (!was_empty && !rest.empty()) out += ".sp\n";
    } else {
      out += roff(line) + "\n";
    }
    was_empty = line.empty();
  }
  return out + ".fi\n";
}

std::string heading_of(const OptionDescription& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.names) names.push_back("\\fB" + roff(name) + "\\fR");
  std::string head = fmt::format("{}", fmt::join(names, ", "));
  if (!option.is_positional && !option.is_flag()) head += " \\fI" + roff(option.value) + "\\fR";
  return head;
}

std::string option_text(const OptionDescription& option) {
  std::string help = option.help;
  if (!option.default_value.empty()) help += " [" + option.default_value + "]";
  return fmt::format(".TP\n{}\n{}\n", heading_of(option), roff(help));
}

std::string command_text(const CommandDescription& command) {
  std::string usage = fmt::format("\\fBtern {}\\fR", roff(command.name));
  for (const OptionDescription& option : command.options) {
    if (!option.is_positional) continue;
    usage +=
        fmt::format(" \\fI{}\\fR{}", roff(option.names.front()), option.takes_many ? "..." : "");
  }
  std::string out = fmt::format(".SS {}\n{}.\n.PP\n{} [\\fIOPTIONS\\fR]\n", roff(command.name),
                                roff(command.summary), usage);
  for (const OptionDescription& option : command.options) out += option_text(option);
  if (!command.footer.empty()) out += as_it_stands(command.footer);
  return out;
}

std::string page(const std::vector<CommandDescription>& commands) {
  const CommandDescription& program = commands.front();
  std::string out = fmt::format(
      ".TH TERN 1 \"\" \"tern {}\" \"User Commands\"\n"
      ".SH NAME\ntern \\- train graph recommenders\n"
      ".SH SYNOPSIS\n\\fBtern\\fR \\fISUBCOMMAND\\fR [\\fIOPTIONS\\fR]\n"
      ".SH DESCRIPTION\n{}\n.PP\nData goes to standard output, messages and progress to standard "
      "error.\n.SH OPTIONS\n",
      version(), roff(program.summary));
  for (const OptionDescription& option : program.options) out += option_text(option);
  out += ".SH SUBCOMMANDS\n";
  for (std::size_t i = 1; i < commands.size(); ++i) out += command_text(commands[i]);
  out += ".SH EXIT STATUS\n";
  constexpr std::array<std::pair<ExitCode, std::string_view>, 5> kCodes{
      {{kDone, "done"},
       {kFailed, "failed"},
       {kUsage, "wrong usage or configuration"},
       {kBadData, "bad input data"},
       {kStopped, "stopped by a signal, after a checkpoint was written"}}};
  for (const auto& [code, meaning] : kCodes) {
    out += fmt::format(".TP\n\\fB{}\\fR\n{}\n", static_cast<int>(code), roff(meaning));
  }
  return out;
}

}  // namespace

Command add_man(CLI::App& program) {
  const auto options = std::make_shared<ManOptions>();
  CLI::App* app = program.add_subcommand("man", "Write the manual page: tern man | man -l -");
  app->add_option("-o,--output", options->out, "file to write; - is standard output")
      ->type_name("FILE")
      ->capture_default_str();
  return {app, [options, &program] {
            Output out(options->out);
            out.write(page(describe_commands(program)));
            out.finish();
            return kDone;
          }};
}

}  // namespace tern::cli
