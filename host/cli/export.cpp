// tern export: final embeddings and ids, for other programs.

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "host/cli/commands.hpp"
#include "host/cli/format.hpp"
#include "host/cli/help.hpp"
#include "host/cli/output.hpp"
#include "host/cli/run_options.hpp"
#include "host/support/message.hpp"
#include "tern/error.hpp"
#include "tern/tensor_file.hpp"

namespace tern::cli {
namespace {

namespace fs = std::filesystem;

struct ExportOptions {
  RunOptions run;
  std::string to;
  std::string format = "npy";
};

Tensor tensor_of(LoadedRun& loaded, Side side) {
  return {{loaded.names(side).size(), loaded.width()}, loaded.download(side)};
}

// word2vec's text format: "rows width", then one line per row with the name and the numbers.
void write_text(const fs::path& path, const Vocabulary& names, const Tensor& tensor) {
  const auto& values = std::get<std::vector<float>>(tensor.values);
  const auto width = static_cast<std::size_t>(tensor.shape[1]);
  Output out(path);
  out.write(fmt::format("{} {}\n", tensor.shape[0], width));
  std::string line;
  for (NodeId id = 0; id < names.size(); ++id) {
    line = names.name(id);
    if (line.find(' ') != std::string::npos) {
      throw Error(
          fmt::format("the id {} has a space, which the text format cannot hold: use "
                      "--format npy or safetensors",
                      quote(line)));
    }
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

/// The arrays of a run without embeddings, a file each; users need none.
int export_fitted(const ExportOptions& options, LoadedRun& loaded, Console& console) {
  if (options.format == "text") {
    throw ConfigError(
        fmt::format("--format: text is for embeddings, but the run's model is {}, which has none: "
                    "expected npy or safetensors",
                    loaded.model_name()));
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
  make_directory(folder);
  Tensor users = tensor_of(loaded, Side::kUser);
  Tensor items = tensor_of(loaded, Side::kItem);
  const Vocabulary& user_names = loaded.names(Side::kUser);
  const Vocabulary& item_names = loaded.names(Side::kItem);
  if (options.format == "text") {
    write_text(folder / "user_embeddings.txt", user_names, users);
    write_text(folder / "item_embeddings.txt", item_names, items);
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
  add_choice(*app, "--format", options->format, {"npy", "safetensors", "text"},
             "format of the files");
  app->footer(
      "npy: user_embeddings.npy, item_embeddings.npy\n"
      "safetensors: embeddings.safetensors with the tensors user_embeddings and item_embeddings\n"
      "text: user_embeddings.txt, item_embeddings.txt in the format of word2vec\n"
      "Row n (from 0) belongs to line n of users.tsv or items.tsv, which are written beside them.\n"
      "A user's score for an item is the dot product of their rows, or the cosine in a run\n"
      "with evaluation.score = cosine; the rows are the same.\n"
      "A run of ease has item_weights instead: row i is what having item i adds to the score of\n"
      "each item. A run of graph_filter has item_vectors V, the singular vectors of its low-pass\n"
      "filter. Both are exported with items.tsv, as npy or in model.safetensors.");
  return {app, [options] { return export_run(*options); }};
}

}  // namespace tern::cli
