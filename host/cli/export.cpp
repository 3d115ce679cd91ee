// tern export: final embeddings and ids, for other programs.

#include <filesystem>
#include <memory>
#include <string>
#include <system_error>

#include "host/cli/commands.hpp"
#include "host/cli/help.hpp"
#include "host/cli/job_report.hpp"
#include "host/cli/run_options.hpp"
#include "host/serve/export_model.hpp"
#include "tern/error.hpp"

namespace tern::cli {
namespace {

namespace fs = std::filesystem;

struct ExportOptions {
  RunOptions run;
  std::string to;
  std::string format = "npy";
};

int export_run(const ExportOptions& options) {
  Console console(options.run.console_mode());
  LoadedRun loaded(options.run, console);
  const fs::path folder = options.to;
  std::error_code absent;
  if (fs::equivalent(folder, loaded.run().path(), absent)) {
    throw ConfigError(
        "--to: this is the directory of the run, whose files would be replaced: choose another");
  }
  const ExportFormat format = *export_format(options.format);
  const ExportNote note = log_to(console).line;
  if (loaded.is_fitted()) {
    expect_exports_arrays(loaded.config(), format, "--format");
    // The file is not trusted: a model takes the arrays, which checks their names and shapes.
    export_arrays(loaded.config(), loaded.read_scorer()->take_arrays(), loaded.names(Side::kItem),
                  folder, format, note);
    return kDone;
  }
  export_embeddings(loaded, folder, format,
                    {{"model", std::string(loaded.model_name())},
                     {"checkpoint", loaded.checkpoint()},
                     {"epoch", std::to_string(loaded.epoch())}},
                    note);
  return kDone;
}

}  // namespace

Command add_export(CLI::App& program) {
  const auto options = std::make_shared<ExportOptions>();
  CLI::App* app = program.add_subcommand("export", "Write final embeddings for other programs");
  options->run.add_to(*app);
  app->add_option("--to", options->to,
                  "directory to write to; files of an earlier export are replaced")
      ->type_name("DIR")
      ->required();
  add_choice(*app, "--format", options->format, {"npy", "safetensors", "word2vec", "faiss", "text"},
             "format of the files")
      ->type_name("npy|safetensors|word2vec|faiss");
  app->footer(
      "npy: user_embeddings.npy, item_embeddings.npy\n"
      "safetensors: embeddings.safetensors with the tensors user_embeddings and item_embeddings\n"
      "word2vec (or text): user_embeddings.txt, item_embeddings.txt, which gensim reads with\n"
      "  KeyedVectors.load_word2vec_format; an id with a space is refused\n"
      "faiss: user_embeddings.faiss, item_embeddings.faiss, which faiss.read_index opens as exact\n"
      "  indices of the inner product (IndexFlatIP); with evaluation.score = cosine their rows "
      "have\n"
      "  length 1. users.reconstruct_n(0, users.ntotal) gives the queries for items.search\n"
      "Row n (from 0) belongs to line n of users.tsv or items.tsv, which are written beside them.\n"
      "A user's score for an item is the dot product of their rows, or the cosine in a run\n"
      "with evaluation.score = cosine; but for faiss, the rows are the same.\n"
      "A run of ease has item_weights instead: row i is what having item i adds to the score of\n"
      "each item. A run of graph_filter has item_vectors V, the singular vectors of its low-pass\n"
      "filter. Both are exported with items.tsv, as npy or in model.safetensors.");
  return {app, [options] { return export_run(*options); }};
}

}  // namespace tern::cli
