// tern-bench: times the ops of a backend, each checked against the f64 reference first.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "bench/run_ops.hpp"
#include "bench/support/compare_results.hpp"
#include "bench/support/plugin.hpp"
#include "bench/support/run_cases.hpp"
#include "tern/error.hpp"
#include "tern/version.hpp"

namespace tern::bench {
namespace {

/// The files of `tern-bench compare`.
struct ComparedFiles {
  std::string before;
  std::string after;
};

/// The table of contents.
Cases all_cases(DeviceKind device, const AxisLists& lists) {
  Cases cases;
  add_propagate_cases(cases, device, lists);
  add_linear_relu_batchnorm_cases(cases, device);
  add_dropout_cases(cases, device);
  add_sample_cases(cases, device);
  add_bpr_cases(cases, device);
  add_in_batch_softmax_cases(cases, device);
  add_sampled_contrast_cases(cases, device, lists);
  add_perturb_cases(cases, device);
  add_normalize_rows_cases(cases, device);
  add_alignment_uniformity_cases(cases, device);
  add_info_nce_cases(cases, device);
  add_l2_penalty_cases(cases, device);
  add_adam_cases(cases, device);
  add_sgd_cases(cases, device);
  add_score_topk_cases(cases, device);
  add_embedding_statistics_cases(cases, device);
  add_lightgcn_cases(cases, device, lists);
  if (device == DeviceKind::kCuda) load_cuda_plugin().add_rivals(cases);
  return cases;
}

void list_cases(const Arguments& arguments) {
  const DeviceKind device = kind_of(arguments.device);
  for (const Case& one : select_cases(all_cases(device, arguments.lists), arguments.filter)) {
    fmt::print("{}\n", one.name());
  }
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
  ops.add_option("--batch", arguments.batches, "batch sizes B, for the cases that read a batch")
      ->type_name("B,...")
      ->delimiter(',')
      ->check(CLI::Range(1, 1 << 24));
  ops.add_option("--layers", arguments.lists.layers, "numbers of layers, for step/lightgcn")
      ->type_name("L,...")
      ->delimiter(',')
      ->check(CLI::Range(1, 64));
  ops.add_option("--negatives", arguments.lists.negatives,
                 "negatives of each positive, for sampled_contrast")
      ->type_name("N,...")
      ->delimiter(',')
      ->check(CLI::Range(1, 4096));
  ops.add_option("--precision", arguments.lists.precisions,
                 "of the rows that propagate gathers: f32, bf16, or f32,bf16")
      ->type_name("NAME,...")
      ->delimiter(',')
      ->check(CLI::IsMember({"f32", "bf16"}));
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
  ops.add_option(
         "--processes", arguments.processes,
         "share the blocks out among so many processes, which verify on their own; 0: 6, or 3 for "
         "more than 20 cases; 1: all in this one, as profilers need it")
      ->type_name("N")
      ->check(CLI::Range(0, 1000));
  ops.add_option("--share", arguments.share, "a table and a process of another run")
      ->delimiter(',')
      ->expected(2)
      ->check(CLI::NonNegativeNumber)
      ->group("");  // hidden: only for the program itself
  ops.add_option("--seed", arguments.run.seed, "of that order")->type_name("N");
  ops.add_option("--format", arguments.format, "of standard output: table, csv, markdown, json")
      ->type_name("NAME")
      ->check(CLI::IsMember({"table", "csv", "markdown", "json"}));
  ops.add_option("--json", arguments.json, "also write the results, in Google Benchmark's format")
      ->type_name("FILE");
  ops.add_option("--svg", arguments.svg, "also draw a roofline: flop/byte and flop/s of each case")
      ->type_name("FILE");
  ops.add_option("--baseline", arguments.baseline,
                 "compare the results with those of an earlier --json, as `compare` does")
      ->type_name("FILE");
  ops.add_flag_callback(
      "--warm", [&arguments] { arguments.caches = {"warm"}; }, "the same as --caches warm");
  ops.add_flag("--estimate", arguments.estimate, "only print the time and memory that it needs");
  ops.add_flag("--force", arguments.force,
               "run even if it seems to need more than the free memory");
  ops.add_flag("--list", arguments.list, "only list the names of the cases");
}

template <typename Value>
void drop_repeated(std::vector<Value>& values) {
  std::vector<Value> kept;
  for (const Value& value : values) {
    if (std::ranges::find(kept, value) == kept.end()) kept.push_back(value);
  }
  values = std::move(kept);
}

/// Takes the lists as they are meant: each value once.
void settle(Arguments& arguments) {
  drop_repeated(arguments.widths);
  drop_repeated(arguments.batches);
  drop_repeated(arguments.lists.layers);
  drop_repeated(arguments.lists.negatives);
  drop_repeated(arguments.lists.precisions);
  drop_repeated(arguments.caches);
  arguments.run.caches.clear();
  for (const std::string& state : arguments.caches) {
    arguments.run.caches.push_back(state == "warm" ? CacheState::kWarm : CacheState::kEvicted);
  }
}

int run(int argc, char** argv) {
  CLI::App app(
      "Times Tern's ops beside their rivals. Each result is checked against the f64 reference\n"
      "before and after it is timed, and compared with the limits of the device, measured in the "
      "same run.",
      "tern-bench");
  app.require_subcommand(1);
  Arguments arguments;
  arguments.words.assign(argv + 1, argv + argc);
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
  settle(arguments);
  if (arguments.list) {
    list_cases(arguments);
    return 0;
  }
  return run_ops(arguments, all_cases);
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
