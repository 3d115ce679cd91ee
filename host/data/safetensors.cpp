// Layout: 8 bytes, the header's length n (little endian); n bytes of JSON, padded with blanks; the
// values of all tensors, one after the other, without holes. A header entry is
//   "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}
// and "__metadata__" maps strings to strings. Source: the format's description at
// https://github.com/huggingface/safetensors.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "host/data/memory_budget.hpp"
#include "host/data/safetensors_header.hpp"
#include "host/data/safetensors_writer.hpp"
#include "host/data/tensor_bytes.hpp"
#include "host/support/atomic_file.hpp"
#include "host/support/message.hpp"
#include "tern/error.hpp"
#include "tern/tensor_file.hpp"

namespace tern {
namespace {

constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kAlignment = 8;  // of the first value: the size of the widest element

template <typename Value>
std::span<const char> as_chars(std::span<const Value> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

/// Wider elements first, as the reference writer does, so that each tensor is aligned to its
/// elements; then by name.
void sort_for_file(std::vector<TensorView>& tensors) {
  std::sort(tensors.begin(), tensors.end(), [](const TensorView& a, const TensorView& b) {
    const std::size_t wide = element_types()[a.type].bytes;
    const std::size_t other = element_types()[b.type].bytes;
    return wide != other ? wide > other : a.name < b.name;
  });
}

void check_view(const TensorView& tensor) {
  const std::size_t width = element_types()[tensor.type].bytes;
  const std::optional<std::int64_t> count = count_elements(tensor.shape, width);
  if (count && static_cast<std::uint64_t>(*count) * width == tensor.bytes.size()) return;
  throw ShapeError(fmt::format("tensor {}: found {} values, which do not fit the shape {}",
                               quote(tensor.name), tensor.bytes.size() / width,
                               format_shape(tensor.shape)));
}

std::string make_header(const std::vector<TensorView>& tensors,
                        const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[kMetadataKey] = metadata;
  std::uint64_t offset = 0;
  for (const TensorView& tensor : tensors) {
    if (tensor.name == kMetadataKey) {
      throw Error("a tensor cannot have the name \"__metadata__\", which the format reserves");
    }
    check_view(tensor);
    const std::uint64_t end = offset + tensor.bytes.size();
    header[tensor.name] = {{"dtype", element_types()[tensor.type].safetensors},
                           {"shape", tensor.shape},
                           {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();  // throws if a name is not UTF-8
  text.append((kAlignment - text.size() % kAlignment) % kAlignment, ' ');
  if (text.size() > kMaxHeaderBytes) {
    throw Error(
        fmt::format("the header has {} bytes, expected at most {}", text.size(), kMaxHeaderBytes));
  }
  return text;
}

/// Checks the type, shape and offsets of every entry against each other and the size of the file.
void check_entries(std::vector<SafetensorsEntry>& entries, std::uint64_t data_bytes,
                   const std::string& file) {
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  std::uint64_t expected = 0;
  for (const SafetensorsEntry& entry : entries) {
    const auto fail = [&](const std::string& problem) {
      throw DataError(file, 0, fmt::format("tensor {} {}", quote(entry.name), problem));
    };
    const std::size_t bytes = element_types()[entry.type].bytes;
    const std::optional<std::int64_t> count = count_elements(entry.shape, bytes);
    if (!count) fail(fmt::format("has the impossible shape {}", format_shape(entry.shape)));
    if (entry.begin != expected) {
      fail(fmt::format("begins at byte {}, expected {} (no holes, no overlaps)", entry.begin,
                       expected));
    }
    if (entry.end < entry.begin ||
        entry.end - entry.begin != static_cast<std::uint64_t>(*count) * bytes) {
      fail(fmt::format("has the bytes {} to {}, which do not fit its shape {} of {}", entry.begin,
                       entry.end, format_shape(entry.shape),
                       element_types()[entry.type].safetensors));
    }
    expected = entry.end;
  }
  if (expected != data_bytes) {
    throw DataError(
        file, 0,
        fmt::format("found {} bytes of values, expected {}: the file is {}", data_bytes, expected,
                    data_bytes < expected ? "cut short" : "longer than its tensors"));
  }
}

/// Reads the header, and checks its entries against the size of the file.
SafetensorsHeader read_header(InputFile& input) {
  const std::string& name = input.name();
  if (input.size() < kLengthBytes) {
    throw DataError(
        name, 0,
        fmt::format("the file has {} bytes, expected at least {}", input.size(), kLengthBytes));
  }
  std::array<char, kLengthBytes> prefix{};
  input.read(prefix);
  std::uint64_t length = 0;
  std::memcpy(&length, prefix.data(), kLengthBytes);
  if (length > kMaxHeaderBytes || length > input.size() - kLengthBytes) {
    throw DataError(
        name, 0,
        fmt::format("the header claims {} bytes, expected at most {} here: the file is "
                    "cut short, or not safetensors",
                    length, std::min<std::uint64_t>(kMaxHeaderBytes, input.size() - kLengthBytes)));
  }
  std::string text(length, '\0');
  input.read(text);
  SafetensorsHeader header = parse_safetensors_header(text, name);
  check_entries(header.entries, input.size() - kLengthBytes - length, name);
  return header;
}

}  // namespace

TensorView tensor_view(std::string name, std::span<const std::int32_t> values) {
  return {std::move(name), 2, {static_cast<std::int64_t>(values.size())}, as_chars(values)};
}

TensorView tensor_view(std::string name, std::span<const std::int64_t> values) {
  return {std::move(name), 3, {static_cast<std::int64_t>(values.size())}, as_chars(values)};
}

TensorView tensor_view(std::string name, std::span<const float> values, std::int64_t rows,
                       std::int64_t columns) {
  return {std::move(name), 0, {rows, columns}, as_chars(values)};
}

void write_safetensors(const std::filesystem::path& path, std::vector<TensorView> tensors,
                       const std::map<std::string, std::string>& metadata) {
  sort_for_file(tensors);
  std::string header;
  try {
    header = make_header(tensors, metadata);
  } catch (const nlohmann::json::exception&) {
    throw Error(fmt::format("{}: a tensor's name or the metadata is not UTF-8", path.string()));
  }
  const std::uint64_t length = header.size();
  AtomicFile output(path);
  output.write(&length, kLengthBytes);
  output.write(header);
  for (const TensorView& tensor : tensors) output.write(tensor.bytes.data(), tensor.bytes.size());
  output.commit();
}

void write_safetensors(const std::filesystem::path& path, const TensorFile& file) {
  std::vector<TensorView> tensors;
  for (const auto& [name, tensor] : file.tensors) {
    check_tensor(name, tensor);
    tensors.push_back({name, tensor.values.index(), tensor.shape, bytes_of(tensor)});
  }
  write_safetensors(path, std::move(tensors), file.metadata);
}

TensorFile read_safetensors(const std::filesystem::path& path) {
  InputFile input(path);
  SafetensorsHeader header = read_header(input);
  require_memory(input.remaining(), input.name());  // a sparse file claims more than it holds
  TensorFile file;
  file.metadata = std::move(header.metadata);
  for (const SafetensorsEntry& entry : header.entries) {
    const auto count = count_elements(entry.shape, element_types()[entry.type].bytes);
    Tensor tensor = make_tensor(entry.type, entry.shape, *count);
    input.read(bytes_of(tensor));
    file.tensors.emplace(entry.name, std::move(tensor));
  }
  return file;
}

std::map<std::string, std::string> read_safetensors_metadata(const std::filesystem::path& path) {
  InputFile input(path);
  return read_header(input).metadata;
}

}  // namespace tern
