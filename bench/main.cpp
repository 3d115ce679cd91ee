// tern-bench: times the ops of a backend, each checked against the f64 reference first.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <utility>

#include "bench/support/plugin.hpp"
#include "bench/support/run_cases.hpp"
#include "host/support/processors.hpp"
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
  std::string filter = ".";
  bool warm = false;
  bool list = false;
  RunOptions run;
};

DeviceKind kind_of(const std::string& device) {
  return device.starts_with("cuda") ? DeviceKind::kCuda : DeviceKind::kCpu;
}

/// The table of contents.
Cases all_cases(DeviceKind device) {
  Cases cases;
  add_propagate_cases(cases, device);
  add_linear_relu_batchnorm_cases(cases, device);
  add_dropout_cases(cases, device);
  add_sample_cases(cases, device);
  add_bpr_cases(cases, device);
  add_in_batch_softmax_cases(cases, device);
  add_sampled_contrast_cases(cases, device);
  add_perturb_cases(cases, device);
  add_normalize_rows_cases(cases, device);
  add_alignment_uniformity_cases(cases, device);
  add_info_nce_cases(cases, device);
  add_l2_penalty_cases(cases, device);
  add_adam_cases(cases, device);
  add_sgd_cases(cases, device);
  add_score_topk_cases(cases, device);
  add_embedding_statistics_cases(cases, device);
  if (device == DeviceKind::kCuda) load_cuda_plugin().add_rivals(cases);
  return cases;
}

void describe(const Arguments& arguments, const Workload& workload, const Ceilings& ceilings,
              RunOptions& run) {
  const DeviceDescription device = workload.backend().describe();
  const std::string data = arguments.data.empty() ? "shape " + arguments.shape : arguments.data;
  const char* caches = arguments.warm ? "warm" : "evicted";
  run.caches = arguments.warm ? CacheState::kWarm : CacheState::kEvicted;
  run.title = fmt::format(
      "device    {} ({}, {})\n"
      "graph     {}: {} users, {} items, {} interactions; D = {}\n"
      "ceilings  copy {:.1f} GB/s, gather {:.1f} GB/s, product {:.1f} GFLOP/s; measured just now\n"
      "runs      caches {} before each; every result checked before it is timed\n",
      device.name, device.precision, device.details, data, workload.nodes(Side::kUser),
      workload.nodes(Side::kItem), workload.graph().size(), workload.width(), ceilings.copy * 1e-9,
      ceilings.gather * 1e-9, ceilings.product * 1e-9, caches);
  run.context = {{"tern_device", device.name},
                 {"tern_device_details", device.details},
                 {"tern_backend", workload.backend().name()},
                 {"tern_data", data},
                 {"tern_users", std::to_string(workload.nodes(Side::kUser))},
                 {"tern_items", std::to_string(workload.nodes(Side::kItem))},
                 {"tern_interactions", std::to_string(workload.graph().size())},
                 {"tern_width", std::to_string(workload.width())},
                 {"tern_caches", caches}};
}

Interactions interactions_of(const Arguments& arguments) {
  return arguments.data.empty() ? generate_shape(arguments.shape)
                                : load_dataset(arguments.data).train;
}

int run_ops(Arguments arguments) {
  if (arguments.list) {
    const Cases cases = select_cases(all_cases(kind_of(arguments.device)), arguments.filter);
    for (const Case& one : cases) fmt::print("{}\n", one.name());
    return 0;
  }
  const int threads = arguments.threads > 0 ? arguments.threads : default_thread_count().threads;
  // Check the options before spending time on the data.
  const std::unique_ptr<Backend> backend = make_backend(arguments.device, threads);
  const DeviceKind kind = kind_of(backend->name());
  const Cases cases = select_cases(all_cases(kind), arguments.filter);
  if (!arguments.run.json.empty()) expect_writable(arguments.run.json);
  const std::unique_ptr<Device> device = kind == DeviceKind::kCuda
                                             ? load_cuda_plugin().make_device(*backend)
                                             : make_cpu_device(threads);
  Workload workload(*backend, *device, interactions_of(arguments), arguments.width, threads);
  const Ceilings ceilings = device->measure_ceilings(workload);
  describe(arguments, workload, ceilings, arguments.run);
  const Summary summary = run_cases(cases, workload, ceilings, arguments.run);
  if (summary.refused == 0) return 0;
  fmt::print(stderr, "tern-bench: {} of {} cases gave wrong results and were not timed\n",
             summary.refused, cases.size());
  return 1;
}

std::string names_of_shapes() {
  std::string names;
  for (const Shape& shape : known_shapes()) {
    names += (names.empty() ? "" : ", ") + std::string(shape.name);
  }
  return names;
}

void add_options(CLI::App& ops, Arguments& arguments) {
  ops.option_defaults()->always_capture_default();
  ops.add_option("--device", arguments.device, "cpu, cuda, cuda:N, or auto")
      ->type_name("NAME")
      ->check([](const std::string& name) {
        const bool known =
            name == "cpu" || name == "auto" || name == "cuda" || name.starts_with("cuda:");
        return known ? "" : "\"" + name + "\" is none of cpu, cuda, cuda:N, auto";
      });
  CLI::Option* data =
      ops.add_option("--data", arguments.data, "a data set, in the formats of `tern train`")
          ->type_name("DIR");
  ops.add_option("--shape", arguments.shape,
                 "without --data: a generated graph of the size of " + names_of_shapes())
      ->type_name("NAME")
      ->excludes(data);
  ops.add_option("--width", arguments.width, "embedding width D")
      ->type_name("D")
      ->check(CLI::Range(1, 1 << 16));
  ops.add_option("--threads", arguments.threads, "CPU threads; 0: all")
      ->type_name("N")
      ->check(CLI::Range(0, 4096));
  ops.add_option("--filter", arguments.filter,
                 "only cases whose op/variant/strategy this regular expression matches")
      ->type_name("RE");
  ops.add_option("--seconds", arguments.run.seconds,
                 "run a case for this long, over its 9 repetitions")
      ->type_name("S")
      ->check(CLI::Range(1e-3, 3600.0));
  ops.add_option("--json", arguments.run.json, "also write the results as Google Benchmark's JSON")
      ->type_name("FILE");
  ops.add_flag("--warm", arguments.warm, "do not evict the caches before each run");
  ops.add_flag("--list", arguments.list, "only list the names of the cases");
}

int run(int argc, char** argv) {
  CLI::App app(
      "Times Tern's ops beside their rivals. Each result is checked against the f64 reference\n"
      "before it is timed, and compared with the limits of the device, measured in the same run.",
      "tern-bench");
  app.require_subcommand(1);
  Arguments arguments;
  CLI::App* ops = app.add_subcommand(
      "ops", "Every op of a backend beside its rivals: ms, GB/s, GFLOP/s, share of the ceiling.");
  add_options(*ops, arguments);
  app.footer("Example: tern-bench ops --shape ml-1m --filter propagate --json before.json");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return run_ops(std::move(arguments));
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
