#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "host/distributed/rendezvous.hpp"

namespace tern::distributed {

/// The value of an environment variable; null if it is not set.
using GetVariable = std::function<const char*(const char* name)>;

/// The place that the environment gives this process; none if it is alone. In this order:
///   TERN_RANK, TERN_RANKS, TERN_MASTER             set by hand
///   OMPI_COMM_WORLD_RANK, OMPI_COMM_WORLD_SIZE     mpirun of Open MPI; TERN_MASTER, or on one host a
///                                                  port of the machine itself that depends on the job
///   SLURM_PROCID, SLURM_STEP_NUM_TASKS             srun; TERN_MASTER, or the step's first node and a
///                                                  port that depends on the job
/// Throws ConfigError if a variable is missing or no number of its range.
std::optional<RankPlace> find_place(const GetVariable& get);

/// The first host of a list as SLURM writes it: "node07" of "node[07-09,12],gpu1".
std::string first_host(std::string_view list);

}  // namespace tern::distributed
