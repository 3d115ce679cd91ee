#include "host/support/message.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "host/support/utf8.hpp"

namespace tern {

std::string quote(std::string_view text) {
  constexpr std::size_t kMax = 40;
  std::string quoted = "\"";
  std::size_t place = 0;
  while (place < std::min(kMax, text.size())) {
    const char byte = text[place];
    const auto code = static_cast<unsigned char>(byte);
    const std::size_t length = utf8_length(text.substr(place));
    if (byte == '"' || byte == '\\') {
      quoted += '\\';
      quoted += byte;
    } else if (code < 0x20 || code == 0x7F || length == 0) {
      quoted += fmt::format("\\x{:02X}", code);
    } else {
      quoted += text.substr(place, length);
    }
    place += std::max<std::size_t>(length, 1);
  }
  quoted += '"';
  if (text.size() > kMax) quoted += fmt::format(" (the first of {} bytes)", text.size());
  return quoted;
}

std::string in_message(std::string_view name) {
  std::string quoted = quote(name);
  const bool as_it_is =
      quoted.size() == name.size() + 2 && quoted.compare(1, name.size(), name) == 0;
  return as_it_is ? std::string(name) : quoted;
}

std::string format_bytes(std::int64_t bytes) {
  constexpr double kKilo = 1e3;
  if (bytes < 1000) return fmt::format("{} B", bytes);
  auto value = static_cast<double>(bytes);
  const char* unit = "B";
  for (const char* next : {"kB", "MB", "GB", "TB"}) {
    if (value < kKilo) break;
    value /= kKilo;
    unit = next;
  }
  return fmt::format("{:.{}f} {}", value, value < 10.0 ? 1 : 0, unit);
}

}  // namespace tern
