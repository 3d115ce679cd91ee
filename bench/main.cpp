// tern-bench: times the ops of a backend, each checked against the f64 reference first.

#include <fmt/format.h>
#include <omp.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "bench/support/case.hpp"
#include "bench/support/ceilings.hpp"
#include "bench/support/run_cases.hpp"
#include "tern/dataset.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"

namespace tern::bench {
namespace {

struct Arguments {
  std::string device = "cpu";
  std::string data;
  std::string shape = "gowalla";
  std::int64_t width = 64;
  int threads = 0;
  bool warm = false;
  bool list = false;
  RunOptions run;
};

Cases all_cases(const std::string& device) {
  Cases cases;
  add_propagate_cases(cases, device);
  add_sample_cases(cases, device);
  add_bpr_cases(cases, device);
  add_l2_penalty_cases(cases, device);
  add_adam_cases(cases, device);
  add_sgd_cases(cases, device);
  add_score_topk_cases(cases, device);
  add_embedding_statistics_cases(cases, device);
  return cases;
}

std::string title(const Arguments& arguments, const Workload& workload, const Ceilings& ceilings) {
  const DeviceDescription device = workload.backend().describe();
  return fmt::format(
      "{} ({}, {})\n{}: {} users, {} items, {} interactions, D = {}, {} caches\n"
      "ceilings: copy {:.1f} GB/s, gather {:.1f} GB/s, product {:.1f} GFLOP/s\n",
      device.name, device.precision, device.details,
      arguments.data.empty() ? "shape " + arguments.shape : arguments.data,
      workload.nodes(Side::kUser), workload.nodes(Side::kItem), workload.graph().size(),
      workload.width(), arguments.warm ? "warm" : "flushed", ceilings.copy * 1e-9,
      ceilings.gather * 1e-9, ceilings.product * 1e-9);
}

int run_ops(Arguments arguments) {
  const Cases cases = all_cases(arguments.device);
  if (arguments.list) {
    for (const Case& one : cases) fmt::print("{}\n", one.name());
    return 0;
  }
  const std::unique_ptr<Backend> backend = make_backend(arguments.device, arguments.threads);
  Workload workload(
      *backend,
      arguments.data.empty() ? generate_shape(arguments.shape) : load_dataset(arguments.data).train,
      arguments.width, arguments.threads > 0 ? arguments.threads : omp_get_max_threads());
  const Ceilings ceilings = measure_ceilings(workload);
  arguments.run.caches = arguments.warm ? CacheState::kWarm : CacheState::kFlushed;
  arguments.run.title = title(arguments, workload, ceilings);
  const int refused = run_cases(cases, workload, ceilings, arguments.run);
  if (refused > 0) {
    fmt::print(stderr, "tern-bench: {} cases gave wrong results and were not timed\n", refused);
  }
  return refused > 0 ? 1 : 0;
}

int run(int argc, char** argv) {
  CLI::App app("Times Tern's ops beside their rivals. Each case is checked before it is timed.",
               "tern-bench");
  app.require_subcommand(1);
  Arguments arguments;
  CLI::App* ops = app.add_subcommand("ops", "every op of a backend, on one graph");
  ops->option_defaults()->always_capture_default();
  ops->add_option("--device", arguments.device, "cpu, cuda or cuda:N");
  CLI::Option* data = ops->add_option("--data", arguments.data, "a data set as for `tern train`");
  ops->add_option("--shape", arguments.shape,
                  "else a generated graph of the size of gowalla, yelp2018, amazon-book or ml-1m")
      ->excludes(data);
  ops->add_option("--width", arguments.width, "embedding width D")->check(CLI::Range(1, 1 << 16));
  ops->add_option("--threads", arguments.threads, "CPU threads; 0: all")
      ->check(CLI::NonNegativeNumber);
  ops->add_option("--filter", arguments.run.filter, "regular expression on op/variant/strategy");
  ops->add_option("--min-seconds", arguments.run.min_seconds, "timed seconds a case");
  ops->add_option("--json", arguments.run.json, "also write Google Benchmark's JSON here");
  ops->add_flag("--warm", arguments.warm, "do not evict the caches before each run");
  ops->add_flag("--list", arguments.list, "only name the cases");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return run_ops(arguments);
}

}  // namespace
}  // namespace tern::bench

int main(int argc, char** argv) {
  try {
    return tern::bench::run(argc, argv);
  } catch (const tern::ConfigError& error) {
    std::fprintf(stderr, "tern-bench: %s\n", error.what());
    return 2;
  } catch (const tern::DataError& error) {
    std::fprintf(stderr, "tern-bench: %s\n", error.what());
    return 65;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tern-bench: %s\n", error.what());
    return 1;
  }
}
