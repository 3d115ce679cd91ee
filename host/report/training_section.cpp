// Curves by epoch, and findings of the monitors.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "host/report/html.hpp"
#include "host/report/page.hpp"
#include "tern/report.hpp"

namespace tern::report {
namespace {

/// A quantity of both sides, by the end of its key.
struct SideCurve {
  const char* key;
  const char* title;
  const char* unit;
  const char* sentence;
};
constexpr std::array<SideCurve, 5> kSideCurves{
    SideCurve{"mean_norm", "Mean norm of the embeddings", "norm",
              "The length of the final embeddings. It grows at first and then slows; a curve that "
              "bends upwards to the "
              "end means a learning rate that is too high or a penalty that is too weak."},
    SideCurve{"max_norm", "Greatest norm", "norm",
              "The longest embedding of a side. Far above the mean, a few nodes get into "
              "everybody's list."},
    SideCurve{"effective_rank", "Effective rank", "dimensions",
              "How many dimensions the embeddings really use, at most their width. A fall to 1 or "
              "2 is a collapse: all "
              "nodes become alike."},
    SideCurve{"mean_cosine", "Mean cosine", "cosine",
              "The mean cosine of two different embeddings of a side: near 0 they point "
              "everywhere, near 1 all the same "
              "way."},
    SideCurve{"gradient_norm", "Norm of the gradient", "norm",
              "The gradient of the last step of an epoch. It should fall, or stay level with "
              "noise; jumps mean an "
              "unsteady training."},
};

Line curve(const Page& page, std::size_t run, const std::string& key) {
  Line line{.key = key_of(page, run),
            .plain_name = page.runs()[run].name,
            .x = {},
            .y = {},
            .marked = {}};
  if (page.runs().size() == 1) line.key.name.clear();  // the whole page is about it
  for (const EpochLine& epoch : page.runs()[run].epochs.lines) {
    const auto value = epoch.values.find(key);
    if (epoch.epoch < 1 || value == epoch.values.end()) continue;
    line.x.push_back(epoch.epoch);
    line.y.push_back(value->second);
  }
  return line;
}

/// The epoch whose parameters are used; none without a best one.
std::optional<double> best_epoch(const Source& run) {
  std::optional<double> best;
  for (const EpochLine& line : run.epochs.lines) {
    if (line.best && line.epoch > 0) best = line.epoch;
  }
  return best;
}

std::string side_curves(const Page& page, const SideCurve& what) {
  std::vector<Line> lines;
  for (std::size_t r = 0; r < page.runs().size(); ++r) {
    for (const char* side : {"user", "item"}) {
      Line line = curve(page, r, fmt::format("{}_{}", side, what.key));
      const bool several = page.runs().size() > 1;
      line.key.dashed = side[0] == 'i';
      line.key.name =
          several ? fmt::format("{}, {}s", line.key.name, side) : fmt::format("{}s", side);
      line.plain_name =
          several ? fmt::format("{}, {}s", line.plain_name, side) : fmt::format("{}s", side);
      lines.push_back(std::move(line));
    }
  }
  return line_chart({what.title, what.sentence, "epoch", what.unit}, lines);
}

std::string loss_curves(const Page& page) {
  std::vector<Line> lines;
  for (std::size_t r = 0; r < page.runs().size(); ++r) lines.push_back(curve(page, r, "loss"));
  const bool several = page.runs().size() > 1;
  return line_chart(
      {"Training loss",
       std::string("The mean loss of an epoch's steps, penalties included: what training lowers. "
                   "It should fall and then "
                   "level off.") +
           (several ? " Losses of different kinds or settings cannot be compared." : ""),
       "epoch", "loss"},
      lines);
}

/// The terms that the loss of a single run is the sum of.
std::string loss_parts(const Page& page) {
  if (page.runs().size() != 1) return "";
  std::set<std::string> keys;
  for (const EpochLine& line : page.runs()[0].epochs.lines) {
    for (const auto& [key, value] : line.values) {
      if (key.ends_with("_loss") && value != 0.0) keys.insert(key);
    }
  }
  if (keys.size() < 2) return "";
  std::vector<Line> lines;
  for (const std::string& key : keys) {
    Line line = curve(page, 0, key);
    line.key.color = static_cast<int>(lines.size()) % static_cast<int>(kMaxReportRuns);
    line.key.name = escaped(key);
    line.plain_name = key;
    lines.push_back(std::move(line));
  }
  return line_chart({"Parts of the loss",
                     "The terms that the loss is the sum of: the ranking loss, the penalty of "
                     "large parameters, and a "
                     "contrast if the model has one.",
                     "epoch", "loss"},
                    lines);
}

std::string metric_curves(const Page& page) {
  const Config& config = page.runs()[0].config;
  const int k = *std::ranges::max_element(config.evaluation.ks);
  std::vector<std::string> names{config.metric};
  for (const char* name : {"recall", "ndcg", "coverage"}) {
    const std::string at_k = fmt::format("{}@{}", name, k);
    if (at_k != config.metric) names.push_back(at_k);
  }
  const bool alike = std::ranges::all_of(
      page.runs(), [&](const Source& run) { return run.config.select_on == config.select_on; });
  const char* where = !alike ? "split that each run selects its best epoch on"
                      : config.select_on == SelectionSplit::kTest ? "test split"
                                                                  : "validation split";
  std::string out;
  for (const std::string& name : names) {
    std::vector<Line> lines;
    for (std::size_t r = 0; r < page.runs().size(); ++r) {
      lines.push_back(curve(page, r, name));
      lines.back().marked = best_epoch(page.runs()[r]);
    }
    const bool is_chosen = name == config.metric;
    out += line_chart(
        {escaped(name),
         fmt::format("Measured on the {}{}. The large dot is the best epoch, whose "
                     "parameters are used.{}",
                     where,
                     is_chosen ? ", where the best epoch is the one with the greatest value" : "",
                     is_chosen ? " A curve that still rises at its end asks for more epochs." : ""),
         "epoch", name},
        lines);
  }
  return out;
}

std::string time_curves(const Page& page) {
  std::vector<Line> lines;
  for (std::size_t r = 0; r < page.runs().size(); ++r) lines.push_back(curve(page, r, "seconds"));
  return line_chart(
      {"Time of an epoch",
       "Seconds of training, without evaluation. Peaks mean that the machine was busy.", "epoch",
       "seconds"},
      lines);
}

/// Findings as list items; the same sentence of many epochs counts once.
std::string findings_of(const Page& page, const Source& run) {
  std::string out;
  std::set<std::string> seen;
  const std::string who = page.runs().size() > 1 ? name_of(run) + ": " : "";
  const auto add = [&](const std::string& where, const std::string& text) {
    constexpr std::size_t kMost = 20;
    if (seen.size() < kMost && seen.insert(text).second) {
      out += fmt::format("<li>{}{}{}</li>\n", who, where, escaped(text, 600));
    }
  };
  for (const EpochLine& line : run.epochs.lines) {
    for (const std::string& sentence : line.collapse)
      add(fmt::format("epoch {}: ", line.epoch), sentence);
  }
  for (const std::string& warning : run.log.warnings) add("", warning);
  if (run.epochs.damaged > 0) {
    add("", fmt::format("metrics.jsonl has {} damaged lines, which are left out here.",
                        run.epochs.damaged));
  }
  return out;
}

}  // namespace

std::string training_section(const Page& page) {
  std::string charts = loss_curves(page) + loss_parts(page) + metric_curves(page);
  for (const SideCurve& what : kSideCurves) charts += side_curves(page, what);
  charts += time_curves(page);
  std::string out;
  bool trained = false;
  for (const Source& run : page.runs()) {
    trained |= !run.is_fitted();
    if (run.is_fitted()) {
      out += fmt::format("<p>{} was fitted in one go: it has no epochs.</p>\n", name_of(run));
    } else if (run.epochs.lines.empty()) {
      out += fmt::format("<p>{} has no finished epoch yet.</p>\n", name_of(run));
    }
  }
  if (!charts.empty()) out += "<div class=\"charts\">\n" + charts + "</div>\n";
  std::string findings;
  for (const Source& run : page.runs()) findings += findings_of(page, run);
  if (!findings.empty()) {
    out += "<h3>Findings</h3>\n<ul class=\"findings\">\n" + findings + "</ul>\n";
  } else if (trained) {
    out +=
        "<h3>Findings</h3>\n<p>None: the monitors saw neither a collapse of the embeddings nor "
        "exploding norms, and the "
        "log has no warnings.</p>\n";
  }
  return section("training", "Training", out);
}

}  // namespace tern::report
