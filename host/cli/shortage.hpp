#pragma once

#include <string_view>

#include "host/cli/exit_code.hpp"

namespace tern::cli {

/// Says in one line what was needed, what is free and what to change. Answers kFailed.
ExitCode report_shortage(std::string_view finding) noexcept;

/// From now on a shortage that no handler can be reached from, as in a thread of a parallel region,
/// ends the process with a line likewise.
void report_shortage_in_threads() noexcept;

}  // namespace tern::cli
