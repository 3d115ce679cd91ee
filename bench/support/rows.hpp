#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/support/run_cases.hpp"

namespace tern::bench {

/// "evicted" or "warm", as in options and results.
const char* name_of(CacheState caches);

/// A row of the JSON for one time: what was run, then seconds and what follows from them.
nlohmann::ordered_json row_of(const Result& result, double seconds);
/// The row of the median of all blocks, with spread and number of runs; that of a refused case has the
/// reason instead of figures.
nlohmann::ordered_json median_row(const Result& result);

/// A case with its settings, as comparisons name it: "bpr/batch/tern, D 64, B 2048, evicted". An axis that
/// the row does not state is left out, as is f32.
std::string full_name(const nlohmann::json& row);

/// The medians as lines of CSV or of a table in Markdown, with the names of the JSON as columns. CSV has
/// every column, quoted as in RFC 4180; Markdown leaves out those that no row has.
std::string csv_header();
std::string csv_lines(const std::vector<Result>& results);
std::string markdown_table(const std::vector<Result>& results);

}  // namespace tern::bench
