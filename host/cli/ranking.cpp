#include "host/cli/ranking.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "host/cli/format.hpp"

namespace tern::cli {
RankingWriter::RankingWriter(Output& out, std::string_view format, Words words)
    : out_(out), json_(format == "jsonl"), words_(std::move(words)) {
  if (json_) return;
  std::string header = fmt::format("{}\trank\t{}\t{}", words_.query, words_.entry, words_.score);
  for (const std::string& more : {words_.mark, words_.source}) {
    if (!more.empty()) header += fmt::format("\t{}", more);
  }
  out_.write(header + "\n");
}

std::string RankingWriter::entry_text(const std::string& name, float score, bool is_marked) const {
  if (!json_) {
    const char* mark = words_.mark.empty() ? "" : is_marked ? "\tyes" : "\tno";
    return fmt::format("{}\t{}{}", name, exact(score), mark);
  }
  std::string mark;
  if (!words_.mark.empty()) mark = fmt::format(",\"{}\":{}", words_.mark, is_marked);
  return fmt::format("{{\"{}\":{},\"{}\":{}{}}}", words_.entry, json_string(name), words_.score,
                     exact(score), mark);
}

void RankingWriter::write(const std::string& query, const RankedList& list,
                          const Vocabulary& entry_names, const Remarks& remarks) {
  const bool has_source = !words_.source.empty();
  const std::string last_cell = has_source ? fmt::format("\t{}", remarks.source) : "";
  std::string text;
  if (json_) {
    text = fmt::format("{{\"{}\":{},", words_.query, json_string(query));
    if (has_source) text += fmt::format("\"{}\":\"{}\",", words_.source, remarks.source);
    text += fmt::format("\"{}s\":[", words_.entry);
  }
  for (std::size_t i = 0; i < list.ids.size(); ++i) {
    const bool is_marked =
        std::binary_search(remarks.marked.begin(), remarks.marked.end(), list.ids[i]);
    const std::string entry = entry_text(entry_names.name(list.ids[i]), list.scores[i], is_marked);
    text += json_ ? fmt::format("{}{}", i == 0 ? "" : ",", entry)
                  : fmt::format("{}\t{}\t{}{}\n", query, i + 1, entry, last_cell);
  }
  if (json_) text += "]}\n";
  out_.write(text);
}

}  // namespace tern::cli
