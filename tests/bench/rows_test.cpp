// Results as rows of JSON, CSV and Markdown: the same names, nothing that breaks a line.

#include "bench/support/rows.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace tern::test {
namespace {

using bench::Axes;
using bench::Result;
using ::testing::HasSubstr;
using ::testing::Not;

Result timed() {
  Result result;
  result.op = "step";
  result.variant = "lightgcn";
  result.strategy = "tern";
  result.width = 32;
  result.axes = Axes{.batch = Axes::Batch::kRead, .layers = 2, .negatives = 4, .precision = "bf16"};
  result.batch = 512;
  result.caches = bench::CacheState::kWarm;
  result.cost = {.bytes = 8e6, .flops = 4e6};
  result.blocks = {2e-3, 1e-3, 2e-3};
  result.runs = 9;
  return result;
}

Result refused() {
  Result result = timed();
  result.axes = {};
  result.batch = 0;
  result.problem = "element (0, 0) is \"nan\" | expected 1\nand more";
  return result;
}

std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream in(line);
  for (std::string cell; std::getline(in, cell, ',');) cells.push_back(cell);
  return cells;
}

TEST(Rows, StateEverySettingOnce) {
  const nlohmann::ordered_json row = bench::median_row(timed());
  EXPECT_EQ(row.at("width"), 32);
  EXPECT_EQ(row.at("batch"), 512);
  EXPECT_EQ(row.at("layers"), 2);
  EXPECT_EQ(row.at("negatives"), 4);
  EXPECT_EQ(row.at("precision"), "bf16");
  EXPECT_EQ(row.at("caches"), "warm");
  EXPECT_EQ(bench::full_name(row), "step/lightgcn/tern, D 32, B 512, L 2, bf16, warm");
  EXPECT_EQ(bench::full_name(bench::median_row(refused())), "step/lightgcn/tern, D 32, warm");
  // A file of an earlier version states less.
  EXPECT_EQ(bench::full_name({{"run_name", "a/b/c"}, {"width", 8}}), "a/b/c, D 8");
}

TEST(Rows, CsvHasTheNamesOfTheJsonAndOneLineForEachRow) {
  const std::vector<std::string> columns = split(bench::csv_header());
  const std::string lines = bench::csv_lines({timed()});
  EXPECT_EQ(std::ranges::count(lines, '\n'), 1);
  const std::vector<std::string> cells = split(lines);
  ASSERT_EQ(cells.size(), columns.size());
  const nlohmann::ordered_json row = bench::median_row(timed());
  for (std::size_t i = 0; i + 1 < columns.size(); ++i) {
    EXPECT_EQ(cells[i].empty(), !row.contains(columns[i])) << columns[i];
  }
  const auto cell = [&](const char* column) {
    const auto at = std::ranges::find(columns, column);
    return at == columns.end() ? "no such column" : cells[at - columns.begin()];
  };
  EXPECT_EQ(cell("real_time"), "2");
  EXPECT_EQ(cell("GB_per_s"), "4");
  EXPECT_EQ(cell("batch"), "512");
  EXPECT_EQ(cell("implausible"), "false");
}

TEST(Rows, ReasonsOfRefusalsAreQuoted) {
  EXPECT_THAT(bench::csv_lines({refused()}),
              HasSubstr(",\"element (0, 0) is \"\"nan\"\" | expected 1\nand more\"\n"));
  const std::string table = bench::markdown_table({refused()});
  EXPECT_EQ(std::ranges::count(table, '\n'), 3);
  EXPECT_THAT(table, HasSubstr("is \"nan\" \\| expected 1 and more |"));
}

TEST(Rows, MarkdownLeavesOutColumnsThatNoRowHas) {
  EXPECT_THAT(bench::markdown_table({timed()}), HasSubstr("| layers |"));
  EXPECT_THAT(bench::markdown_table({refused()}), Not(HasSubstr("| layers |")));
}

}  // namespace
}  // namespace tern::test
