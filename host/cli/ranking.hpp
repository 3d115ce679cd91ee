#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host/cli/output.hpp"
#include "tern/vocabulary.hpp"

namespace tern::cli {

/// Writes one ranked list per query: as TSV with a header and one line per entry, or as JSON lines
/// with one object per query. Scores read back exactly.
class RankingWriter {
 public:
  /// Column names: {"user", "item", "score"} gives the header "user rank item score". With a mark,
  /// there is one more column of that name: yes or no.
  struct Words {
    std::string query;
    std::string entry;
    std::string score;
    std::string mark{};
  };
  /// format: "tsv" or "jsonl".
  RankingWriter(Output& out, std::string_view format, Words words);

  /// entries: ids in entry_names, best first; a negative one ends the list. marked, ascending: the
  /// ids with a yes in the mark's column.
  void write(const std::string& query, std::span<const NodeId> entries,
             std::span<const float> scores, const Vocabulary& entry_names,
             std::span<const NodeId> marked = {});

 private:
  std::string entry_text(const std::string& name, float score, bool is_marked) const;

  Output& out_;
  bool json_;
  Words words_;
};

}  // namespace tern::cli
