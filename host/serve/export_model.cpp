#include "host/serve/export_model.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstddef>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include "host/data/faiss_index.hpp"
#include "host/support/atomic_file.hpp"
#include "host/support/message.hpp"
#include "host/support/number_text.hpp"
#include "host/train/cosine.hpp"
#include "tern/error.hpp"
#include "tern/model.hpp"

namespace tern {
namespace {

namespace fs = std::filesystem;

void make_directory(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (fs::is_directory(path)) return;
  throw Error(fmt::format("cannot make the directory {}: {}", path.string(),
                          error ? error.message() : "something else has that name"));
}

/// The shortest decimal text that reads back as the same number.
void append_exact(std::string& text, float value) {
  std::array<char, 32> buffer{};
  text.append(buffer.data(),
              std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr);
}

Tensor tensor_of(RankingSource& source, Side side) {
  return {{source.names(side).size(), source.width()}, source.host_table(side).take()};
}

/// Throws Error if a name cannot stand in word2vec's text format, which ends it at a blank.
void expect_words(const Vocabulary& names) {
  constexpr std::string_view kBlanks = " \f\v\r";  // names have no tab and no newline
  for (NodeId id = 0; id < names.size(); ++id) {
    const std::string name = names.name(id);
    if (name.find_first_of(kBlanks) == std::string::npos) continue;
    throw Error(fmt::format(
        "the id {} has a space, which the word2vec format cannot hold: export as npy, safetensors "
        "or faiss",
        quote(name)));
  }
}

/// word2vec's text format: "rows width", then one line per row with the name and the numbers. Source:
/// word2vec.c, with -binary 0; gensim's load_word2vec_format() reads it.
void write_words(const fs::path& path, const Vocabulary& names, const Tensor& tensor) {
  constexpr std::size_t kBufferSize = std::size_t{1} << 16;
  const auto& values = std::get<std::vector<float>>(tensor.values);
  const auto width = static_cast<std::size_t>(tensor.shape[1]);
  AtomicFile out(path);
  std::string text = fmt::format("{} {}\n", tensor.shape[0], width);
  for (NodeId id = 0; id < names.size(); ++id) {
    text += names.name(id);
    for (std::size_t d = 0; d < width; ++d) {
      text += ' ';
      append_exact(text, values[static_cast<std::size_t>(id) * width + d]);
    }
    text += '\n';
    if (text.size() < kBufferSize) continue;
    out.write(text);
    text.clear();
  }
  out.write(text);
  out.commit();
}

/// Unless the model ranks by the cosine, the rows as they are. An index of faiss has no cosine: there, it
/// is the product of rows of length 1.
void write_index(const fs::path& path, ScoreKind score, Tensor rows) {
  if (score == ScoreKind::kCosine) {
    normalize_rows(std::get<std::vector<float>>(rows.values), rows.shape[1]);
  }
  write_faiss_index(path, rows);
}

void write_tables(RankingSource& source, const fs::path& folder, ExportFormat format,
                  std::map<std::string, std::string> metadata) {
  Tensor users = tensor_of(source, Side::kUser);
  Tensor items = tensor_of(source, Side::kItem);
  switch (format) {
    case ExportFormat::kNpy:
      write_npy(folder / "user_embeddings.npy", users);
      return write_npy(folder / "item_embeddings.npy", items);
    case ExportFormat::kSafetensors: {
      TensorFile file;
      file.tensors["user_embeddings"] = std::move(users);
      file.tensors["item_embeddings"] = std::move(items);
      file.metadata = std::move(metadata);
      return write_safetensors(folder / "embeddings.safetensors", file);
    }
    case ExportFormat::kWord2Vec:
      write_words(folder / "user_embeddings.txt", source.names(Side::kUser), users);
      return write_words(folder / "item_embeddings.txt", source.names(Side::kItem), items);
    case ExportFormat::kFaiss:
      write_index(folder / "user_embeddings.faiss", source.score_kind(), std::move(users));
      return write_index(folder / "item_embeddings.faiss", source.score_kind(), std::move(items));
  }
}

}  // namespace

std::optional<ExportFormat> export_format(std::string_view name) {
  if (name == "npy") return ExportFormat::kNpy;
  if (name == "safetensors") return ExportFormat::kSafetensors;
  if (name == "word2vec" || name == "text") return ExportFormat::kWord2Vec;
  if (name == "faiss") return ExportFormat::kFaiss;
  return std::nullopt;
}

void export_embeddings(RankingSource& source, const fs::path& folder, ExportFormat format,
                       std::map<std::string, std::string> metadata, const ExportNote& note) {
  const Vocabulary& users = source.names(Side::kUser);
  const Vocabulary& items = source.names(Side::kItem);
  if (format == ExportFormat::kWord2Vec) {
    expect_words(users);
    expect_words(items);
  }
  make_directory(folder);
  write_tables(source, folder, format, std::move(metadata));
  users.write(folder / "users.tsv");
  items.write(folder / "items.tsv");
  if (!note) return;
  note(fmt::format("wrote {} users and {} items, D {}, f32, to {}", grouped(users.size()),
                   grouped(items.size()), source.width(), folder.string()));
}

void expect_exports_arrays(const Config& config, ExportFormat format, std::string_view option) {
  if (format == ExportFormat::kNpy || format == ExportFormat::kSafetensors) return;
  throw ConfigError(
      fmt::format("{}: {} is for embeddings, but the run's model is {}, which has none: "
                  "expected npy or safetensors",
                  option, format == ExportFormat::kFaiss ? "faiss" : "word2vec",
                  model_name(config.model.kind)));
}

void export_arrays(const Config& config, TensorFile arrays, const Vocabulary& items,
                   const fs::path& folder, ExportFormat format, const ExportNote& note) {
  make_directory(folder);
  for (const auto& [name, tensor] : arrays.tensors) {
    if (format == ExportFormat::kNpy) write_npy(folder / (name + ".npy"), tensor);
    if (!note) continue;
    note(fmt::format("wrote {}, {} x {}, f32, to {}", name, grouped(tensor.shape[0]),
                     grouped(tensor.shape[1]), folder.string()));
  }
  if (format == ExportFormat::kSafetensors) {
    arrays.metadata = {{"model", std::string(model_name(config.model.kind))}};
    write_safetensors(folder / "model.safetensors", arrays);
  }
  items.write(folder / "items.tsv");
}

}  // namespace tern
