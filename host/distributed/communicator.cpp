#include "host/distributed/communicator.hpp"

#include <vector>

namespace tern::distributed {

void Communicator::barrier() {
  const std::vector<std::size_t> sizes(static_cast<std::size_t>(size()), 1);
  std::vector<std::byte> all(sizes.size());
  const std::byte own{};
  all_gather({&own, 1}, sizes, all);
}

}  // namespace tern::distributed
