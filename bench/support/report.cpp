#include "bench/support/report.hpp"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "bench/support/rows.hpp"
#include "tern/error.hpp"

namespace tern::bench {
namespace {

using Json = nlohmann::ordered_json;

void add_rows(Json& rows, const Result& result) {
  for (std::size_t block = 0; block < result.blocks.size(); ++block) {
    Json row = row_of(result, result.blocks[block]);
    row["repetition_index"] = block;
    row["process"] = result.processes.at(block);
    rows.push_back(std::move(row));
  }
  rows.push_back(median_row(result));
}

}  // namespace

Context ceiling_context(const Ceilings& ceilings, const std::string& suffix) {
  Context context;
  const auto add = [&](const std::string& name, const char* unit, const Ceiling& ceiling) {
    if (ceiling.best() <= 0.0) return;
    context.emplace_back("ceiling_" + name + unit + suffix,
                         fmt::format("{:.3f}", ceiling.best() * 1e-9));
    context.emplace_back("ceiling_" + name + "_spread" + suffix,
                         fmt::format("{:.3f}", ceiling.spread()));
  };
  for (const Place place : kPlaces) {
    const char* names[] = {"users", "items", "batch"};
    const std::string at = names[static_cast<int>(place)];
    const MemoryCeilings& memory = ceilings.at(place);
    add(at + "_read", "_GB_per_s", memory.read);
    add(at + "_copy", "_GB_per_s", memory.copy);
    add(at + "_update", "_GB_per_s", memory.update);
    add(at + "_triad", "_GB_per_s", memory.triad);
    add(at + "_gather", "_GB_per_s", memory.gather);
    add(at + "_gather_bf16", "_GB_per_s", memory.gather_bf16);
  }
  add("product", "_GFLOP_per_s", ceilings.product);
  return context;
}

std::string json_text(const Context& context, const std::vector<Result>& results) {
  Json json{{"context", Json::object()}, {"benchmarks", Json::array()}};
  for (const auto& [name, value] : context) json["context"][name] = value;
  for (const Result& result : results) add_rows(json["benchmarks"], result);
  return json.dump(1) + '\n';
}

void write_file(const std::filesystem::path& file, const std::string& text) {
  std::ofstream out(file);
  out << text;
  if (!out.flush()) throw Error(fmt::format("cannot write {}", file.string()));
}

std::vector<CaseBlocks> blocks_of(const std::vector<Result>& results) {
  std::vector<CaseBlocks> blocks;
  for (const Result& result : results) {
    if (result.problem.empty()) {
      blocks.push_back(
          {full_name(row_of(result, result.median())), result.blocks, result.processes});
    }
  }
  return blocks;
}

void expect_writable(const std::filesystem::path& file) {
  if (!std::ofstream(file, std::ios::app)) {
    throw Error(fmt::format("cannot write {}", file.string()));
  }
}

}  // namespace tern::bench
