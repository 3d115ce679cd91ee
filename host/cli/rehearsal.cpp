#include "host/cli/rehearsal.hpp"

#include <fmt/format.h>

#include <new>

#include "host/backend/device.hpp"
#include "host/run/training_job.hpp"
#include "tern/error.hpp"
#include "tern/run.hpp"

namespace tern::cli {

std::unique_ptr<Backend> open_training_backend(const Config& config, int threads, Console& console,
                                               Ranks& ranks) {
  if (ranks.several()) return ranks.make_backend(config, threads);
  std::string notice;
  std::unique_ptr<Backend> backend =
      make_program_backend(config.device, threads, &notice, config.reproducibility);
  if (!notice.empty()) console.line(notice);
  return backend;
}

MemoryEstimate training_memory(const Backend& backend, const Dataset& data, const Config& config,
                               const Ranks& ranks) {
  MemoryTarget target = memory_target(backend);
  target.ranks = ranks.size();
  return estimate_memory(target, data, config);
}

void expect_memory(const MemoryEstimate& memory, const Backend& backend, Ranks& ranks) {
  MemoryEstimate on_host = memory;
  for (MemoryPart& part : on_host.parts) part.host *= ranks.on_this_host();
  const std::string shortage = memory_shortage(on_host, backend);
  if (!shortage.empty()) {
    throw Error(fmt::format(
        "not enough memory{}: {}",
        ranks.several() ? fmt::format(" for {} of the ranks on one host", ranks.on_this_host())
                        : "",
        shortage));
  }
  ranks.wait_for_all();
}

std::unique_ptr<Trainer> rehearsed_trainer(Backend& backend, const Dataset& data,
                                           const Config& config, const std::string* out,
                                           const MemoryEstimate& memory) {
  std::string finding = "out of memory";
  try {
    auto trainer = std::make_unique<Trainer>(backend, data, config);
    if (out != nullptr) {
      check_space(out->empty() ? "runs" : *out, config, data, trainer->state_bytes());
    }
    trainer->rehearse();
    return trainer;
  } catch (const MemoryError& error) {
    finding = error.what();
  } catch (const std::bad_alloc&) {
  }
  throw Error(fmt::format("not enough memory: {} ({})", memory_need(memory, backend), finding));
}

}  // namespace tern::cli
