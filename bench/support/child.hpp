#pragma once

#include <string>
#include <vector>

namespace tern::bench {

/// Runs this program again with these arguments, in a process of its own, waits for its end, and returns what it
/// wrote to standard output. Standard error is shared. The process does not outlive this one. Throws Error if
/// it cannot be started, or ends with anything but 0.
std::string run_again(const std::vector<std::string>& arguments);

}  // namespace tern::bench
