#include "host/support/control_groups.hpp"

#include <fmt/format.h>

#include <fstream>
#include <sstream>

namespace tern {
namespace {

bool lists(const std::string& controllers, std::string_view wanted) {
  std::istringstream names(controllers);
  for (std::string name; std::getline(names, name, ',');) {
    if (name == wanted) return true;
  }
  return false;
}

void add_group_and_above(const std::filesystem::path& mount, const std::string& group, int version,
                         std::vector<ControlGroup>& found) {
  std::filesystem::path below = std::filesystem::path(group).relative_path();
  for (;;) {
    found.push_back({mount / below, fmt::format("/{}", below.string()), version});
    if (below.empty()) return;
    below = below.parent_path();
  }
}

}  // namespace

std::vector<ControlGroup> control_groups(const std::filesystem::path& root,
                                         std::string_view controller) {
  std::vector<ControlGroup> found;
  // Lines of "number:controllers:/path"; version 2 is "0::/path".
  std::ifstream groups(root / "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string group = line.substr(second + 1);
    const std::filesystem::path mounts = root / "sys/fs/cgroup";
    if (controllers.empty()) add_group_and_above(mounts, group, 2, found);
    if (lists(controllers, controller)) add_group_and_above(mounts / controller, group, 1, found);
  }
  return found;
}

}  // namespace tern
