// Configurations: a TOML file, or lines of key=value as for --set. Promises: refused input changes
// nothing; an accepted configuration, written and read again, is equal; validate() throws nothing
// but ConfigError.

#include "tern/config.hpp"

#include "tests/fuzz/targets.hpp"

namespace tern::fuzz {
namespace {

/// The configuration as text; empty if it holds a string that is not UTF-8, which TOML cannot hold.
std::string written(const Config& config) {
  const auto text = attempt([&] { return write_config(config); });
  return accepted(text) != nullptr ? *accepted(text) : "";
}

void set_lines(Config& config, std::string_view text) {
  Config accepted_only;
  while (!text.empty()) {
    const std::size_t stop = text.find('\n');
    const std::string_view line = text.substr(0, stop);
    text.remove_prefix(stop == std::string_view::npos ? text.size() : stop + 1);
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view key = line.substr(0, equals);
    const auto set = attempt([&] {
      set_config(config, key, line.substr(equals + 1));
      return true;
    });
    if (accepted(set) != nullptr) set_config(accepted_only, key, line.substr(equals + 1));
  }
  require(written(config) == written(accepted_only), "a refused key is set");
}

void read_text(Config& config, std::string_view text) {
  const std::filesystem::path path = scratch_file("config.toml", text);
  const auto read = attempt([&] {
    read_config(config, path);
    return true;
  });
  require(accepted(read) != nullptr || written(config) == written(Config{}),
          "a refused file leaves something behind");
}

}  // namespace

void read_configuration(Input input) {
  Config config;
  if (input.byte() % 2 != 0) {
    set_lines(config, input.rest());
  } else {
    read_text(config, input.rest());
  }
  static_cast<void>(attempt([&] {
    validate(config);
    return true;
  }));
  const std::string text = written(config);
  if (text.empty()) return;
  Config again;
  read_config(again, scratch_file("written.toml", text));
  require(written(again) == text, "written, it reads otherwise");
}

}  // namespace tern::fuzz
