#include "host/cli/ranking.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "host/cli/format.hpp"

namespace tern::cli {
namespace {

// Bytes that are not UTF-8 become U+FFFD.
std::string json_string(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

RankingWriter::RankingWriter(Output& out, std::string_view format, Words words)
    : out_(out), json_(format == "jsonl"), words_(std::move(words)) {
  if (json_) return;
  const std::string mark = words_.mark.empty() ? "" : "\t" + words_.mark;
  out_.write(fmt::format("{}\trank\t{}\t{}{}\n", words_.query, words_.entry, words_.score, mark));
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

void RankingWriter::write(const std::string& query, std::span<const NodeId> entries,
                          std::span<const float> scores, const Vocabulary& entry_names,
                          std::span<const NodeId> marked) {
  std::string text;
  if (json_) {
    text = fmt::format("{{\"{}\":{},\"{}s\":[", words_.query, json_string(query), words_.entry);
  }
  for (std::size_t i = 0; i < entries.size() && entries[i] >= 0; ++i) {
    const bool is_marked = std::binary_search(marked.begin(), marked.end(), entries[i]);
    const std::string entry = entry_text(entry_names.name(entries[i]), scores[i], is_marked);
    text += json_ ? fmt::format("{}{}", i == 0 ? "" : ",", entry)
                  : fmt::format("{}\t{}\t{}\n", query, i + 1, entry);
  }
  if (json_) text += "]}\n";
  out_.write(text);
}

}  // namespace tern::cli
