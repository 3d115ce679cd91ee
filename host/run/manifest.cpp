#include "host/run/manifest.hpp"

#include <fmt/format.h>

#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>
#include <system_error>

#include "host/data/fingerprint.hpp"
#include "host/support/file_bytes.hpp"
#include "host/support/hash.hpp"
#include "tern/error.hpp"
#include "tern/model.hpp"
#include "tern/tensor_file.hpp"

namespace tern {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::int64_t kMaxBytes = 1 << 20;

[[noreturn]] void damaged(const fs::path& file, std::string_view what) {
  throw DataError(file.string(), 0, fmt::format("the file is damaged: {}", what));
}

std::uint64_t read_fingerprint(const Json& manifest, const fs::path& file) {
  const auto found = manifest.find("data_fingerprint");
  if (found == manifest.end() || !found->is_string()) damaged(file, "it has no data_fingerprint");
  const std::string digits = found->get<std::string>();
  std::uint64_t fingerprint = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), fingerprint, 16);
  if (error != std::errc() || end != digits.data() + digits.size() || digits.size() != 16) {
    damaged(file, "data_fingerprint is not 16 hexadecimal digits");
  }
  return fingerprint;
}

std::int64_t read_size(const Json& manifest, const char* key, const fs::path& file) {
  const auto found = manifest.find(key);
  if (found == manifest.end() || !found->is_number_unsigned() ||
      found->get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max()) {
    damaged(file, fmt::format("it has no count of {}", key));
  }
  return found->get<std::int64_t>();
}

}  // namespace

RunManifest describe_data(const Dataset& data, const Config& config) {
  return {.fingerprint = job_fingerprint(data, feature_files_for(config.model)),
          .users = data.users.size(),
          .items = data.items.size(),
          .train = data.train.size(),
          .valid = data.valid.size(),
          .test = data.test.size()};
}

void write_manifest(const fs::path& file, const RunManifest& manifest) {
  const Json object{{"format_version", kRunFormatVersion},
                    {"data_fingerprint", hexadecimal(manifest.fingerprint)},
                    {"users", manifest.users},
                    {"items", manifest.items},
                    {"train", manifest.train},
                    {"valid", manifest.valid},
                    {"test", manifest.test}};
  write_file_atomically(file, object.dump() + "\n");
}

RunManifest read_manifest(const fs::path& file) {
  const Json manifest = Json::parse(read_whole_file(file, kMaxBytes).view(), nullptr,
                                    /*allow_exceptions=*/false);
  if (!manifest.is_object()) damaged(file, "it is not a JSON object");
  const auto version = manifest.find("format_version");
  if (version == manifest.end() || !version->is_number_integer()) {
    damaged(file, "it has no integer format_version");
  }
  if (*version != kRunFormatVersion) {
    throw DataError(file.string(), 0,
                    fmt::format("format_version: found {}, but this build reads {}",
                                version->dump(), kRunFormatVersion));
  }
  return {.fingerprint = read_fingerprint(manifest, file),
          .users = read_size(manifest, "users", file),
          .items = read_size(manifest, "items", file),
          .train = read_size(manifest, "train", file),
          .valid = read_size(manifest, "valid", file),
          .test = read_size(manifest, "test", file)};
}

}  // namespace tern
