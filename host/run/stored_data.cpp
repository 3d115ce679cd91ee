#include "host/run/stored_data.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "host/data/fingerprint.hpp"
#include "host/data/safetensors_writer.hpp"
#include "host/run/stored_features.hpp"
#include "host/support/file_bytes.hpp"
#include "host/support/files.hpp"
#include "host/support/hash.hpp"
#include "tern/error.hpp"
#include "tern/tensor_file.hpp"

namespace tern {
namespace {

namespace fs = std::filesystem;

constexpr char kDataFingerprint[] = "data_fingerprint";
constexpr char kFeatureFingerprint[] = "feature_fingerprint";

/// The metadata key of a side's hash of names.
const char* names_key(Side side) {
  return side == Side::kUser ? "users_hash" : "items_hash";
}

const char* names_file(Side side) {
  return side == Side::kUser ? kUsersFile : kItemsFile;
}

std::string hash_of_file(const fs::path& file) {
  const ByteBuffer bytes = read_whole_file(file);
  return hexadecimal(hash_bytes(std::span<const char>(bytes.view())));
}

using Metadata = std::map<std::string, std::string>;

const std::string& value_at(const Metadata& metadata, const char* key, const fs::path& file) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) {
    throw DataError(file.string(), 0, fmt::format("metadata: {} is missing", key));
  }
  return found->second;
}

std::uint64_t fingerprint_at(const Metadata& metadata, const char* key, const fs::path& file) {
  const std::string& digits = value_at(metadata, key, file);
  std::uint64_t value = 0;
  const char* end = digits.data() + digits.size();
  if (digits.size() != 16 || std::from_chars(digits.data(), end, value, 16).ptr != end) {
    throw DataError(file.string(), 0,
                    fmt::format("metadata: {} is not 16 hexadecimal digits", key));
  }
  return value;
}

void expect_fingerprint(std::uint64_t found, std::uint64_t expected, const fs::path& file) {
  if (found == expected) return;
  throw DataError(file.string(), 0,
                  fmt::format("the file is damaged: its contents have fingerprint {}, expected {}",
                              hexadecimal(found), hexadecimal(expected)));
}

Vocabulary read_names(const fs::path& run, Side side, const Metadata& metadata) {
  const fs::path file = run / names_file(side);
  if (hash_of_file(file) != value_at(metadata, names_key(side), run / kInteractionsFile)) {
    throw DataError(file.string(), 0,
                    "the file has changed since the run was made: its lines name the rows of the "
                    "embeddings, expected the same lines in the same order");
  }
  return Vocabulary::read(file);
}

template <typename Value>
std::vector<Value> take(TensorFile& tensors, const std::string& name, const fs::path& file) {
  const auto found = tensors.tensors.find(name);
  auto* values = found == tensors.tensors.end()
                     ? nullptr
                     : std::get_if<std::vector<Value>>(&found->second.values);
  if (values == nullptr) {
    throw DataError(file.string(), 0, fmt::format("tensor {} is missing", name));
  }
  return std::move(*values);
}

Interactions take_split(TensorFile& tensors, const std::string& name, NodeId users, NodeId items,
                        const fs::path& file) {
  auto offsets = take<EdgeOffset>(tensors, name + ".offsets", file);
  auto columns = take<NodeId>(tensors, name + ".items", file);
  if (offsets.size() != static_cast<std::size_t>(users) + 1) {
    throw DataError(file.string(), 0,
                    fmt::format("tensor {}.offsets has {} values, expected {}, one more than users",
                                name, offsets.size(), std::int64_t{users} + 1));
  }
  try {
    return Interactions(users, items, std::move(offsets), std::move(columns));
  } catch (const ShapeError& error) {
    throw DataError(file.string(), 0, fmt::format("the file is damaged: {}", error.what()));
  }
}

}  // namespace

void write_stored_data(const fs::path& run, const Dataset& data, StoredFeatures features) {
  const std::uint64_t of_features = feature_fingerprint_of(data);
  const bool with_features = features == StoredFeatures::kYes && of_features != 0;
  if (with_features) write_stored_features(run / kFeaturesFile, data);
  Metadata metadata{{kDataFingerprint, hexadecimal(fingerprint_of(data))},
                    {kFeatureFingerprint, hexadecimal(with_features ? of_features : 0)}};
  for (const Side side : {Side::kUser, Side::kItem})
    metadata[names_key(side)] = hash_of_file(run / names_file(side));
  // Last: a run with this file has a whole copy.
  write_safetensors(run / kInteractionsFile,
                    {tensor_view("train.offsets", data.train.offsets()),
                     tensor_view("train.items", data.train.items()),
                     tensor_view("valid.offsets", data.valid.offsets()),
                     tensor_view("valid.items", data.valid.items()),
                     tensor_view("test.offsets", data.test.offsets()),
                     tensor_view("test.items", data.test.items())},
                    metadata);
}

Vocabulary read_stored_names(const fs::path& run, Side side) {
  const fs::path file = run / kInteractionsFile;
  if (!is_there(file)) return Vocabulary::read(run / names_file(side));
  return read_names(run, side, read_safetensors_metadata(file));
}

Dataset read_stored_data(const fs::path& run, StoredFeatures features) {
  const fs::path file = run / kInteractionsFile;
  TensorFile tensors = read_safetensors(file);
  Dataset data;
  data.users = read_names(run, Side::kUser, tensors.metadata);
  data.items = read_names(run, Side::kItem, tensors.metadata);
  const auto split = [&](const char* name) {
    return take_split(tensors, name, data.users.size(), data.items.size(), file);
  };
  data.train = split("train");
  data.valid = split("valid");
  data.test = split("test");
  data.fingerprint =
      fingerprint(std::array<const Interactions*, 3>{&data.train, &data.valid, &data.test});
  expect_fingerprint(data.fingerprint, fingerprint_at(tensors.metadata, kDataFingerprint, file),
                     file);
  data.feature_fingerprint = fingerprint_at(tensors.metadata, kFeatureFingerprint, file);
  if (features == StoredFeatures::kNo || data.feature_fingerprint == 0) return data;
  read_stored_features(run / kFeaturesFile, data);
  expect_fingerprint(feature_fingerprint(data.user_features, data.item_features),
                     data.feature_fingerprint, run / kFeaturesFile);
  return data;
}

}  // namespace tern
