#pragma once

#include <string_view>

#include "host/cli/commands.hpp"

namespace tern::cli {

/// Prints one line: the finding, the free memory and what to change. Returns kFailed.
ExitCode report_shortage(std::string_view finding) noexcept;

/// From now on, an exception for lack of memory that no handler can catch, as in a thread of a
/// parallel region, ends the process with the same line.
void report_shortage_in_threads() noexcept;

}  // namespace tern::cli
