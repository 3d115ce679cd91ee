#include "bench/support/shares.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "tern/error.hpp"

namespace tern::bench {
namespace {

using Json = nlohmann::json;

Json json_of(const Result& result) {
  const Cost& cost = result.cost;
  return {{"cost", {cost.bytes, cost.flops, cost.written, cost.gathered}},
          {"table", result.table ? Json(static_cast<int>(*result.table)) : Json(nullptr)},
          {"blocks", result.blocks},
          {"processes", result.processes},
          {"runs", result.runs},
          {"problem", result.problem}};
}

Result measured_of(const Json& json) {
  Result result;
  const Json& cost = json.at("cost");
  result.cost = {cost.at(0), cost.at(1), cost.at(2), cost.at(3)};
  const Json& table = json.at("table");
  if (!table.is_null()) result.table = static_cast<Side>(table.get<int>());
  json.at("blocks").get_to(result.blocks);
  json.at("processes").get_to(result.processes);
  json.at("runs").get_to(result.runs);
  json.at("problem").get_to(result.problem);
  return result;
}

/// Every ceiling, in a fixed order.
std::vector<Ceiling*> all_of(Ceilings& ceilings) {
  std::vector<Ceiling*> all{&ceilings.product};
  for (MemoryCeilings& memory : ceilings.memory) {
    for (Ceiling* one : {&memory.read, &memory.copy, &memory.update, &memory.triad, &memory.gather,
                         &memory.gather_bf16}) {
      all.push_back(one);
    }
  }
  return all;
}

Json json_of(Ceilings ceilings) {
  Json rates = Json::array();
  for (const Ceiling* one : all_of(ceilings)) rates.push_back(one->rates);
  return {{"gather_slack", ceilings.gather_slack}, {"rates", rates}};
}

void append(Ceilings& ceilings, const Json& json) {
  ceilings.gather_slack = std::max(ceilings.gather_slack, json.at("gather_slack").get<double>());
  const std::vector<Ceiling*> all = all_of(ceilings);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto more = json.at("rates").at(i).get<std::vector<double>>();
    all[i]->rates.insert(all[i]->rates.end(), more.begin(), more.end());
  }
}

}  // namespace

MeasuredTable unmeasured(const Cases& cases, std::int64_t width, std::int64_t batch_size,
                         const std::vector<CacheState>& states) {
  MeasuredTable table;
  for (const Case& one : cases) {
    for (const CacheState caches : states) {
      table.results.push_back(result_of(one, width, batch_size, caches));
    }
  }
  for (const CacheState caches : states) table.ceilings[caches];
  return table;
}

std::string share_text(const MeasuredTable& table) {
  Json json{{"results", Json::array()}, {"ceilings", Json::array()}};
  for (const Result& result : table.results) json["results"].push_back(json_of(result));
  for (const auto& [caches, ceilings] : table.ceilings)
    json["ceilings"].push_back(json_of(ceilings));
  // A reason may quote bytes that are no text.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

void append_share(MeasuredTable& table, const std::string& text) {
  try {
    const Json json = Json::parse(text);
    const Json& results = json.at("results");
    if (results.size() != table.results.size()) {
      throw Error(fmt::format("a process of the run measured {} results, expected {}",
                              results.size(), table.results.size()));
    }
    for (std::size_t i = 0; i < table.results.size(); ++i) {
      append_process(table.results[i], measured_of(results[i]));
    }
    std::size_t state = 0;
    for (auto& [caches, ceilings] : table.ceilings)
      append(ceilings, json.at("ceilings").at(state++));
  } catch (const Json::exception& error) {
    throw Error(fmt::format("a process of the run gave no results: {}", error.what()));
  }
}

}  // namespace tern::bench
