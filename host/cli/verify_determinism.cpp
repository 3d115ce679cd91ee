#include "host/cli/verify_determinism.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/backend/device.hpp"
#include "host/cli/commands.hpp"
#include "host/cli/format.hpp"
#include "host/cli/output.hpp"
#include "host/support/parallel.hpp"
#include "host/train/determinism.hpp"

namespace tern::cli {
namespace {

// Enough for a difference in any op to reach all parameters, and quick enough to wait for.
constexpr std::int64_t kSteps = 20;

struct Trial {
  std::string device;
  int threads = 0;
};

// The requested device twice; a CPU also with one, two and three threads, so that one number is odd
// and one may exceed the number of cores.
std::vector<Trial> trials(const Trial& asked, const std::string& backend) {
  std::vector<Trial> all{asked, asked};
  if (backend == "cpu") {
    for (const int threads : {1, 2, 3}) all.push_back({"cpu", threads});
  }
  return all;
}

}  // namespace

int verify_determinism(const Config& config, const Dataset& data, Console& console, Ranks& ranks) {
  const auto open = [&](const Trial& trial, std::string* notice) {
    if (ranks.several()) return ranks.make_backend(config, trial.threads);
    return make_program_backend(trial.device, trial.threads, notice, config.reproducibility);
  };
  std::string notice;
  const Trial asked{config.device, ranks.share_threads(config.threads)};
  const std::string backend_name = open(asked, &notice)->name();
  if (!notice.empty()) console.line(notice);
  std::optional<ShortTraining> first;
  bool all_equal = true;
  Table table({"device", "threads", "bits", "seconds"}, 3);
  for (const Trial& trial : trials(asked, backend_name)) {
    const auto limit = limit_threads(trial.threads);
    const std::unique_ptr<Backend> backend = open(trial, nullptr);
    const auto begin = std::chrono::steady_clock::now();
    ShortTraining training = train_briefly(*backend, data, config, kSteps);
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    std::string bits = "baseline";
    if (first) {
      const std::optional<std::string> difference = find_difference(*first, training);
      all_equal = all_equal && !difference;
      bits = difference ? "DIFFERENT: " + *difference : "equal";
    } else {
      first = std::move(training);
    }
    table.add({backend->name(), trial.threads == 0 ? "all" : std::to_string(trial.threads), bits,
               brief(seconds)});
  }
  const bool fitted = is_fitted(config.model.kind);
  if (!ranks.leads()) return all_equal ? kDone : kFailed;
  print(fmt::format("{} of {}{}: {} tensor{} of the state and {} metrics\n{}",
                    fitted ? "A fit" : fmt::format("{} steps", kSteps),
                    model_name(config.model.kind), ranks.several() ? " by " + ranks.describe() : "",
                    first->state.tensors.size(), first->state.tensors.size() == 1 ? "" : "s",
                    first->metrics.size(), table.text()));
  return all_equal ? kDone : kFailed;
}

}  // namespace tern::cli
