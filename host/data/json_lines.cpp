#include "host/data/json_lines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "host/data/text.hpp"
#include "host/support/message.hpp"

namespace tern {
namespace {

using Json = nlohmann::json;

/// Receives the parser's events of one line; Use is called as use(key, value) for each plain value of
/// the outermost object. A parsed tree would cost several times as much.
template <typename Use>
class ObjectReader : public nlohmann::json_sax<Json> {
 public:
  ObjectReader(std::string_view line, const Use& use) : line_(line), use_(use) {}

  bool start_object(std::size_t) override {
    if (depth_ == 1) nested("an object");
    return open();
  }
  bool start_array(std::size_t) override {
    if (depth_ == 0) fail("an array");
    if (depth_ == 1) nested("an array");
    return open();
  }
  bool end_object() override {
    --depth_;
    return true;
  }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool key(std::string& key) override {
    if (depth_ == 1) key_ = std::move(key);
    return true;
  }
  bool string(std::string& value) override { return plain(value); }
  bool null() override { return plain(""); }
  bool boolean(bool value) override { return plain(value ? "true" : "false"); }
  bool number_integer(std::int64_t value) override { return plain(std::to_string(value)); }
  bool number_unsigned(std::uint64_t value) override { return plain(std::to_string(value)); }
  bool number_float(double, const std::string& text) override { return plain(text); }
  bool binary(Json::binary_t&) override { return false; }
  bool parse_error(std::size_t position, const std::string&, const Json::exception&) override {
    throw TextError{line_.data(),
                    fmt::format("the line is not JSON from byte {} on, expected an object such as "
                                "{{\"user\": ..., \"item\": ...}}",
                                position)};
  }

 private:
  [[noreturn]] void fail(std::string_view found) const {
    throw TextError{line_.data(), fmt::format("found {}, expected a JSON object", found)};
  }
  bool open() {
    ++depth_;
    return true;
  }
  void nested(std::string_view kind) { use_(key_, kind, true); }
  bool plain(std::string_view value) {
    if (depth_ == 0) fail("a value");
    if (depth_ == 1) use_(key_, value, false);
    return true;
  }

  std::string_view line_;
  const Use& use_;
  int depth_ = 0;
  std::string key_;
};

template <typename Use>
void read_object(std::string_view line, const Use& use) {
  ObjectReader<Use> reader(line, use);
  Json::sax_parse(line.begin(), line.end(), &reader);
}

}  // namespace

JsonRowReader::JsonRowReader(std::string_view text, std::vector<std::string> keys)
    : cursor_(text.data()),
      end_(text.data() + text.size()),
      keys_(std::move(keys)),
      values_(keys_.size()) {}

bool JsonRowReader::next(std::vector<Field>& fields) {
  while (cursor_ < end_) {
    row_ = cursor_;
    const std::string_view line = next_line(cursor_, end_);
    if (is_blank_line(line)) {
      ++blank_lines_;
      continue;
    }
    std::vector<char> found(keys_.size(), 0);
    read_object(line, [&](const std::string& key, std::string_view value, bool nested) {
      const auto known = std::find(keys_.begin(), keys_.end(), key);
      if (known == keys_.end()) return;
      if (nested) {
        throw TextError{row_,
                        fmt::format("{} is {}, expected a text or a number", quote(key), value)};
      }
      if (value.find('\0') != std::string_view::npos) {
        throw TextError{row_, fmt::format("{} has a NUL byte, expected text", quote(key))};
      }
      const auto place = static_cast<std::size_t>(known - keys_.begin());
      values_[place] = value;
      found[place] = 1;
    });
    fields.clear();
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      if (found[i] == 0) {
        throw TextError{
            row_, fmt::format("the object has no {}, expected it in every line", quote(keys_[i]))};
      }
      fields.push_back({values_[i]});
    }
    return true;
  }
  return false;
}

TableSample sample_json_lines(std::string_view text, const std::string& file) {
  constexpr std::size_t kMaxObjects = 100;
  constexpr std::size_t kMaxKeys = 1000;
  TableSample sample;
  sample.keyed = true;
  sample.rows.emplace_back();
  for_each_chunk(text, file, 1, [&](std::int64_t) {
    const char* cursor = text.data();
    const char* end = cursor + text.size();
    while (cursor < end && sample.rows.size() <= kMaxObjects) {
      const std::string_view line = next_line(cursor, end);
      if (is_blank_line(line)) continue;
      std::vector<std::string> row;
      try {
        read_object(line, [&](const std::string& key, std::string_view value, bool nested) {
          std::vector<std::string>& keys = sample.rows.front();
          const auto known = std::find(keys.begin(), keys.end(), key);
          const auto place = static_cast<std::size_t>(known - keys.begin());
          if (place >= kMaxKeys) return;
          if (known == keys.end()) keys.push_back(key);
          if (row.size() <= place) row.resize(place + 1);
          if (!nested) row[place] = value;
        });
      } catch (const TextError&) {
        // The reader of all lines reports errors of later ones.
        if (sample.rows.size() == 1) throw;
        return;
      }
      if (sample.rows.size() == 1) sample.line = line_of(text, line.data());
      sample.rows.push_back(std::move(row));
    }
  });
  return sample;
}

}  // namespace tern
