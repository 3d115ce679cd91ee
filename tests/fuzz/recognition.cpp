// How a text of interactions is read. The first byte chooses the name. Promises: the reading is one of
// the three formats, and a description of one line, or a refusal that fits one line; line ends and a
// last line end do not change it.

#include "host/data/recognition.hpp"

#include <array>

#include "host/data/text.hpp"
#include "tests/fuzz/targets.hpp"

namespace tern::fuzz {
namespace {

constexpr std::array<SourceFormat, 4> kFileNames{SourceFormat::kUnknown, SourceFormat::kAdjacency,
                                                 SourceFormat::kOtherTable, SourceFormat::kCsv};

auto read(std::string_view text, SourceFormat by_name) {
  return attempt([&] {
    const InteractionText one{checked_text(text, "text"), "text", by_name};
    return recognise(std::span(&one, 1), {}).front();
  });
}

std::string with_other_line_ends(std::string_view text) {
  std::string other;
  for (const char c : text) other.append(c == '\n' ? "\r\n" : std::string(1, c));
  return other + (text.ends_with('\n') ? "\r\n" : "\n");
}

}  // namespace

void recognise_text(Input input) {
  const SourceFormat by_name = kFileNames[input.byte() % 4];
  const std::string_view text = input.rest();
  const auto reading = read(text, by_name);
  if (text.find_first_of("\r\"") == std::string_view::npos) {
    const auto other = read(with_other_line_ends(text), by_name);
    require(reading.index() == other.index(), "other line ends are refused, or accepted");
    require(accepted(reading) == nullptr || (accepted(reading)->format == accepted(other)->format &&
                                             accepted(reading)->table == accepted(other)->table),
            "other line ends are read otherwise");
  }
  if (accepted(reading) == nullptr) return;
  require(accepted(reading)->format != DataFormat::kAuto, "the format is not decided");
  require_one_line(accepted(reading)->description);
}

}  // namespace tern::fuzz
