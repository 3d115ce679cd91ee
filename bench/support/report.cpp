#include "bench/support/report.hpp"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tern/error.hpp"

namespace tern::bench {
namespace {

using Json = nlohmann::ordered_json;

Json row_of(const Result& result, double seconds) {
  Json row{{"name", result.name()},
           {"run_name", result.name()},
           {"run_type", "iteration"},
           {"width", result.width},
           {"caches", result.caches == CacheState::kWarm ? "warm" : "evicted"},
           {"repetitions", result.blocks.size()},
           {"threads", 1},
           {"iterations", 1},
           {"real_time", seconds * 1e3},
           {"cpu_time", seconds * 1e3},
           {"time_unit", "ms"},
           {"bytes", result.cost.bytes},
           {"flops", result.cost.flops},
           {"GB_per_s", result.cost.bytes / seconds * 1e-9},
           {"GFLOP_per_s", result.cost.flops / seconds * 1e-9}};
  const Limit& limit = result.limit;
  if (limit.seconds > 0.0) {
    row[std::string("share_of_") + limit.name] = limit.seconds / seconds;
    row["ceiling_spread"] = limit.spread;
  }
  return row;
}

void add_rows(Json& rows, const Result& result) {
  if (!result.problem.empty()) {
    rows.push_back({{"name", result.name()},
                    {"run_name", result.name()},
                    {"run_type", "iteration"},
                    {"error_occurred", true},
                    {"error_message", result.problem}});
    return;
  }
  for (std::size_t block = 0; block < result.blocks.size(); ++block) {
    Json row = row_of(result, result.blocks[block]);
    row["repetition_index"] = block;
    rows.push_back(std::move(row));
  }
  Json median = row_of(result, result.median());
  median["name"] = result.name() + "_median";
  median["run_type"] = "aggregate";
  median["aggregate_name"] = "median";
  median["spread"] = result.spread();
  median["runs"] = result.runs;
  median["implausible"] = result.limit.exceeded_by(result.median());
  rows.push_back(std::move(median));
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
  }
  add("product", "_GFLOP_per_s", ceilings.product);
  return context;
}

void write_json(const std::filesystem::path& file, const Context& context,
                const std::vector<Result>& results) {
  Json json{{"context", Json::object()}, {"benchmarks", Json::array()}};
  for (const auto& [name, value] : context) json["context"][name] = value;
  for (const Result& result : results) add_rows(json["benchmarks"], result);
  std::ofstream out(file);
  out << json.dump(1) << '\n';
  if (!out.flush()) throw Error(fmt::format("cannot write {}", file.string()));
}

std::vector<CaseBlocks> blocks_of(const std::vector<Result>& results) {
  std::vector<CaseBlocks> blocks;
  for (const Result& result : results) {
    if (!result.problem.empty()) continue;
    const char* caches = result.caches == CacheState::kWarm ? "warm" : "evicted";
    blocks.push_back(
        {fmt::format("{}, D {}, {}", result.name(), result.width, caches), result.blocks});
  }
  return blocks;
}

void expect_writable(const std::filesystem::path& file) {
  if (!std::ofstream(file, std::ios::app)) {
    throw Error(fmt::format("cannot write {}", file.string()));
  }
}

}  // namespace tern::bench
