// tern export: final embeddings and ids, for other programs.

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "host/cli/commands.hpp"
#include "host/cli/format.hpp"
#include "host/cli/help.hpp"
#include "host/cli/output.hpp"
#include "host/cli/run_options.hpp"
#include "host/data/faiss_index.hpp"
#include "host/support/message.hpp"
#include "host/train/cosine.hpp"
#include "tern/error.hpp"
#include "tern/tensor_file.hpp"

namespace tern::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kWords = "word2vec";
constexpr std::string_view kFormerWords = "text";  // its name in version 0.2

struct ExportOptions {
  RunOptions run;
  std::string to;
  std::string format = "npy";
};

Tensor tensor_of(LoadedRun& loaded, Side side) {
  return {{loaded.names(side).size(), loaded.width()}, loaded.host_table(side).take()};
}

/// Throws Error if a name cannot stand in word2vec's text format, which ends it at a blank.
void expect_words(const Vocabulary& names) {
  constexpr std::string_view kBlanks = " \f\v\r";  // names have no tab and no newline
  for (NodeId id = 0; id < names.size(); ++id) {
    const std::string name = names.name(id);
    if (name.find_first_of(kBlanks) == std::string::npos) continue;
    throw Error(
        fmt::format("the id {} has a space, which the word2vec format cannot hold: use --format "
                    "npy, safetensors or faiss",
                    quote(name)));
  }
}

/// word2vec's text format: "rows width", then one line per row with the name and the numbers. Source:
/// word2vec.c, with -binary 0; gensim's load_word2vec_format() reads it.
void write_words(const fs::path& path, const Vocabulary& names, const Tensor& tensor) {
  const auto& values = std::get<std::vector<float>>(tensor.values);
  const auto width = static_cast<std::size_t>(tensor.shape[1]);
  Output out(path);
  out.write(fmt::format("{} {}\n", tensor.shape[0], width));
  std::string line;
  for (NodeId id = 0; id < names.size(); ++id) {
    line = names.name(id);
    for (std::size_t d = 0; d < width; ++d) {
      line += ' ';
      line += exact(values[static_cast<std::size_t>(id) * width + d]);
    }
    out.write(line + "\n");
  }
  out.finish();
}

void write_safetensors_of(const fs::path& path, LoadedRun& loaded, Tensor users, Tensor items) {
  TensorFile file;
  file.tensors["user_embeddings"] = std::move(users);
  file.tensors["item_embeddings"] = std::move(items);
  file.metadata["model"] = loaded.model_name();
  file.metadata["checkpoint"] = loaded.checkpoint();
  file.metadata["epoch"] = std::to_string(loaded.epoch());
  write_safetensors(path, file);
}

/// Unless the run ranks by the cosine, the rows as they are. An index of faiss has no cosine: there, it
/// is the product of rows of length 1.
void write_index(const fs::path& path, ScoreKind score, Tensor rows) {
  if (score == ScoreKind::kCosine) {
    normalize_rows(std::get<std::vector<float>>(rows.values), rows.shape[1]);
  }
  write_faiss_index(path, rows);
}

/// The arrays of a run without embeddings, a file each; users need none.
int export_fitted(const ExportOptions& options, LoadedRun& loaded, Console& console) {
  if (options.format != "npy" && options.format != "safetensors") {
    throw ConfigError(
        fmt::format("--format: {} is for embeddings, but the run's model is {}, which has none: "
                    "expected npy or safetensors",
                    options.format, loaded.model_name()));
  }
  const fs::path folder = options.to;
  // The file is not trusted: a model takes the arrays, which checks their names and shapes.
  TensorFile arrays = loaded.read_scorer()->take_arrays();
  const Vocabulary& names = loaded.names(Side::kItem);
  make_directory(folder);
  for (const auto& [name, tensor] : arrays.tensors) {
    if (options.format == "npy") write_npy(folder / (name + ".npy"), tensor);
    console.line(fmt::format("wrote {}, {} x {}, f32, to {}", name, grouped(tensor.shape[0]),
                             grouped(tensor.shape[1]), folder.string()));
  }
  if (options.format == "safetensors") {
    arrays.metadata = {{"model", std::string(loaded.model_name())}};
    write_safetensors(folder / "model.safetensors", arrays);
  }
  names.write(folder / "items.tsv");
  return kDone;
}

int export_run(const ExportOptions& options) {
  Console console(options.run.console_mode());
  LoadedRun loaded(options.run, console);
  const fs::path folder = options.to;
  std::error_code absent;
  if (fs::equivalent(folder, loaded.run().path(), absent)) {
    throw ConfigError(
        "--to: this is the directory of the run, whose files would be replaced: choose another");
  }
  if (loaded.is_fitted()) return export_fitted(options, loaded, console);
  const Vocabulary& user_names = loaded.names(Side::kUser);
  const Vocabulary& item_names = loaded.names(Side::kItem);
  const bool as_words = options.format == kWords || options.format == kFormerWords;
  if (as_words) {
    expect_words(user_names);
    expect_words(item_names);
  }
  make_directory(folder);
  Tensor users = tensor_of(loaded, Side::kUser);
  Tensor items = tensor_of(loaded, Side::kItem);
  if (as_words) {
    write_words(folder / "user_embeddings.txt", user_names, users);
    write_words(folder / "item_embeddings.txt", item_names, items);
  } else if (options.format == "faiss") {
    write_index(folder / "user_embeddings.faiss", loaded.score_kind(), std::move(users));
    write_index(folder / "item_embeddings.faiss", loaded.score_kind(), std::move(items));
  } else if (options.format == "npy") {
    write_npy(folder / "user_embeddings.npy", users);
    write_npy(folder / "item_embeddings.npy", items);
  } else {
    write_safetensors_of(folder / "embeddings.safetensors", loaded, std::move(users),
                         std::move(items));
  }
  user_names.write(folder / "users.tsv");
  item_names.write(folder / "items.tsv");
  console.line(fmt::format("wrote {} users and {} items, D {}, f32, to {}",
                           grouped(user_names.size()), grouped(item_names.size()), loaded.width(),
                           folder.string()));
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
  add_choice(*app, "--format", options->format,
             {"npy", "safetensors", std::string(kWords), "faiss", std::string(kFormerWords)},
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
