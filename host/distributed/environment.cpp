#include "host/distributed/environment.hpp"

#include <fmt/format.h>

#include <charconv>
#include <limits>

#include "host/support/hash.hpp"
#include "host/support/message.hpp"
#include "tern/error.hpp"

namespace tern::distributed {
namespace {

constexpr const char* kMaster = "TERN_MASTER";

std::string text_of(const GetVariable& get, const char* name) {
  const char* value = get(name);
  return value == nullptr ? "" : value;
}

int number_in(const GetVariable& get, const char* name, int least, int most) {
  const std::string text = text_of(get, name);
  int number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < least || number > most) {
    throw ConfigError(fmt::format("{}: found {}, expected a number from {} to {}", name,
                                  quote(text), least, most));
  }
  return number;
}

/// Rank and number of ranks from two variables.
RankPlace numbers_of(const GetVariable& get, const char* rank, const char* ranks) {
  // Each rank has at least one column of a table.
  constexpr int kMax = std::numeric_limits<std::int16_t>::max();
  RankPlace place;
  place.ranks = number_in(get, ranks, 1, kMax);
  place.rank = number_in(get, rank, 0, place.ranks - 1);
  return place;
}

/// A port for the job, below those that systems give away by themselves. Jobs at the same port turn each
/// other's ranks away.
std::uint16_t port_for(const std::string& job) {
  constexpr std::uint64_t kFirst = 20000;
  constexpr std::uint64_t kPorts = 10000;
  return static_cast<std::uint16_t>(kFirst + hash_text(job) % kPorts);
}

RankPlace place_by_hand(const GetVariable& get) {
  RankPlace place = numbers_of(get, "TERN_RANK", "TERN_RANKS");
  if (place.ranks > 1) place.master = parse_address(text_of(get, kMaster), kMaster);
  return place;
}

RankPlace place_by_mpirun(const GetVariable& get) {
  RankPlace place = numbers_of(get, "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE");
  if (place.ranks == 1) return place;
  place.job = "mpi " + text_of(get, "PMIX_NAMESPACE");
  if (get(kMaster) != nullptr) {
    place.master = parse_address(text_of(get, kMaster), kMaster);
  } else if (number_in(get, "OMPI_COMM_WORLD_LOCAL_SIZE", 1, place.ranks) == place.ranks) {
    place.master = {"127.0.0.1", port_for(place.job)};
  } else {
    throw ConfigError(
        "TERN_MASTER is missing, which ranks on several hosts need: mpirun -x "
        "TERN_MASTER=HOST:PORT ..., the host of rank 0 and a free port there");
  }
  return place;
}

RankPlace place_by_srun(const GetVariable& get) {
  RankPlace place = numbers_of(get, "SLURM_PROCID", "SLURM_STEP_NUM_TASKS");
  if (place.ranks == 1) return place;
  place.job =
      fmt::format("slurm {}.{}", text_of(get, "SLURM_JOB_ID"), text_of(get, "SLURM_STEP_ID"));
  if (get(kMaster) != nullptr) {
    place.master = parse_address(text_of(get, kMaster), kMaster);
    return place;
  }
  place.master = {first_host(text_of(get, "SLURM_STEP_NODELIST")), port_for(place.job)};
  if (place.master.host.empty()) {
    throw ConfigError("SLURM_STEP_NODELIST is missing: set TERN_MASTER=HOST:PORT");
  }
  return place;
}

}  // namespace

std::string first_host(std::string_view list) {
  std::string host;
  bool in_brackets = false;
  bool taken = false;  // the first number of the brackets
  for (const char c : list) {
    if (c == ',' && !in_brackets) break;
    if (c == '[') {
      in_brackets = true;
      taken = false;
    } else if (c == ']') {
      in_brackets = false;
    } else if (in_brackets && (c == ',' || c == '-')) {
      taken = true;
    } else if (!in_brackets || !taken) {
      host += c;
    }
  }
  return host;
}

std::optional<RankPlace> find_place(const GetVariable& get) {
  std::optional<RankPlace> place;
  if (get("TERN_RANK") != nullptr || get("TERN_RANKS") != nullptr) {
    place = place_by_hand(get);
  } else if (get("OMPI_COMM_WORLD_SIZE") != nullptr) {
    place = place_by_mpirun(get);
  } else if (get("SLURM_STEP_NUM_TASKS") != nullptr) {
    place = place_by_srun(get);
  }
  if (place && place->ranks == 1) place.reset();
  return place;
}

}  // namespace tern::distributed
