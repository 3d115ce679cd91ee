// tern-scale: time and memory of one job by stage, to see how both grow with the data. Reads DATA, splits it,
// makes the graph, trains some steps of softmax over one layer of LightGCN, and ranks one block of users.
//
//     tern-scale DATA [STEPS [BATCH]]
//
// A stage's line: seconds, seconds of processors, the most memory in the stage, and the memory after it;
// both without what the program had at its beginning.

#include <fmt/format.h>
#include <malloc.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <exception>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "host/data/assemble.hpp"
#include "host/data/fingerprint.hpp"
#include "host/data/pool.hpp"
#include "host/data/sources.hpp"
#include "tern/device.hpp"
#include "tern/memory.hpp"
#include "tern/trainer.hpp"

namespace tern::bench {
namespace {

using Clock = std::chrono::steady_clock;

/// A line of /proc/self/status, in MB.
double status(const std::string& key) {
  std::ifstream lines("/proc/self/status");
  std::string word;
  while (lines >> word) {
    double kib = 0;
    if (word == key && lines >> kib) return kib / 1000 * 1.024;
  }
  throw Error("no " + key + " in /proc/self/status");
}

double processor_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

class Stages {
 public:
  Stages() {
    fmt::print("{:24}{:>10}{:>10}{:>12}{:>12}\n", "", "s", "cpu s", "most MB", "MB after");
  }

  /// Runs a stage and prints its line.
  template <typename Body>
  void run(const std::string& name, const Body& body) {
    ::malloc_trim(0);
    std::ofstream("/proc/self/clear_refs") << "5";  // forgets the peak
    const Clock::time_point begin = Clock::now();
    const double before = processor_seconds();
    body();
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    fmt::print("{:24}{:10.2f}{:10.2f}{:12.1f}{:12.1f}\n", name, seconds,
               processor_seconds() - before, status("VmHWM:") - base_, status("VmRSS:") - base_);
    std::fflush(stdout);
  }

 private:
  double base_ = status("VmRSS:");
};

Dataset read(Stages& stages, const std::string& path) {
  const DataOptions options;
  const Sources sources = find_sources(path);
  std::vector<std::string> notes;
  Pool pool;
  Interactions all;
  std::vector<SplitPart> parts;
  std::array<Interactions, kSplitParts> splits;
  Dataset data;
  stages.run("read", [&] { pool = read_pool(sources, options, PoolUse::kDataset, notes); });
  stages.run("matrix", [&] {
    all = to_interactions(pool, 0, &data.duplicates);
    pool.parts = {};
  });
  stages.run("split", [&] {
    parts = split_randomly(all, options.test_fraction, 0.1, options.split_seed);
    splits = apply_split(all, parts);
    all = {};
    parts = {};
  });
  data.users = std::move(pool.users.names);
  data.items = std::move(pool.items.names);
  data.train = std::move(splits[0]);
  data.valid = std::move(splits[1]);
  data.test = std::move(splits[2]);
  stages.run("fingerprint", [&] { data.fingerprint = fingerprint_of(data); });
  return data;
}

void train(Stages& stages, const Dataset& data, std::int64_t steps, std::int64_t batch) {
  Config config;
  config.model.layers = 1;
  config.loss.kind = LossKind::kSoftmax;
  config.batch_size = batch;
  config.sampling.positives = PositiveSampling::kInteraction;
  const std::unique_ptr<Backend> backend = make_cpu_backend();
  fmt::print("{}\n", memory_line(estimate_memory(memory_target(*backend), data, config), *backend));
  stages.run("matrix of the items", [&] { static_cast<void>(data.train.transposed()); });
  std::unique_ptr<Trainer> trainer;
  stages.run("graph, model", [&] { trainer = std::make_unique<Trainer>(*backend, data, config); });
  stages.run("step, block of ranking", [&] { trainer->rehearse(); });
  std::int64_t done = 0;
  std::int64_t all = 0;
  TrainerCallbacks callbacks;
  callbacks.on_step = [&](const StepProgress& progress) {
    done = progress.step;
    all = progress.steps;
  };
  callbacks.should_stop = [&] { return done >= steps; };
  stages.run(fmt::format("{} steps", steps), [&] { trainer->run(callbacks); });
  fmt::print("steps of an epoch: {}, of {} pairs each\n", all, batch);
}

}  // namespace
}  // namespace tern::bench

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: tern-scale DATA [STEPS [BATCH]]\n");
    return 2;
  }
  try {
    tern::bench::Stages stages;
    const tern::Dataset data = tern::bench::read(stages, argv[1]);
    const std::int64_t steps = argc > 2 ? std::stoll(argv[2]) : 0;
    if (steps > 0) tern::bench::train(stages, data, steps, argc > 3 ? std::stoll(argv[3]) : 8192);
  } catch (const std::exception& error) {
    fmt::print(stderr, "tern-scale: {}\n", error.what());
    return 1;
  }
  return 0;
}
