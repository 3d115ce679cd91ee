#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace tern {

/// The folder `checkpoints` of a run. Training states are called epoch-000012.safetensors, or
/// epoch-000012-step-000345.safetensors within an epoch; the parameters of an epoch that was the
/// best so far are called best-000010.safetensors. A best file is written before the state that
/// refers to it, and removed only when no remaining state refers to it: after a kill at any
/// instant, the best parameters of every state are there.
class CheckpointFolder {
 public:
  explicit CheckpointFolder(std::filesystem::path path) : path_(std::move(path)) {}

  const std::filesystem::path& path() const noexcept { return path_; }

  struct Entry {
    std::filesystem::path path;
    int epoch = 0;
    std::int64_t step = 0;
  };
  /// Newest first; none if there is no folder.
  std::vector<Entry> states() const;
  std::vector<Entry> bests() const;

  std::filesystem::path state_path(int epoch, std::int64_t step) const;
  std::filesystem::path best_path(int epoch) const;

  /// Call it after the state of this place was written. Removes all states but the newest
  /// `keep`, and every best file that no remaining state refers to. Newer states belong to a
  /// training that was abandoned, or are damaged: they are renamed to NAME.aside and no longer
  /// count as states. A file that cannot be removed stays.
  void prune(int epoch, std::int64_t step, int keep) const;
  /// Removes the best files that no state refers to, except those of these epochs.
  void prune_bests(const std::set<int>& also) const;
  /// Call it before training continues from this place. Renames later states to NAME.aside,
  /// and removes the best files of later epochs and those that no state continues from, such as one
  /// of an evaluation off the schedule.
  void forget_after(int epoch, std::int64_t step) const;
  /// Removes every checkpoint, including those named .aside.
  void clear() const;

 private:
  std::vector<Entry> entries(std::string_view stem) const;
  void set_aside_after(int epoch, std::int64_t step) const;
  enum class Reference : std::uint8_t { kContinues, kSelected };
  std::set<int> referenced_bests(std::initializer_list<Reference> references) const;

  std::filesystem::path path_;
};

/// Removes the temporary files that a killed process left in this directory (see AtomicFile).
void remove_temporary_files(const std::filesystem::path& directory);

}  // namespace tern
