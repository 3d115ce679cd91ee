// tern gradcheck: gradients against central differences, and a device against the f64 reference.

#include "tern/gradcheck.hpp"
#include "host/support/parallel.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "host/backend/device.hpp"
#include "host/cli/commands.hpp"
#include "host/cli/config_options.hpp"
#include "host/cli/console.hpp"
#include "host/cli/format.hpp"
#include "host/cli/help.hpp"
#include "host/cli/output.hpp"
#include "tern/device.hpp"

namespace tern::cli {
namespace {

using Json = nlohmann::ordered_json;

struct GradcheckCommand {
  GradcheckOptions check;
  std::string device = "auto";
  std::string dump;
  int threads = 0;
  bool json = false;
};

std::string scientific(double value) {
  return value == 0.0 ? "0" : fmt::format("{:.1e}", value);
}

std::string as_text(const std::vector<GradcheckResult>& results) {
  Table table({"op or model", "quantity", "method", "backend", "worst error", "bound", "verdict"},
              4);
  for (const GradcheckResult& r : results) {
    table.add({r.subject, r.quantity, r.method, r.backend, scientific(r.error), scientific(r.bound),
               r.passed() ? "ok" : "FAILED"});
  }
  return table.text();
}

std::string as_json(const std::vector<GradcheckResult>& results, bool passed) {
  Json list = Json::array();
  for (const GradcheckResult& r : results) {
    list.push_back({{"subject", r.subject},
                    {"quantity", r.quantity},
                    {"method", r.method},
                    {"backend", r.backend},
                    // JSON has no NaN: null stands for it.
                    {"error", std::isfinite(r.error) ? Json(r.error) : Json(nullptr)},
                    {"bound", r.bound},
                    {"passed", r.passed()}});
  }
  return Json{{"passed", passed}, {"results", list}}.dump() + "\n";
}

int run(const GradcheckCommand& options) {
  Console console(Console::Mode::kTalk);
  std::string notice;
  const auto limit = limit_threads(options.threads);
  const std::unique_ptr<Backend> backend =
      make_program_backend(options.device, options.threads, &notice);
  if (!notice.empty()) console.line(notice);
  const std::vector<GradcheckResult> results = gradcheck(*backend, options.check);
  const auto failures = std::count_if(results.begin(), results.end(),
                                      [](const GradcheckResult& r) { return !r.passed(); });
  print(options.json ? as_json(results, failures == 0) : as_text(results));
  if (!options.dump.empty()) {
    for (const auto& place : dump_steps(*backend, options.check, options.dump)) {
      console.line("wrote a step to " + place.string());
    }
  }
  console.line(failures == 0 ? fmt::format("all {} checks passed", results.size())
                             : fmt::format("{} of {} checks FAILED", failures, results.size()));
  return failures == 0 ? kDone : kFailed;
}

}  // namespace

Command add_gradcheck(CLI::App& program) {
  const auto options = std::make_shared<GradcheckCommand>();
  GradcheckOptions& check = options->check;
  CLI::App* app =
      program.add_subcommand("gradcheck", "Check gradients numerically, and a device against f64");
  const auto option = [&](const std::string& name, auto& value, const std::string& help) {
    return add_number(*app, name, value, help);
  };
  option("--users", check.users, "number of users; the last one has no interactions");
  option("--items", check.items, "number of items; the last one has no interactions");
  option("--density", check.density, "share of the pairs that are interactions");
  option("--width", check.width, "embedding width (D)");
  option("--layers", check.layers, "layers (L) of lightgcn, which is also checked with one layer");
  option("--batch-size", check.batch_size, "triplets per step");
  option("--l2", check.l2, "factor of the L2 penalty");
  option("--problems", check.problems, "number of random problems; the worst error counts");
  option("--seed", check.seed.value, "seed of the first problem")->check(value_of("train.seed"));
  app->add_option("--device", options->device,
                  "auto|cpu|cuda|cuda:N; reference: only the central differences")
      ->check(value_of("train.device"))
      ->capture_default_str();
  option("--threads", options->threads, "threads on a CPU; 0: as many as it may use (tern info)")
      ->check(value_of("train.threads"));
  app->add_option("--dump", options->dump,
                  "also write one step of each model: inputs, triplets, parameters, gradients")
      ->type_name("DIR");
  app->add_flag("--json", options->json, "one JSON object instead of the table");
  app->footer(
      "Central differences (five points) are computed in f64 on the reference backend. Errors are\n"
      "relative to the largest element of the gradient. Exit code 1 if any check fails.\n"
      "tools/crosscheck_torch.py DIR/* recomputes dumped steps with PyTorch.");
  return {app, [options] { return run(*options); }};
}

}  // namespace tern::cli
