#include "host/run/stored_features.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "host/data/safetensors_writer.hpp"
#include "host/support/files.hpp"
#include "tern/error.hpp"
#include "tern/tensor_file.hpp"

namespace tern {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// Metadata of a side, as JSON: users.columns are all names in order, and users.sparse the places of
// those among them that are stored as ones.
constexpr char kColumns[] = "columns";
constexpr char kSparse[] = "sparse";

std::string key(Side side, const char* name) {
  return fmt::format("{}.{}", side == Side::kUser ? "users" : "items", name);
}

/// Names are any bytes, metadata is UTF-8: bytes outside of ASCII become %XX, and so does % itself.
std::string escaped(const std::string& name) {
  std::string text;
  for (const char byte : name) {
    const auto code = static_cast<unsigned char>(byte);
    if (code == '%' || code >= 0x80) {
      text += fmt::format("%{:02X}", code);
    } else {
      text += byte;
    }
  }
  return text;
}

std::string unescaped(const std::string& text, const fs::path& file) {
  std::string name;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      name += text[i];
      continue;
    }
    unsigned code = 0;
    const char* begin = text.data() + i + 1;
    if (i + 2 >= text.size() || std::from_chars(begin, begin + 2, code, 16).ptr != begin + 2) {
      throw DataError(file.string(), 0, "the file is damaged: a column has an impossible name");
    }
    name += static_cast<char>(code);
    i += 2;
  }
  return name;
}

/// Whether every value has the bits of 0 or 1: -0 would not be restored.
std::vector<bool> find_binary_columns(const Features& features) {
  const auto width = static_cast<std::size_t>(features.width());
  std::vector<bool> binary(width, true);
  constexpr auto kOne = std::bit_cast<std::uint32_t>(1.0F);
  for (std::size_t i = 0; i < features.values.size(); ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(features.values[i]);
    if (bits != 0 && bits != kOne) binary[i % width] = false;
  }
  return binary;
}

/// One side's features as they are stored.
struct Stored {
  std::vector<float> numbers;  // (nodes, dense columns)
  std::vector<std::int64_t> offsets{0};
  std::vector<std::int32_t> ones;  // places among all columns
};

Stored to_stored(const Features& features, const std::vector<bool>& sparse) {
  const auto width = static_cast<std::size_t>(features.width());
  Stored stored;
  for (std::size_t begin = 0; begin < features.values.size(); begin += width) {
    for (std::size_t c = 0; c < width; ++c) {
      const float value = features.values[begin + c];
      if (!sparse[c]) {
        stored.numbers.push_back(value);
      } else if (value != 0.0F) {
        stored.ones.push_back(static_cast<std::int32_t>(c));
      }
    }
    stored.offsets.push_back(static_cast<std::int64_t>(stored.ones.size()));
  }
  return stored;
}

/// Reads one side.
class SideReader {
 public:
  SideReader(TensorFile& tensors, Side side, NodeId nodes, const fs::path& file)
      : tensors_(tensors), side_(side), nodes_(static_cast<std::size_t>(nodes)), file_(file) {}

  Features read() {
    Features features;
    for (const Json& name : list(kColumns)) {
      expect(name.is_string(), kColumns);
      features.names.push_back(unescaped(name.get<std::string>(), file_));
    }
    const std::size_t width = features.names.size();
    std::vector<bool> sparse(width, false);
    for (const Json& place : list(kSparse)) {
      expect(place.is_number_unsigned() && place.get<std::size_t>() < width, kSparse);
      sparse[place.get<std::size_t>()] = true;
    }
    fill(features, sparse);
    return features;
  }

 private:
  void expect(bool fine, const char* name) const {
    if (fine) return;
    throw DataError(
        file_.string(), 0,
        fmt::format("the file is damaged: {} does not fit the others", key(side_, name)));
  }

  Json list(const char* name) const {
    const auto found = tensors_.metadata.find(key(side_, name));
    Json list;
    if (found != tensors_.metadata.end()) list = Json::parse(found->second, nullptr, false);
    expect(list.is_array(), name);
    return list;
  }

  template <typename Value>
  const std::vector<Value>& values(const char* name) const {
    const auto found = tensors_.tensors.find(key(side_, name));
    expect(found != tensors_.tensors.end() &&
               std::holds_alternative<std::vector<Value>>(found->second.values),
           name);
    return std::get<std::vector<Value>>(found->second.values);
  }

  void fill(Features& features, const std::vector<bool>& sparse) const {
    const std::size_t width = sparse.size();
    const auto& numbers = values<float>("numbers");
    const auto& offsets = values<std::int64_t>("ones.offsets");
    const auto& ones = values<std::int32_t>("ones.columns");
    const auto num_dense =
        static_cast<std::size_t>(std::count(sparse.begin(), sparse.end(), false));
    expect(numbers.size() == num_dense * nodes_, "numbers");
    expect(offsets.size() == nodes_ + 1 && offsets.front() == 0 &&
               offsets.back() == static_cast<std::int64_t>(ones.size()) &&
               std::is_sorted(offsets.begin(), offsets.end()),
           "ones.offsets");
    features.values.assign(nodes_ * width, 0.0F);
    std::size_t at = 0;
    for (std::size_t node = 0; node < nodes_; ++node) {
      float* row = features.values.data() + node * width;
      for (std::size_t c = 0; c < width; ++c) {
        if (!sparse[c]) row[c] = numbers[at++];
      }
      for (std::int64_t i = offsets[node]; i < offsets[node + 1]; ++i) {
        const std::int32_t c = ones[static_cast<std::size_t>(i)];
        expect(c >= 0 && static_cast<std::size_t>(c) < width, "ones.columns");
        row[c] = 1.0F;
      }
    }
  }

  TensorFile& tensors_;
  Side side_;
  std::size_t nodes_;
  const fs::path& file_;
};

}  // namespace

void write_stored_features(const fs::path& file, const Dataset& data) {
  std::map<Side, Stored> stored;  // the views refer to it
  std::vector<TensorView> tensors;
  std::map<std::string, std::string> metadata;
  for (const Side side : {Side::kUser, Side::kItem}) {
    const auto& features = side == Side::kUser ? data.user_features : data.item_features;
    if (!features) continue;
    const std::vector<bool> sparse = find_binary_columns(*features);
    Json names = Json::array();
    Json places = Json::array();
    for (std::size_t c = 0; c < sparse.size(); ++c) {
      names.push_back(escaped(features->names[c]));
      if (sparse[c]) places.push_back(c);
    }
    metadata[key(side, kColumns)] = names.dump();
    metadata[key(side, kSparse)] = places.dump();
    const Stored& of = stored.emplace(side, to_stored(*features, sparse)).first->second;
    const auto nodes = static_cast<std::int64_t>(of.offsets.size()) - 1;
    const auto dense = static_cast<std::int64_t>(sparse.size() - places.size());
    tensors.push_back(tensor_view(key(side, "numbers"), of.numbers, nodes, dense));
    tensors.push_back(tensor_view(key(side, "ones.offsets"), of.offsets));
    tensors.push_back(tensor_view(key(side, "ones.columns"), of.ones));
  }
  write_safetensors(file, std::move(tensors), metadata);
}

bool holds_stored_features(const fs::path& file, Side side) {
  return is_there(file) && read_safetensors_metadata(file).contains(key(side, kColumns));
}

void read_stored_features(const fs::path& file, Dataset& data) {
  TensorFile tensors = read_safetensors(file);
  for (const Side side : {Side::kUser, Side::kItem}) {
    if (!tensors.metadata.contains(key(side, kColumns))) continue;
    const NodeId nodes = side == Side::kUser ? data.users.size() : data.items.size();
    (side == Side::kUser ? data.user_features : data.item_features) =
        SideReader(tensors, side, nodes, file).read();
  }
}

}  // namespace tern
