#include "host/data/interaction_rows.hpp"

#include <utility>

#include "host/data/pool.hpp"
#include "host/data/sources.hpp"

namespace tern {

InteractionRows read_interaction_rows(const std::filesystem::path& file,
                                      const DataOptions& options) {
  InteractionRows result;
  Pool pool = read_pool(find_sources(file), options, PoolUse::kRows, result.notes);
  result.rows.assign(pool.parts[0].pairs.begin(), pool.parts[0].pairs.end());
  result.users = std::move(pool.users.names);
  result.items = std::move(pool.items.names);
  return result;
}

}  // namespace tern
