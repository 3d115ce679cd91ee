#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tern::bench {

/// Entries of the JSON's context, by name.
using Context = std::vector<std::pair<std::string, std::string>>;

/// The commit that the program was built from, ending with "-changed" if files differed from it;
/// "unknown" for sources outside of a clone.
std::string_view commit();

/// The load of the machine: processes that ran or waited over the last minute, as "2.31 of 2".
std::string machine_load();

/// Version, commit, compiler, flags and build type of the program; system, processor, its clock now and at
/// most, its governor. An entry is empty if the system does not state it.
Context machine_context();

}  // namespace tern::bench
