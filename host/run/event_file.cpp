#include "host/run/event_file.hpp"

#include "host/config/keys.hpp"
#include "host/support/crc32c.hpp"
#include "host/support/protobuf.hpp"

namespace tern::events {
namespace {

// Numbers of fields, and of values of enumerations, in the .proto files.
namespace event {
enum Field : std::uint32_t {
  kWallTime = 1,
  kStep = 2,
  kFileVersion = 3,
  kSummary = 5,
  kSessionLog = 7
};
}
namespace summary {
enum Field : std::uint32_t { kValues = 1 };
}
namespace value {
enum Field : std::uint32_t { kTag = 1, kSimpleValue = 2, kTensor = 8, kMetadata = 9 };
}
namespace metadata {
enum Field : std::uint32_t { kPluginData = 1 };
}
namespace plugin_data {
enum Field : std::uint32_t { kPluginName = 1, kContent = 2 };
}
namespace tensor {
enum Field : std::uint32_t { kType = 1, kShape = 2, kStringValue = 8 };
constexpr std::int64_t kString = 7;
}  // namespace tensor
namespace shape {
enum Field : std::uint32_t { kDimensions = 2 };
}
namespace dimension {
enum Field : std::uint32_t { kSize = 1 };
}
namespace session_log {
enum Field : std::uint32_t { kStatus = 1 };
constexpr std::int64_t kStart = 1;
}  // namespace session_log
namespace hparams {
enum Field : std::uint32_t { kSessionStartInfo = 3 };
}
namespace session_start {
enum Field : std::uint32_t { kHparams = 1, kStartTime = 5 };
}
namespace entry {  // of a map
enum Field : std::uint32_t { kKey = 1, kValue = 2 };
}
namespace any_value {  // google.protobuf.Value
enum Field : std::uint32_t { kNumber = 2, kText = 3, kBoolean = 4 };
}

/// Little-endian.
template <typename Word>
void append_word(std::string& bytes, Word word) {
  for (unsigned i = 0; i < sizeof(word); ++i) bytes += static_cast<char>(word >> (8 * i) & 0xFFu);
}

/// Rotated and shifted, so that a checksum of bytes that hold checksums stays a good one.
std::uint32_t masked_crc(std::string_view bytes) {
  const std::uint32_t crc = crc32c(bytes);
  return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u;
}

ProtobufMessage begin_event(double seconds, std::int64_t step) {
  return ProtobufMessage().real(event::kWallTime, seconds).integer(event::kStep, step);
}

/// A value of a summary that a plugin shows.
ProtobufMessage plugin_value(std::string_view tag, std::string_view plugin,
                             std::string_view content) {
  const ProtobufMessage data =
      ProtobufMessage().text(plugin_data::kPluginName, plugin).text(plugin_data::kContent, content);
  return ProtobufMessage()
      .text(value::kTag, tag)
      .message(value::kMetadata, ProtobufMessage().message(metadata::kPluginData, data));
}

std::string summary_of(double seconds, std::int64_t step, const ProtobufMessage& single) {
  return record(begin_event(seconds, step)
                    .message(event::kSummary, ProtobufMessage().message(summary::kValues, single))
                    .bytes());
}

ProtobufMessage hyperparameter(const ConfigValue& setting) {
  ProtobufMessage message;
  if (const auto* flag = setting.get<bool>())
    return message.integer(any_value::kBoolean, *flag ? 1 : 0);
  if (const auto* number = setting.get<double>()) return message.real(any_value::kNumber, *number);
  if (const auto* integer = setting.get<std::int64_t>()) {
    return message.real(any_value::kNumber, static_cast<double>(*integer));
  }
  const auto* word = setting.get<std::string>();
  return message.text(any_value::kText, word != nullptr ? *word : to_toml(setting));
}

}  // namespace

std::string record(std::string_view bytes) {
  std::string out;
  append_word(out, static_cast<std::uint64_t>(bytes.size()));
  append_word(out, masked_crc(out));
  out += bytes;
  append_word(out, masked_crc(bytes));
  return out;
}

std::string file_version(double seconds) {
  return record(ProtobufMessage()
                    .real(event::kWallTime, seconds)
                    .text(event::kFileVersion, "brain.Event:2")
                    .bytes());
}

std::string restart(double seconds, std::int64_t step) {
  return record(begin_event(seconds, step)
                    .message(event::kSessionLog,
                             ProtobufMessage().integer(session_log::kStatus, session_log::kStart))
                    .bytes());
}

std::string scalars(double seconds, std::int64_t step, const std::vector<Scalar>& values) {
  ProtobufMessage all;
  for (const Scalar& scalar : values) {
    all.message(summary::kValues,
                ProtobufMessage()
                    .text(value::kTag, scalar.tag)
                    .single(value::kSimpleValue, static_cast<float>(scalar.value)));
  }
  return record(begin_event(seconds, step).message(event::kSummary, all).bytes());
}

std::string text(double seconds, std::int64_t step, std::string_view tag,
                 std::string_view markdown) {
  const ProtobufMessage one =
      ProtobufMessage().message(shape::kDimensions, ProtobufMessage().integer(dimension::kSize, 1));
  const ProtobufMessage strings = ProtobufMessage()
                                      .integer(tensor::kType, tensor::kString)
                                      .message(tensor::kShape, one)
                                      .text(tensor::kStringValue, markdown);
  return summary_of(seconds, step, plugin_value(tag, "text", "").message(value::kTensor, strings));
}

std::string hyperparameters(double seconds, const Config& config) {
  ProtobufMessage start;
  for (const KeySpec& key : key_table()) {
    start.message(session_start::kHparams,
                  ProtobufMessage()
                      .text(entry::kKey, key.key)
                      .message(entry::kValue, hyperparameter(key.get(config))));
  }
  start.real(session_start::kStartTime, seconds);
  const ProtobufMessage data = ProtobufMessage().message(hparams::kSessionStartInfo, start);
  return summary_of(seconds, 0,
                    plugin_value("_hparams_/session_start_info", "hparams", data.bytes()));
}

}  // namespace tern::events
