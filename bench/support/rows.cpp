#include "bench/support/rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace tern::bench {
namespace {

using Json = nlohmann::ordered_json;

/// Names of the JSON, in the order of the columns.
constexpr std::array kColumns{"op",
                              "variant",
                              "strategy",
                              "width",
                              "batch",
                              "layers",
                              "negatives",
                              "precision",
                              "caches",
                              "real_time",
                              "time_unit",
                              "spread",
                              "runs",
                              "repetitions",
                              "bytes",
                              "flops",
                              "GB_per_s",
                              "GFLOP_per_s",
                              "share_of_memory",
                              "share_of_gather",
                              "share_of_product",
                              "ceiling_spread",
                              "implausible",
                              "error_message"};

/// The columns that name a case and its settings, without any figure.
Json identity_of(const Result& result) {
  Json row{{"name", result.name()}, {"run_name", result.name()}, {"run_type", "iteration"},
           {"op", result.op},       {"variant", result.variant}, {"strategy", result.strategy},
           {"width", result.width}};
  if (result.batch > 0) row["batch"] = result.batch;
  if (result.axes.layers > 0) row["layers"] = result.axes.layers;
  if (result.axes.negatives > 0) row["negatives"] = result.axes.negatives;
  row["precision"] = result.axes.precision;
  row["caches"] = name_of(result.caches);
  return row;
}

/// The text of a cell; empty if the row has no such column.
std::string cell(const Json& row, const char* column) {
  const auto value = row.find(column);
  if (value == row.end()) return "";
  if (value->is_string()) return value->get<std::string>();
  if (value->is_number_float()) return fmt::format("{:.6g}", value->get<double>());
  return value->dump();
}

std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char letter : text)
    out += letter == '"' ? std::string("\"\"") : std::string(1, letter);
  return out + '"';
}

/// A bar would end the cell.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char letter : text) {
    if (letter == '|') out += '\\';
    out += letter == '\n' ? ' ' : letter;
  }
  return out;
}

}  // namespace

const char* name_of(CacheState caches) {
  return caches == CacheState::kWarm ? "warm" : "evicted";
}

Json row_of(const Result& result, double seconds) {
  Json row = identity_of(result);
  row.update({{"repetitions", result.blocks.size()},
              {"threads", 1},
              {"iterations", 1},
              {"real_time", seconds * 1e3},
              {"cpu_time", seconds * 1e3},
              {"time_unit", "ms"},
              {"bytes", result.cost.bytes},
              {"flops", result.cost.flops},
              {"GB_per_s", result.cost.bytes / seconds * 1e-9},
              {"GFLOP_per_s", result.cost.flops / seconds * 1e-9}});
  const Limit& limit = result.limit;
  if (limit.seconds > 0.0) {
    row[std::string("share_of_") + limit.name] = limit.seconds / seconds;
    row["ceiling_spread"] = limit.spread;
  }
  return row;
}

Json median_row(const Result& result) {
  if (!result.problem.empty()) {
    Json row = identity_of(result);
    row["error_occurred"] = true;
    row["error_message"] = result.problem;
    return row;
  }
  Json row = row_of(result, result.median());
  row["name"] = result.name() + "_median";
  row["run_type"] = "aggregate";
  row["aggregate_name"] = "median";
  row["spread"] = result.spread();
  row["runs"] = result.runs;
  row["implausible"] = result.limit.exceeded_by(result.median());
  return row;
}

std::string full_name(const nlohmann::json& row) {
  std::string name = row.at("run_name");
  const auto add = [&](const char* key, const char* symbol) {
    if (row.contains(key)) name += fmt::format(", {} {}", symbol, row.at(key).get<std::int64_t>());
  };
  add("width", "D");
  add("batch", "B");
  add("layers", "L");
  const std::string precision = row.value("precision", "f32");
  if (precision != "f32") name += ", " + precision;
  if (row.contains("caches")) name += ", " + row.at("caches").get<std::string>();
  return name;
}

std::string csv_header() {
  return fmt::format("{}\n", fmt::join(kColumns, ","));
}

std::string csv_lines(const std::vector<Result>& results) {
  std::string lines;
  for (const Result& result : results) {
    const Json row = median_row(result);
    std::vector<std::string> cells;
    for (const char* column : kColumns) cells.push_back(quoted(cell(row, column)));
    lines += fmt::format("{}\n", fmt::join(cells, ","));
  }
  return lines;
}

std::string markdown_table(const std::vector<Result>& results) {
  std::vector<Json> rows;
  for (const Result& result : results) rows.push_back(median_row(result));
  std::vector<const char*> columns;
  std::ranges::copy_if(kColumns, std::back_inserter(columns), [&](const char* column) {
    return std::ranges::any_of(rows, [&](const Json& row) { return row.contains(column); });
  });
  std::string table = fmt::format("| {} |\n|", fmt::join(columns, " | "));
  for (std::size_t i = 0; i < columns.size(); ++i) table += "---|";
  table += '\n';
  for (const Json& row : rows) {
    std::vector<std::string> cells;
    for (const char* column : columns) cells.push_back(escaped(cell(row, column)));
    table += fmt::format("| {} |\n", fmt::join(cells, " | "));
  }
  return table;
}

}  // namespace tern::bench
