#pragma once

#include <functional>
#include <string_view>

namespace tern {

/// Gets the messages of a job, on its thread. Members may be empty.
struct JobLog {
  std::function<void(std::string_view)> line;
  std::function<void(std::string_view)> warning;

  void note(std::string_view text) const {
    if (line) line(text);
  }
  void warn(std::string_view text) const {
    if (warning) warning(text);
  }
};

}  // namespace tern
