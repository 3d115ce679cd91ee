#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host/cli/output.hpp"
#include "host/serve/ranking_source.hpp"
#include "tern/vocabulary.hpp"

namespace tern::cli {

/// Writes one ranked list per query: as TSV with a header and one line per entry, or as JSON lines
/// with one object per query. Scores read back exactly.
class RankingWriter {
 public:
  /// Column names: {"user", "item", "score"} gives the header "user rank item score". With a mark,
  /// there is one more column of that name: yes or no. With a source, a last column of that name says
  /// where a list comes from; in JSON, it is a field of the list.
  struct Words {
    std::string query;
    std::string entry;
    std::string score;
    std::string mark{};
    std::string source{};
  };
  /// format: "tsv" or "jsonl".
  RankingWriter(Output& out, std::string_view format, Words words);

  /// The parts of a written list besides its entries.
  struct Remarks {
    std::span<const NodeId> marked{};  // ascending: the ids with a yes in the mark's column
    std::string_view source{};
  };
  void write(const std::string& query, const RankedList& list, const Vocabulary& entry_names,
             const Remarks& remarks);

 private:
  std::string entry_text(const std::string& name, float score, bool is_marked) const;

  Output& out_;
  bool json_;
  Words words_;
};

}  // namespace tern::cli
