#pragma once

#include <string_view>

#include "host/cli/commands.hpp"

namespace tern::cli {

/// Prints one line: the finding, the free memory and what to change. Returns kFailed.
ExitCode report_shortage(std::string_view finding) noexcept;

}  // namespace tern::cli
