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

/// A promise that the code under test did not keep. Nothing catches it but the replay.
class Broken : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

inline void require(bool kept, const std::string& promise) {
  if (!kept) throw Broken(promise);
}

/// What a fuzzer makes up: some bytes that choose options, then what is to be read.
class Input {
 public:
  explicit Input(std::string_view bytes) : bytes_(bytes) {}

  /// The next byte; 0 where there is none left.
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

/// Throws Broken unless a text for people fits one line of a log: of bounded length, UTF-8, without
/// control characters.
void require_one_line(std::string_view text);

/// What a body returned, or what it said when it refused its input.
template <typename Value>
using Outcome = std::variant<Value, std::string>;

/// Runs body, which may refuse its input by DataError or ConfigError with a message in good form.
/// Whatever else it throws goes on, and is a crash.
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

/// The value, or null where the input was refused.
template <typename Value>
const Value* accepted(const Outcome<Value>& outcome) {
  return std::get_if<0>(&outcome);
}

/// A place for files, of this process alone, gone with it; in memory where there is /dev/shm.
const std::filesystem::path& scratch_directory();
/// Writes a file there and returns its path.
std::filesystem::path scratch_file(const std::string& name, std::string_view bytes);

/// One thing that reads input from outside. run returns where it kept its promises, which stand at
/// the top of the target's file.
struct Target {
  std::string_view name;
  void (*run)(Input input);
};

std::span<const Target> targets();
/// Throws Error on an unknown name.
const Target& find_target(std::string_view name);

}  // namespace tern::fuzz
