// tern gradcheck: gradients against central differences, and a device against the f64 reference.

#include "tern/gradcheck.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
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
#include "host/support/atomic_file.hpp"
#include "host/support/parallel.hpp"
#include "tern/device.hpp"
#include "tern/version.hpp"

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
               r.passed()                ? "ok"
               : r.too_ill_conditioned() ? "ILL-CONDITIONED"
                                         : "FAILED"});
  }
  return table.text();
}

/// JSON has no NaN: null stands for it.
Json number(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

/// The element with the worst error, or null.
Json element_of(const GradcheckResult& r) {
  if (r.element < 0) return nullptr;
  Json element{{"index", r.element}};
  if (r.cols > 0) {
    element["row"] = r.element / r.cols;
    element["column"] = r.element % r.cols;
  }
  return element;
}

bool is_against_reference(const GradcheckResult& r) {
  return r.method == "against f64";
}

std::string as_json(const GradcheckCommand& command, const Backend& backend,
                    const std::vector<GradcheckResult>& results, bool passed) {
  const GradcheckOptions& o = command.check;
  Json list = Json::array();
  for (const GradcheckResult& r : results) {
    const bool against = is_against_reference(r);
    list.push_back({{"subject", r.subject},
                    {"quantity", r.quantity},
                    {"method", r.method},
                    {"backend", r.backend},
                    {"error", number(r.error)},
                    {"bound", r.bound},
                    {"passed", r.passed()},
                    {"too_ill_conditioned", r.too_ill_conditioned()},
                    {"seed", r.seed.value},
                    {"element", element_of(r)},
                    {against ? "value" : "analytic", number(r.found)},
                    {against ? "reference" : "numeric", number(r.expected)}});
  }
  const Json options{
      {"users", o.users},   {"items", o.items},          {"density", o.density},
      {"width", o.width},   {"layers", o.layers},        {"batch_size", o.batch_size},
      {"l2", o.l2},         {"problems", o.problems},    {"seed", o.seed.value},
      {"filter", o.filter}, {"threads", command.threads}};
  return Json{{"passed", passed},          {"version", version()},
              {"backend", backend.name()}, {"device", backend.describe().name},
              {"options", options},        {"results", list}}
             .dump() +
         "\n";
}

/// "mf: gradient of user_embedding[3, 2]: analytic 0.5, numeric 0.25 (seed 1)".
std::string worst_of(const GradcheckResult& r) {
  const bool against = is_against_reference(r);
  std::string place;
  if (r.element >= 0) {
    place = r.cols > 0 ? fmt::format("[{}, {}]", r.element / r.cols, r.element % r.cols)
                       : fmt::format("[{}]", r.element);
  }
  std::string line = fmt::format("{}: {}{}: {} {:.9g}, {} {:.9g} (seed {})", r.subject, r.quantity,
                                 place, against ? r.backend : "analytic", r.found,
                                 against ? "f64" : "numeric", r.expected, r.seed.value);
  if (!r.too_ill_conditioned()) return line;
  return line +
         fmt::format(
             ": too ill-conditioned to compare (condition {:.1e}); choose another --seed, or a "
             "larger --width or --batch-size",
             r.condition);
}

/// A directory that cannot be written is reported before the checks, which may take minutes.
void check_dump(const std::string& directory) {
  make_directory(directory);
  AtomicFile probe(std::filesystem::path(directory) / "step.json");
}

int run(const GradcheckCommand& options) {
  Console console(Console::Mode::kTalk);
  std::string notice;
  const auto limit = limit_threads(options.threads);
  const std::unique_ptr<Backend> backend =
      make_program_backend(options.device, options.threads, &notice);
  if (!notice.empty()) console.line(notice);
  if (!options.dump.empty()) {
    check_dump(options.dump);
    for (const auto& place : dump_steps(*backend, options.check, options.dump)) {
      console.line("wrote a step to " + place.string());
    }
  }
  const std::vector<GradcheckResult> results = gradcheck(*backend, options.check);
  const auto failures = std::count_if(results.begin(), results.end(),
                                      [](const GradcheckResult& r) { return !r.passed(); });
  print(options.json ? as_json(options, *backend, results, failures == 0) : as_text(results));
  constexpr int kMaxNamed = 10;
  int named = 0;
  for (const GradcheckResult& r : results) {
    if (!r.passed() && named++ < kMaxNamed) console.line(worst_of(r));
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
  app->add_option(
         "--filter", check.filter,
         "only ops and models that match this regular expression, such as '^mf' or 'softmax'")
      ->type_name("REGEX");
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
      "Central differences, with steps chosen by their errors, are computed in f64 on the "
      "reference\n"
      "backend. Errors are relative to the largest element of the gradient. Exit code 1 if any "
      "check\n"
      "fails. For a loss or a model of your own: include/tern/step_check.hpp.\n"
      "tools/crosscheck_torch.py DIR/* recomputes dumped steps with PyTorch.");
  return {app, [options] { return run(*options); }};
}

}  // namespace tern::cli
