#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "tern/error.hpp"

namespace tern::fuzz {

/// The code under test broke a promise. Only the replay catches it.
class Broken : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

inline void require(bool kept, const std::string& promise) {
  if (!kept) throw Broken(promise);
}

/// A fuzzer's bytes: the first ones choose options, the rest is the input.
class Input {
 public:
  explicit Input(std::string_view bytes) : bytes_(bytes) {}

  /// The next byte; 0 at the end.
  unsigned byte() {
    if (bytes_.empty()) return 0;
    const auto value = static_cast<unsigned char>(bytes_.front());
    bytes_.remove_prefix(1);
    return value;
  }
  std::string_view rest() const { return bytes_; }

 private:
  std::string_view bytes_;
};

/// Throws Broken unless a message fits one line of a log: bounded length, UTF-8, no control
/// characters.
void require_one_line(std::string_view text);

/// The value that a body returned, or the message with which it refused its input.
template <typename Value>
using Outcome = std::variant<Value, std::string>;

/// Runs body, which may refuse its input by a DataError or ConfigError that fits one line. Any other
/// exception counts as a crash.
template <typename Body>
auto attempt(const Body& body) -> Outcome<decltype(body())> {
  std::string refusal;
  try {
    return Outcome<decltype(body())>(std::in_place_index<0>, body());
  } catch (const DataError& error) {
    refusal = error.what();
  } catch (const ConfigError& error) {
    refusal = error.what();
  }
  require_one_line(refusal);
  return Outcome<decltype(body())>(std::in_place_index<1>, std::move(refusal));
}

/// The value, or null if the input was refused.
template <typename Value>
const Value* accepted(const Outcome<Value>& outcome) {
  return std::get_if<0>(&outcome);
}

/// A directory of this process, removed at its end; in memory if /dev/shm exists.
const std::filesystem::path& scratch_directory();
/// Writes a file in scratch_directory() and returns its path.
std::filesystem::path scratch_file(const std::string& name, std::string_view bytes);

/// A reader under test. run() returns if the reader keeps its promises, which are listed at the top of
/// the target's file.
struct Target {
  std::string_view name;
  void (*run)(Input input);
};

std::span<const Target> targets();
/// Throws Error on an unknown name.
const Target& find_target(std::string_view name);

}  // namespace tern::fuzz
