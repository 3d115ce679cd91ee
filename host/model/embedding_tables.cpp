#include "host/model/embedding_tables.hpp"

namespace tern {

void initialize_tables(Backend& backend, SidePair& tables, double deviation, Seed seed) {
  for (const Side side : kSides) {
    initialize_normal(backend, tables[side], deviation, seed, static_cast<std::uint32_t>(side));
  }
}

std::vector<Parameter> table_parameters(SidePair& tables, SidePair& gradients) {
  return {{"user_embedding", Side::kUser, &tables[Side::kUser], &gradients[Side::kUser], nullptr},
          {"item_embedding", Side::kItem, &tables[Side::kItem], &gradients[Side::kItem], nullptr}};
}

}  // namespace tern
