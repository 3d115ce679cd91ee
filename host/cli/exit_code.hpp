#pragma once

namespace tern::cli {

/// What the program answers to the shell. 65 and 75 are sysexits.h's EX_DATAERR and EX_TEMPFAIL.
enum ExitCode : int {
  kDone = 0,
  kFailed = 1,
  kUsage = 2,
  kBadData = 65,
  kStopped = 75,
};

}  // namespace tern::cli
