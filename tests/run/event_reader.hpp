#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/support/crc32c.hpp"

namespace tern::test {

/// A field of a message of Protocol Buffers: an integer or the bits of a number, or bytes.
struct ProtobufField {
  std::uint32_t number = 0;
  std::uint64_t bits = 0;
  std::string bytes;
};

inline std::uint64_t take_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7Fu} << shift;
    if (byte < 0x80) return value;
  }
  ADD_FAILURE() << "a number without end";
  return value;
}

/// The word at the front, little-endian.
template <typename Word>
Word take_word(std::string_view& bytes) {
  Word word{};
  if (bytes.size() < sizeof(word)) {
    ADD_FAILURE() << "cut short";
    return word;
  }
  std::memcpy(&word, bytes.data(), sizeof(word));
  bytes.remove_prefix(sizeof(word));
  return word;
}

inline std::vector<ProtobufField> read_fields(std::string_view bytes) {
  std::vector<ProtobufField> fields;
  while (!bytes.empty() && !testing::Test::HasFailure()) {
    const std::uint64_t tag = take_varint(bytes);
    ProtobufField field{static_cast<std::uint32_t>(tag >> 3), 0, {}};
    switch (tag & 7) {
      case 0:
        field.bits = take_varint(bytes);
        break;
      case 1:
        field.bits = take_word<std::uint64_t>(bytes);
        break;
      case 5:
        field.bits = take_word<std::uint32_t>(bytes);
        break;
      case 2: {
        const std::uint64_t size = take_varint(bytes);
        if (size > bytes.size()) ADD_FAILURE() << "a field beyond the message";
        field.bytes = bytes.substr(0, size);
        bytes.remove_prefix(field.bytes.size());
        break;
      }
      default:
        ADD_FAILURE() << "type " << (tag & 7);
    }
    fields.push_back(std::move(field));
  }
  return fields;
}

/// The only field with this number; an empty one if there is none.
inline ProtobufField only(const std::vector<ProtobufField>& fields, std::uint32_t number) {
  ProtobufField found;
  for (const ProtobufField& field : fields) {
    if (field.number != number) continue;
    EXPECT_EQ(found.number, 0u) << "field " << number << " twice";
    found = field;
  }
  return found;
}

inline std::uint32_t masked(std::uint32_t crc) {
  return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u;
}

/// The messages in a file of records. Checks both checksums of each.
inline std::vector<std::string> read_records(std::string_view bytes) {
  std::vector<std::string> records;
  while (!bytes.empty() && !testing::Test::HasFailure()) {
    EXPECT_GE(bytes.size(), 16u);
    const std::string_view length = bytes.substr(0, 8);
    const auto size = take_word<std::uint64_t>(bytes);
    EXPECT_EQ(take_word<std::uint32_t>(bytes), masked(crc32c(length)));
    EXPECT_LE(size + 4, bytes.size());
    records.emplace_back(bytes.substr(0, size));
    bytes.remove_prefix(records.back().size());
    EXPECT_EQ(take_word<std::uint32_t>(bytes), masked(crc32c(records.back())));
  }
  return records;
}

/// What event files of a run hold, read one after the other.
struct Events {
  std::map<std::string, std::map<std::int64_t, float>> scalars;  // by tag and step
  std::map<std::string, std::string> texts;                      // by tag
  std::map<std::string, std::string> hyperparameters;            // number, text or boolean, as text
  std::vector<std::int64_t> restarts;

  void read(const std::string& file) {
    bool first = true;
    for (const std::string& record : read_records(file)) {
      const std::vector<ProtobufField> event = read_fields(record);
      EXPECT_EQ(only(event, 3).bytes, first ? "brain.Event:2" : "");
      first = false;
      const auto step = static_cast<std::int64_t>(only(event, 2).bits);
      if (only(event, 7).number != 0) {
        EXPECT_EQ(only(read_fields(only(event, 7).bytes), 1).bits, 1u);
        restarts.push_back(step);
        for (auto& [tag, points] : scalars) points.erase(points.lower_bound(step), points.end());
      }
      for (const ProtobufField& value : read_fields(only(event, 5).bytes)) {
        read_value(read_fields(value.bytes), step);
      }
    }
  }

 private:
  void read_value(const std::vector<ProtobufField>& value, std::int64_t step) {
    const std::string tag = only(value, 1).bytes;
    const std::vector<ProtobufField> plugin =
        read_fields(only(read_fields(only(value, 9).bytes), 1).bytes);
    if (only(plugin, 1).bytes == "text") {
      const std::vector<ProtobufField> tensor = read_fields(only(value, 8).bytes);
      EXPECT_EQ(only(tensor, 1).bits, 7u);
      texts[tag] += only(tensor, 8).bytes;
    } else if (only(plugin, 1).bytes == "hparams") {
      EXPECT_EQ(tag, "_hparams_/session_start_info");
      read_hyperparameters(only(read_fields(only(plugin, 2).bytes), 3).bytes);
    } else {
      const auto bits = static_cast<std::uint32_t>(only(value, 2).bits);
      std::memcpy(&scalars[tag][step], &bits, sizeof(bits));
    }
  }

  void read_hyperparameters(const std::string& start) {
    for (const ProtobufField& field : read_fields(start)) {
      if (field.number != 1) continue;
      const std::vector<ProtobufField> entry = read_fields(field.bytes);
      const ProtobufField value = read_fields(only(entry, 2).bytes).at(0);
      double number = 0.0;
      std::memcpy(&number, &value.bits, sizeof(number));
      hyperparameters[only(entry, 1).bytes] = value.number == 2 ? std::to_string(number)
                                              : value.number == 4
                                                  ? (value.bits != 0 ? "true" : "false")
                                                  : value.bytes;
    }
  }
};

}  // namespace tern::test
