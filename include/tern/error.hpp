#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace tern {

/// Base of everything that Tern throws on purpose. what() is one complete sentence for a person.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Matrices, graphs or row sets whose shapes do not fit each other, or that another backend owns.
class ShapeError : public Error {
 public:
  using Error::Error;
};

/// Input data that cannot be used. what() reads "file:line: what was found, what was expected".
class DataError : public Error {
 public:
  /// line counts from 1; 0 means that the whole file is meant, and leaves the number out.
  DataError(std::string_view file, std::int64_t line, std::string_view message)
      : Error(locate(file, line) + std::string(message)), file_(file), line_(line) {}

  const std::string& file() const noexcept { return file_; }
  std::int64_t line() const noexcept { return line_; }

 private:
  static std::string locate(std::string_view file, std::int64_t line) {
    std::string where(file);
    if (line > 0) where.append(1, ':').append(std::to_string(line));
    return where + ": ";
  }

  std::string file_;
  std::int64_t line_;
};

/// An unknown option, a value of the wrong type or out of range, or options that exclude each
/// other.
class ConfigError : public Error {
 public:
  using Error::Error;
};

/// Numbers that are not finite any more: training has diverged.
class NumericalFault : public Error {
 public:
  using Error::Error;
};

/// Work that ended early because its caller asked for that.
class Interrupted : public Error {
 public:
  using Error::Error;
};

/// A device that is absent, out of memory, or that reported a failure.
class DeviceError : public Error {
 public:
  using Error::Error;
};

/// Memory of a device or of the host that is short: how much was needed, and how much is free.
class MemoryError : public DeviceError {
 public:
  using DeviceError::DeviceError;
};

}  // namespace tern
