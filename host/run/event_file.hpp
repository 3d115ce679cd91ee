#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tern/config.hpp"

namespace tern {

/// The events of TensorBoard, as records of its files. `seconds` is the time of the event since 1970.
/// Deterministic. Sources: tensorflow/core/lib/io/record_writer.cc (the frame of a record) and
/// tensorboard's event.proto, summary.proto and plugin_data.proto of its plugin hparams.
namespace events {

/// These bytes with their length and checksums: length (u64), masked CRC-32C of the length, bytes, masked
/// CRC-32C of the bytes, little-endian.
std::string record(std::string_view bytes);

/// The first record of each file.
std::string file_version(double seconds);
/// The training starts over at this step: readers drop what earlier files have of it and later steps.
std::string restart(double seconds, std::int64_t step);

/// A point of a curve. Readers keep it as f32.
struct Scalar {
  std::string tag;
  double value = 0.0;
};
std::string scalars(double seconds, std::int64_t step, const std::vector<Scalar>& values);
/// A text, which is shown as Markdown.
std::string text(double seconds, std::int64_t step, std::string_view tag,
                 std::string_view markdown);
/// The keys of the configuration and their values, for the table of hyperparameters. Lists are text.
std::string hyperparameters(double seconds, const Config& config);

}  // namespace events
}  // namespace tern
