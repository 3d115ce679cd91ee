#pragma once

#include <string>
#include <vector>

#include "host/distributed/sockets.hpp"
#include "host/support/clock.hpp"
#include "host/support/unique_fd.hpp"

namespace tern::distributed {

/// The place of this process among the ranks of a training.
struct RankPlace {
  int rank = 0;
  int ranks = 1;
  /// Where rank 0 waits for the others.
  Address master;
  /// Names the job, so that ranks of another one are turned away; may be empty.
  std::string job;
};

/// The connections between this rank and another.
struct Connections {
  std::string host;  // of the other rank; its own at this rank's place in the list
  UniqueFd data;     // to every other rank
  UniqueFd watch;    // between rank 0 and each other rank
};

/// Connects all ranks with each other: the others report to rank 0 at the master's address, learn from
/// it where all of them listen, and each connects to those before it. The result has an element for
/// each rank. Throws Error, naming the ranks that are missing, at the deadline, and if the ranks do not fit
/// together.
std::vector<Connections> meet(const RankPlace& place, Clock::time_point deadline);

}  // namespace tern::distributed
