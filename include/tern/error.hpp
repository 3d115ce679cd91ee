#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace tern {

/// Base of all exceptions that Tern throws. what() is a message for people.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Matrices, graphs or row sets whose shapes do not fit together, or that belong to another
/// backend.
class ShapeError : public Error {
 public:
  using Error::Error;
};

/// Input data that cannot be used. what() reads "file:line: what was found, what was expected".
class DataError : public Error {
 public:
  /// line counts from 1; 0 stands for the whole file, and then the message has no line.
  DataError(std::string_view file, std::int64_t line, std::string_view message)
      : Error(locate(file, line) + std::string(message)),
        file_(file),
        line_(line),
        place_(locate(file, line).size()) {}

  const std::string& file() const noexcept { return file_; }
  std::int64_t line() const noexcept { return line_; }
  /// The message without file and line. Valid as long as the exception.
  std::string_view finding() const noexcept { return std::string_view(what()).substr(place_); }

 private:
  static std::string locate(std::string_view file, std::int64_t line) {
    std::string where(file);
    if (line > 0) where.append(1, ':').append(std::to_string(line));
    return where + ": ";
  }

  std::string file_;
  std::int64_t line_;
  std::size_t place_;  // characters of what() that name file and line
};

/// An unknown option, a value of the wrong type or out of range, or options that exclude each
/// other.
class ConfigError : public Error {
 public:
  using Error::Error;
};

/// A loss, gradient or parameter is not finite: training has diverged.
class NumericalFault : public Error {
 public:
  using Error::Error;
};

/// Work that ended early because its caller asked for it.
class Interrupted : public Error {
 public:
  using Error::Error;
};

/// A device that is absent, out of memory, or that reported a failure.
class DeviceError : public Error {
 public:
  using Error::Error;
};

/// Not enough memory on a device or the host; what() names the need and what is free.
class MemoryError : public DeviceError {
 public:
  using DeviceError::DeviceError;
};

}  // namespace tern
