#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tern/dataset.hpp"
#include "tern/types.hpp"
#include "tern/vocabulary.hpp"

namespace tern {

/// The rows of a file of users and items, in their order; repeated ones stay.
struct InteractionRows {
  std::vector<Interaction> rows;  // numbers in the two vocabularies
  Vocabulary users;
  Vocabulary items;
  std::vector<std::string> notes;  // how the file was read
};

/// Reads one file. Throws as load_interactions() does.
InteractionRows read_interaction_rows(const std::filesystem::path& file,
                                      const DataOptions& options);

}  // namespace tern
