#include "tests/fuzz/targets.hpp"

#include <algorithm>
#include <array>

namespace tern::fuzz {
namespace {

constexpr std::array<Target, 11> kTargets{{{"adjacency", read_adjacency},
                                           {"interaction_table", read_interaction_table},
                                           {"recognition", recognise_text},
                                           {"feature_table", read_feature_table},
                                           {"vocabulary", read_vocabulary},
                                           {"npy", read_npy_file},
                                           {"npz", read_npz_file},
                                           {"safetensors", read_safetensors_file},
                                           {"config", read_configuration},
                                           {"compressed", read_compressed},
                                           {"dataset", load_data_set}}};

}  // namespace

std::span<const Target> targets() {
  return kTargets;
}

const Target& find_target(std::string_view name) {
  const auto found = std::find_if(kTargets.begin(), kTargets.end(),
                                  [&](const Target& target) { return target.name == name; });
  if (found == kTargets.end()) {
    throw Error("no fuzz target \"" + std::string(name) + "\"");
  }
  return *found;
}

}  // namespace tern::fuzz
