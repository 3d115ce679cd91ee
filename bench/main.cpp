// tern-bench: times the ops of a backend, each checked against the f64 reference first.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/support/compare_results.hpp"
#include "bench/support/machine.hpp"
#include "bench/support/plugin.hpp"
#include "bench/support/report.hpp"
#include "bench/support/run_cases.hpp"
#include "host/support/processors.hpp"
#include "tern/dataset.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"
#include "tern/version.hpp"

namespace tern::bench {
namespace {

struct Arguments {
  std::string device = "cpu";
  std::string data;
  std::string shape = "gowalla";
  std::vector<std::int64_t> widths{64};
  std::vector<std::string> caches{"evicted"};
  int threads = 0;
  std::string filter = ".";
  bool list = false;
  std::string json;
  std::string baseline;
  RunOptions run;
};

/// The files of `tern-bench compare`.
struct ComparedFiles {
  std::string before;
  std::string after;
};

std::string name_of_data(const Arguments& arguments) {
  return arguments.data.empty() ? "shape " + arguments.shape : arguments.data;
}

const char* name_of(CacheState caches) {
  return caches == CacheState::kWarm ? "warm" : "evicted";
}

/// "12.3 +- 4": billions a second, and the spread in percent.
std::string rate(const Ceiling& ceiling) {
  return fmt::format("{:.1f} +- {:.0f}", ceiling.best() * 1e-9, 100.0 * ceiling.spread());
}

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

/// The lines above a table.
std::string title_of(const Arguments& arguments, const Workload& workload, CacheState caches,
                     const Ceilings& ceilings) {
  const DeviceDescription device = workload.backend().describe();
  std::string limits;
  for (const auto& [name, at] :
       {std::pair("users", Place::kUsers), std::pair("items", Place::kItems),
        std::pair("batch", Place::kBatch)}) {
    const MemoryCeilings& memory = ceilings.at(at);
    limits += fmt::format("          {}: read {}, copy {}, update {}, triad {}, gather {} GB/s\n",
                          name, rate(memory.read), rate(memory.copy), rate(memory.update),
                          rate(memory.triad), rate(memory.gather));
  }
  return fmt::format(
      "device    {} ({}, {})\n"
      "machine   load {}, {} threads\n"
      "graph     {}: {} users, {} items, {} interactions; D = {}\n"
      "ceilings  product {} GFLOP/s; measured before and after the cases, best +- spread in %; at\n"
      "          the sizes of the tables of\n{}"
      "runs      caches {} before each; every result checked before and after it is timed\n",
      device.name, device.precision, device.details, machine_load(), workload.threads(),
      name_of_data(arguments), workload.nodes(Side::kUser), workload.nodes(Side::kItem),
      workload.graph().size(), workload.width(), rate(ceilings.product), limits, name_of(caches));
}

Context context_of(const Arguments& arguments, const Workload& workload) {
  const DeviceDescription device = workload.backend().describe();
  return {{"tern_device", device.name},
          {"tern_device_details", device.details},
          {"tern_backend", workload.backend().name()},
          {"tern_threads", std::to_string(workload.threads())},
          {"tern_data", name_of_data(arguments)},
          {"tern_users", std::to_string(workload.nodes(Side::kUser))},
          {"tern_items", std::to_string(workload.nodes(Side::kItem))},
          {"tern_interactions", std::to_string(workload.graph().size())},
          {"tern_width", fmt::format("{}", fmt::join(arguments.widths, ","))},
          {"tern_caches", fmt::format("{}", fmt::join(arguments.caches, ","))}};
}

Interactions interactions_of(const Arguments& arguments) {
  return arguments.data.empty() ? generate_shape(arguments.shape)
                                : load_dataset(arguments.data).train;
}

/// Everything that one call of the program measures.
struct Measured {
  Context context;
  std::vector<Result> results;
  Summary summary;
};

void append(Context& context, const Context& more) {
  context.insert(context.end(), more.begin(), more.end());
}

/// All cases at one width with the caches in one state.
void run_once(const Arguments& arguments, const Cases& cases, Workload& workload,
              const std::string& caches, Measured& measured) {
  RunOptions options = arguments.run;
  options.caches = caches == "warm" ? CacheState::kWarm : CacheState::kEvicted;
  Ceilings ceilings;
  Device& device = workload.device();
  device.measure_ceilings(workload, options.caches, ceilings);
  std::vector<Result> results = run_cases(cases, workload, options);
  device.measure_ceilings(workload, options.caches, ceilings);
  set_limits(results, ceilings);
  const Summary summary =
      print_table(stdout, title_of(arguments, workload, options.caches, ceilings), results);
  measured.summary.refused += summary.refused;
  measured.summary.implausible += summary.implausible;
  if (measured.results.empty()) append(measured.context, context_of(arguments, workload));
  const bool single = arguments.widths.size() == 1 && arguments.caches.size() == 1;
  const Context limits =
      ceiling_context(ceilings, single ? "" : fmt::format("_D{}_{}", workload.width(), caches));
  append(measured.context, limits);
  std::ranges::move(results, std::back_inserter(measured.results));
}

/// The exit code: 1 if a case was refused.
int report(const Arguments& arguments, const Measured& measured) {
  if (!arguments.json.empty()) write_json(arguments.json, measured.context, measured.results);
  if (!arguments.baseline.empty()) {
    print_comparison(stdout,
                     compare_blocks(read_blocks(arguments.baseline), blocks_of(measured.results)));
  }
  if (measured.summary.implausible > 0) {
    fmt::print(stderr, "tern-bench: {} of {} rows are faster than a measured ceiling allows\n",
               measured.summary.implausible, measured.results.size());
  }
  if (measured.summary.refused == 0) return 0;
  fmt::print(stderr, "tern-bench: {} of {} cases gave wrong results and were not timed\n",
             measured.summary.refused, measured.results.size());
  return 1;
}

int run_ops(const Arguments& arguments) {
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
  if (!arguments.json.empty()) expect_writable(arguments.json);
  if (!arguments.baseline.empty()) read_blocks(arguments.baseline);
  const Interactions interactions = interactions_of(arguments);
  const std::unique_ptr<Device> device = kind == DeviceKind::kCuda
                                             ? load_cuda_plugin().make_device(*backend)
                                             : make_cpu_device(threads);
  Measured measured;
  measured.context = machine_context();
  measured.context.emplace_back("tern_load_before", machine_load());
  for (const std::int64_t width : arguments.widths) {
    Workload workload(*backend, *device, interactions, width, threads);
    for (const std::string& caches : arguments.caches) {
      run_once(arguments, cases, workload, caches, measured);
    }
  }
  measured.context.emplace_back("tern_load_after", machine_load());
  return report(arguments, measured);
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
  ops.add_option("--width", arguments.widths, "embedding widths D, such as 32,64,128")
      ->type_name("D,...")
      ->delimiter(',')
      ->check(CLI::Range(1, 1 << 16));
  ops.add_option("--caches", arguments.caches, "before each run: evicted, warm, or evicted,warm")
      ->type_name("STATE,...")
      ->delimiter(',')
      ->check(CLI::IsMember({"evicted", "warm"}));
  ops.add_option("--threads", arguments.threads, "CPU threads; 0: all")
      ->type_name("N")
      ->check(CLI::Range(0, 4096));
  ops.add_option("--filter", arguments.filter,
                 "only cases whose op/variant/strategy this regular expression matches")
      ->type_name("RE");
  ops.add_option("--seconds", arguments.run.seconds,
                 "run a case for this long, over all its blocks")
      ->type_name("S")
      ->check(CLI::Range(1e-3, 3600.0));
  ops.add_option("--repetitions", arguments.run.blocks,
                 "blocks: in each, all cases run once, in an order of its own")
      ->type_name("N")
      ->check(CLI::Range(1, 1000));
  ops.add_option("--seed", arguments.run.seed, "of that order")->type_name("N");
  ops.add_option("--json", arguments.json, "also write the results, in Google Benchmark's format")
      ->type_name("FILE");
  ops.add_option("--baseline", arguments.baseline,
                 "compare the results with those of an earlier --json, as `compare` does")
      ->type_name("FILE");
  ops.add_flag_callback(
      "--warm", [&arguments] { arguments.caches = {"warm"}; }, "the same as --caches warm");
  ops.add_flag("--list", arguments.list, "only list the names of the cases");
}

int run(int argc, char** argv) {
  CLI::App app(
      "Times Tern's ops beside their rivals. Each result is checked against the f64 reference\n"
      "before and after it is timed, and compared with the limits of the device, measured in the "
      "same run.",
      "tern-bench");
  app.require_subcommand(1);
  Arguments arguments;
  CLI::App* ops = app.add_subcommand(
      "ops", "Every op of a backend beside its rivals: ms, GB/s, GFLOP/s, share of the ceiling.");
  add_options(*ops, arguments);
  ComparedFiles files;
  CLI::App* compare = app.add_subcommand(
      "compare", "Two files of `ops --json`: which cases changed by more than noise.");
  compare->add_option("BEFORE", files.before, "the first run")->required();
  compare->add_option("AFTER", files.after, "the second run")->required();
  app.set_version_flag("--version", "tern-bench " + build_description());
  app.footer("Example: tern-bench ops --shape ml-1m --filter propagate --json before.json");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (*compare) {
    const std::vector<CaseBlocks> before = read_blocks(files.before);
    print_comparison(stdout, compare_blocks(before, read_blocks(files.after)));
    return 0;
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
