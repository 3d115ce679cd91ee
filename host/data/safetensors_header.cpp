#include "host/data/safetensors_header.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "host/data/tensor_bytes.hpp"
#include "host/support/message.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

/// Receives the parser's events. A tree of values would lose repeated keys, and would store whatever
/// a hostile header nests. This class keeps only tensors, and throws at the first unexpected event.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(const std::string& file) : file_(file) {}
  SafetensorsHeader take() { return std::move(header_); }

  bool start_object(std::size_t) override {
    switch (place_) {
      case Place::kBegin:
        place_ = Place::kTop;
        return true;
      case Place::kTensor:
        place_ = Place::kTensorFields;
        return true;
      case Place::kMetadata:
        place_ = Place::kMetadataFields;
        return true;
      default:
        return fail("an object");
    }
  }

  bool end_object() override {
    if (place_ == Place::kTensorFields) finish_tensor();
    place_ = place_ == Place::kTop ? Place::kEnd : Place::kTop;
    return true;
  }

  bool key(std::string& key) override {
    if (place_ == Place::kTop) {
      if (!names_.insert(key).second) fail(fmt::format("the name {} twice", quote(key)));
      place_ = key == kMetadataKey ? Place::kMetadata : Place::kTensor;
      if (place_ == Place::kTensor) {
        header_.entries.emplace_back();
        header_.entries.back().name = key;
        type_.reset();
        shape_.reset();
        offsets_.reset();
      }
    } else if (place_ == Place::kMetadataFields) {
      if (header_.metadata.contains(key)) fail(fmt::format("the key {} twice", quote(key)));
      metadata_key_ = key;
    } else {
      field_ = key == "dtype"          ? Field::kType
               : key == "shape"        ? Field::kShape
               : key == "data_offsets" ? Field::kOffsets
                                       : Field::kNone;
      if (field_ == Field::kNone) fail(fmt::format("the unknown key {}", quote(key)));
    }
    return true;
  }

  bool string(std::string& value) override {
    if (place_ == Place::kMetadataFields) {
      header_.metadata.emplace(metadata_key_, std::move(value));
      return true;
    }
    if (place_ != Place::kTensorFields || field_ != Field::kType || type_) return fail("a string");
    const auto types = element_types();
    const auto found = std::find_if(types.begin(), types.end(), [&](const ElementType& type) {
      return type.safetensors == value;
    });
    if (found == types.end()) {
      throw DataError(file_, 0,
                      fmt::format("tensor {} has elements of type {}, expected F32, F64, I32 or "
                                  "I64",
                                  quote(header_.entries.back().name), quote(value)));
    }
    type_ = static_cast<std::size_t>(found - types.begin());
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ != Place::kTensorFields || (field_ == Field::kShape ? shape_ : offsets_) ||
        field_ == Field::kType) {
      return fail("an array");
    }
    (field_ == Field::kShape ? shape_ : offsets_).emplace();
    place_ = Place::kNumbers;
    return true;
  }

  bool end_array() override {
    place_ = Place::kTensorFields;
    return true;
  }

  bool number_unsigned(std::uint64_t value) override {
    if (place_ != Place::kNumbers) return fail("a number");
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return fail(fmt::format("the number {}", value));
    }
    (field_ == Field::kShape ? shape_ : offsets_)->push_back(static_cast<std::int64_t>(value));
    return true;
  }

  bool number_integer(std::int64_t value) override {
    return fail(fmt::format("the number {}", value));
  }
  bool number_float(double, const std::string& text) override {
    return fail(fmt::format("the number {}", text));
  }
  bool null() override { return fail("null"); }
  bool boolean(bool) override { return fail("true or false"); }
  bool binary(nlohmann::json::binary_t&) override { return fail("binary data"); }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::json::exception&) override {
    throw DataError(
        file_, 0,
        fmt::format("the header is not JSON from byte {} on: the file is damaged, or not "
                    "safetensors",
                    position));
  }

 private:
  enum class Place {
    kBegin,
    kTop,
    kTensor,
    kTensorFields,
    kNumbers,
    kMetadata,
    kMetadataFields,
    kEnd
  };
  enum class Field { kNone, kType, kShape, kOffsets };

  /// Always throws; returns bool so that events can return it.
  bool fail(const std::string& found) const {
    std::string where = "the header";
    if (place_ >= Place::kTensor && place_ <= Place::kNumbers && !header_.entries.empty()) {
      where += " of the tensor " + quote(header_.entries.back().name);
    }
    throw DataError(file_, 0, fmt::format("{} has {} in the wrong place", where, found));
  }

  void finish_tensor() {
    if (!type_ || !shape_ || !offsets_ || offsets_->size() != 2) {
      throw DataError(file_, 0,
                      fmt::format("tensor {} is incomplete, expected dtype, shape and two "
                                  "data_offsets",
                                  quote(header_.entries.back().name)));
    }
    SafetensorsEntry& entry = header_.entries.back();
    entry.type = *type_;
    entry.shape = std::move(*shape_);
    entry.begin = static_cast<std::uint64_t>((*offsets_)[0]);
    entry.end = static_cast<std::uint64_t>((*offsets_)[1]);
  }

  const std::string& file_;
  SafetensorsHeader header_;
  std::set<std::string> names_;
  std::string metadata_key_;
  Place place_ = Place::kBegin;
  Field field_ = Field::kNone;
  std::optional<std::size_t> type_;
  std::optional<std::vector<std::int64_t>> shape_;
  std::optional<std::vector<std::int64_t>> offsets_;
};

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view json, const std::string& file) {
  if (!json.starts_with('{')) {
    throw DataError(file, 0, "the header does not begin with {: the file is not safetensors");
  }
  HeaderReader reader(file);
  nlohmann::json::sax_parse(json.begin(), json.end(), &reader);
  return reader.take();
}

}  // namespace tern
