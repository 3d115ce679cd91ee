#include "host/data/feature_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <numeric>
#include <string_view>

#include "host/data/compression.hpp"
#include "host/data/text.hpp"
#include "host/support/message.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

/// The number that an id is, written the one way that NumPy and SQL write it; -1 otherwise.
std::int64_t id_number(std::string_view id) {
  if (id.size() > 1 && id.front() == '0') return -1;
  std::int64_t number = -1;
  const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), number);
  return error == std::errc() && end == id.data() + id.size() && number >= 0 ? number : -1;
}

FeatureRows rows_by_number(const std::string& file, std::int64_t num_rows,
                           const FeatureNodes& nodes) {
  const std::string_view side = to_string(nodes.side);
  const IdNumbers& numbers = nodes.numbers;
  if (numbers.largest < 0 || numbers.largest >= num_rows) {
    throw DataError(
        file, 0,
        fmt::format(
            "the array does not say which {0} each of its {1} rows belongs to: found the id "
            "{2}, expected numbers from 0 to {3}; add {0}_ids.txt beside it, with the id of "
            "each row a line, or give the features as a table with a column of ids "
            "({0}_features.tsv)",
            side, num_rows,
            numbers.largest < 0 ? quote(numbers.other) : fmt::to_string(numbers.largest),
            num_rows - 1));
  }
  FeatureRows rows;
  rows.rule = "row r belongs to id r";
  rows.unknown = num_rows - nodes.names.size();
  if (nodes.names.is_numbered()) {
    rows.of_node.resize(static_cast<std::size_t>(nodes.names.size()));
    std::iota(rows.of_node.begin(), rows.of_node.end(), 0);
    return rows;
  }
  for (NodeId node = 0; node < nodes.names.size(); ++node) {
    rows.of_node.push_back(id_number(nodes.names.name(node)));
  }
  return rows;
}

FeatureRows rows_by_file(const std::string& file, std::int64_t num_rows, const FeatureNodes& nodes,
                         const DataOptions& options) {
  const std::string ids_file = nodes.ids->string();
  const ByteBuffer bytes = read_file(*nodes.ids, options.max_bytes);
  const std::string_view text = checked_text(bytes.view(), ids_file);
  FeatureRows rows;
  rows.rule = fmt::format("rows belong to the ids in {}", nodes.ids->filename().string());
  rows.of_node.assign(static_cast<std::size_t>(nodes.names.size()), -1);
  std::int64_t line = 0;
  std::string unknown;
  const char* cursor = text.data();
  const char* const end = cursor + text.size();
  while (cursor < end) {
    const std::string_view id = next_line(cursor, end);
    ++line;
    if (is_blank_line(id)) throw DataError(ids_file, line, "the line is empty, expected an id");
    const std::optional<NodeId> node = nodes.names.find(id);
    if (!node) {
      if (rows.unknown++ == 0) unknown = id;
    } else if (rows.of_node[*node] >= 0) {
      throw DataError(ids_file, line,
                      fmt::format("found the id {} again, expected each id once", quote(id)));
    } else {
      rows.of_node[*node] = line - 1;
    }
  }
  if (line != num_rows) {
    throw DataError(ids_file, 0,
                    fmt::format("found {} lines, expected {}, one for each row of {}", line,
                                num_rows, std::filesystem::path(file).filename().string()));
  }
  if (rows.unknown == num_rows) {
    throw DataError(ids_file, 0,
                    fmt::format("no id is in the data: found ids such as {}, but {}",
                                quote(unknown), example_of_ids(nodes.side, nodes.names)));
  }
  return rows;
}

}  // namespace

IdNumbers find_id_numbers(const Vocabulary& names) {
  IdNumbers numbers;
  if (names.is_numbered()) {
    numbers.largest = names.size() - 1;
    return numbers;
  }
  for (NodeId node = 0; node < names.size(); ++node) {
    const std::string name = names.name(node);
    const std::int64_t number = id_number(name);
    if (number < 0) return {-1, name};
    numbers.largest = std::max(numbers.largest, number);
  }
  return numbers;
}

FeatureRows match_rows(const std::string& file, std::int64_t num_rows, const FeatureNodes& nodes,
                       const DataOptions& options) {
  return nodes.ids ? rows_by_file(file, num_rows, nodes, options)
                   : rows_by_number(file, num_rows, nodes);
}

std::string example_of_ids(Side side, const Vocabulary& names) {
  return fmt::format("{}s have ids such as {}", to_string(side), quote(names.name(0)));
}

}  // namespace tern
