#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tern/tensor_file.hpp"
#include "tern/trainer.hpp"

namespace tern {

/// The folder `checkpoints` of a run. States, from which training can go on, are called
/// epoch-000012.safetensors, or epoch-000012-step-000345.safetensors within an epoch; the
/// parameters of an epoch that was the best so far best-000010.safetensors. A best file is written
/// before the state that speaks of it and removed only when no kept state does any more, so that a
/// kill at any instant leaves states whose best parameters are there.
class CheckpointFolder {
 public:
  explicit CheckpointFolder(std::filesystem::path path) : path_(std::move(path)) {}

  const std::filesystem::path& path() const noexcept { return path_; }

  struct Entry {
    std::filesystem::path path;
    int epoch = 0;
    std::int64_t step = 0;
  };
  /// Newest first; none where there is no folder.
  std::vector<Entry> states() const;
  std::vector<Entry> bests() const;

  std::filesystem::path state_path(int epoch, std::int64_t step) const;
  std::filesystem::path best_path(int epoch) const;

  /// After a state of this place was written: removes all states but the newest `keep`, and every
  /// best file that no kept state speaks of. Newer states are of a training that was given up, or
  /// damaged: they are renamed to NAME.aside, under which they are none any more. What cannot be
  /// removed stays: it is only in the way.
  void prune(int epoch, std::int64_t step, int keep) const;
  /// Removes the best files that neither a state nor one of these epochs speaks of.
  void prune_bests(const std::set<int>& also) const;
  /// Training goes on from this place: sets later states aside likewise, and removes the best files
  /// of later epochs, and those that no state goes on from, as of a last evaluation off the
  /// schedule.
  void forget_after(int epoch, std::int64_t step) const;
  /// Removes every checkpoint, and what set_aside() left.
  void clear() const;

 private:
  std::vector<Entry> entries(std::string_view stem) const;
  void set_aside_after(int epoch, std::int64_t step) const;
  enum class Meaning : std::uint8_t { kGoesOn, kSelected };
  std::set<int> spoken_of(std::initializer_list<Meaning> meanings) const;

  std::filesystem::path path_;
};

/// Removes what a killed process had begun to write in this directory (AtomicFile's temporary
/// files).
void remove_temporary_files(const std::filesystem::path& directory);

}  // namespace tern
