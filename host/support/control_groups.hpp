#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tern {

/// A folder with the files of one control group.
struct ControlGroup {
  std::filesystem::path folder;
  std::string name;  // as "/jobs/7"
  int version = 2;   // of control groups
};

/// The groups of this process and all groups above them whose limits may concern `controller` ("cpu",
/// "memory"), from /proc and /sys under `root`. In a container, where the process sees its own group as
/// the root, a group's folder may not exist, but the root's does.
std::vector<ControlGroup> control_groups(const std::filesystem::path& root,
                                         std::string_view controller);

}  // namespace tern
