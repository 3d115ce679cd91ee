#include "tern/vocabulary.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <limits>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "host/support/edit_distance.hpp"
#include "host/support/file_bytes.hpp"
#include "host/support/message.hpp"
#include "tern/error.hpp"
#include "tern/tensor_file.hpp"

namespace tern {
namespace {

using namespace std::string_view_literals;

constexpr NodeId kMaxNames = std::numeric_limits<NodeId>::max();
constexpr std::size_t kFirstSlots = 16;

/// The value of a canonical decimal (no sign, no leading zero) below 2³¹ - 1; -1 for other names.
NodeId canonical_number(std::string_view name) {
  if (name.empty() || name.size() > 10 || (name.size() > 1 && name.front() == '0')) return -1;
  std::uint64_t value = 0;
  for (const char c : name) {
    if (c < '0' || c > '9') return -1;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value < static_cast<std::uint64_t>(kMaxNames) ? static_cast<NodeId>(value) : -1;
}

std::uint64_t load64(const char* bytes) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

/// The xor of both halves of the 128-bit product: every input bit reaches every output bit.
std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

void check_name(std::string_view name) {
  if (name.empty()) throw ShapeError("empty name, expected at least one byte");
  if (name.find_first_of("\t\n\0"sv) != std::string_view::npos) {
    throw ShapeError(
        fmt::format("name {} has a tab, a newline or a NUL byte, expected none", quote(name)));
  }
}

/// Adds every text that one insertion, deletion or substitution of a digit makes of `text`.
void add_single_edits(const std::string& text, std::set<std::string>& edits) {
  for (std::size_t place = 0; place <= text.size(); ++place) {
    const std::string before = text.substr(0, place);
    if (place < text.size()) edits.insert(before + text.substr(place + 1));
    for (char digit = '0'; digit <= '9'; ++digit) {
      edits.insert(before + digit + text.substr(place));
      if (place < text.size()) edits.insert(before + digit + text.substr(place + 1));
    }
  }
}

}  // namespace

Vocabulary Vocabulary::numbered(NodeId n) {
  if (n < 0) throw ShapeError(fmt::format("found {} names, expected no negative number", n));
  Vocabulary names;
  names.numbered_ = n;
  return names;
}

NodeId Vocabulary::size() const noexcept {
  return numbered_ > 0 ? numbered_ : static_cast<NodeId>(ends_.size());
}

std::string_view Vocabulary::stored(NodeId id) const noexcept {
  const std::uint64_t begin = id == 0 ? 0 : ends_[static_cast<std::size_t>(id) - 1];
  return std::string_view(bytes_).substr(begin, ends_[static_cast<std::size_t>(id)] - begin);
}

/// Folds in eight bytes at a time, then the length. The seed is secret, so that nobody can choose
/// names that collide in one slot.
std::uint32_t Vocabulary::hash(std::string_view name) const noexcept {
  constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15ull;  // 2⁶⁴ / golden ratio
  std::uint64_t state = seed_;
  const char* cursor = name.data();
  std::size_t left = name.size();
  for (; left >= 8; cursor += 8, left -= 8) state = fold(state ^ load64(cursor), seed_ + kOdd);
  std::uint64_t last = 0;
  if (left > 0) std::memcpy(&last, cursor, left);
  state = fold(state ^ last, seed_ + kOdd);
  state = fold(state ^ name.size(), kOdd);
  return static_cast<std::uint32_t>(state ^ (state >> 32));
}

/// The slot of name, or the free slot where it would go. The table must not be empty.
std::size_t Vocabulary::slot_of(std::string_view name, std::uint32_t hash) const noexcept {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash & mask;
  while (slots_[slot].id >= 0 && (slots_[slot].hash != hash || stored(slots_[slot].id) != name)) {
    slot = (slot + 1) & mask;
  }
  return slot;
}

void Vocabulary::grow() {
  if (slots_.empty()) {
    std::random_device entropy;
    seed_ = (std::uint64_t{entropy()} << 32) | entropy();
  }
  std::vector<Slot> grown(std::max(kFirstSlots, slots_.size() * 2));
  const std::size_t mask = grown.size() - 1;
  for (const Slot& old : slots_) {
    if (old.id < 0) continue;
    std::size_t slot = old.hash & mask;
    while (grown[slot].id >= 0) slot = (slot + 1) & mask;
    grown[slot] = old;
  }
  slots_ = std::move(grown);
}

/// Stores the numbers as names, because a name that does not continue them is added.
void Vocabulary::store_numbers() {
  const NodeId n = std::exchange(numbered_, 0);
  for (NodeId id = 0; id < n; ++id) add(std::to_string(id));
}

NodeId Vocabulary::add(std::string_view name) {
  if (numbered_ > 0) {
    const NodeId number = canonical_number(name);
    if (number >= 0 && number < numbered_) return number;
    if (number == numbered_) return numbered_++;
    check_name(name);
    store_numbers();
  }
  if (2 * ends_.size() >= slots_.size()) grow();
  const std::uint32_t name_hash = hash(name);
  Slot& slot = slots_[slot_of(name, name_hash)];
  if (slot.id >= 0) return slot.id;
  check_name(name);
  if (size() == kMaxNames) {
    throw ShapeError(
        fmt::format("more than {} names, expected at most as many as there are ids", size()));
  }
  const NodeId id = size();
  bytes_.append(name);
  ends_.push_back(bytes_.size());
  slot = {id, name_hash};
  return id;
}

std::vector<NodeId> Vocabulary::add_all(const Vocabulary& other) {
  std::vector<NodeId> ids(static_cast<std::size_t>(other.size()));
  for (NodeId id = 0; id < other.size(); ++id) {
    ids[static_cast<std::size_t>(id)] =
        other.numbered_ > 0 ? add(std::to_string(id)) : add(other.stored(id));
  }
  return ids;
}

std::optional<NodeId> Vocabulary::find(std::string_view name) const {
  if (numbered_ > 0) {
    const NodeId number = canonical_number(name);
    return number >= 0 && number < numbered_ ? std::optional(number) : std::nullopt;
  }
  if (slots_.empty()) return std::nullopt;
  const Slot& slot = slots_[slot_of(name, hash(name))];
  return slot.id >= 0 ? std::optional(slot.id) : std::nullopt;
}

std::string Vocabulary::name(NodeId id) const {
  if (id < 0 || id >= size()) {
    throw ShapeError(fmt::format("no name {}, expected an id below {}", id, size()));
  }
  return numbered_ > 0 ? std::to_string(id) : std::string(stored(id));
}

Vocabulary Vocabulary::subset(std::span<const NodeId> ids) const {
  Vocabulary names;
  for (const NodeId id : ids) names.add(name(id));
  if (names.size() != static_cast<NodeId>(ids.size())) {
    throw ShapeError("subset of a vocabulary: found an id twice, expected each once");
  }
  return names;
}

void Vocabulary::write(const std::filesystem::path& path) const {
  std::string text;
  text.reserve(bytes_.size() + static_cast<std::size_t>(size()));
  for (NodeId id = 0; id < size(); ++id) {
    if (numbered_ > 0) {
      fmt::format_to(std::back_inserter(text), "{}\n", id);
    } else {
      text.append(stored(id)) += '\n';
    }
  }
  write_file_atomically(path, text);
}

Vocabulary Vocabulary::read(const std::filesystem::path& path) {
  const std::string file = path.string();
  // Never decompressed: the first name may begin like compressed data.
  const ByteBuffer bytes = read_whole_file(path);
  const std::string_view text = bytes.view();
  Vocabulary names;
  bool numbers = true;  // so far, name i is i
  std::int64_t line = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    ++line;
    const std::size_t end = text.find('\n', begin);
    if (end == std::string_view::npos) {
      throw DataError(file, line, "the last line has no end: the file is cut short");
    }
    const std::string_view name = text.substr(begin, end - begin);
    begin = end + 1;
    numbers = numbers && canonical_number(name) == line - 1;
    if (numbers) {
      names.numbered_ = static_cast<NodeId>(line);
      continue;
    }
    if (name.empty() || name.find_first_of("\t\0"sv) != std::string_view::npos) {
      throw DataError(file, line,
                      fmt::format("name {} is empty, or has a tab or a NUL byte; expected one "
                                  "name a line",
                                  quote(name)));
    }
    const NodeId before = names.size();
    if (names.add(name) != before || names.size() == before) {
      throw DataError(file, line,
                      fmt::format("name {} occurs twice, expected each once", quote(name)));
    }
  }
  return names;
}

std::vector<std::string> Vocabulary::nearest(std::string_view name, std::size_t count) const {
  if (count == 0) return {};
  // With more edits, nearly every name would be near.
  constexpr std::size_t kBytesAnEdit = 3;
  const int most = static_cast<int>(name.substr(0, 64).size() / kBytesAnEdit);
  using Candidate = std::pair<int, NodeId>;  // distance, id
  std::vector<Candidate> best;               // ascending, at most count of them
  const auto offer = [&](std::string_view text, NodeId id) {
    const bool full = best.size() == count;
    const int limit = full ? best.back().first : most;
    const Candidate candidate{edit_distance(name, text, limit), id};
    if (candidate.first > most || (full && best.back() <= candidate)) return;
    best.insert(std::upper_bound(best.begin(), best.end(), candidate), candidate);
    if (best.size() > count) best.pop_back();
  };
  if (numbered_ > 0) {
    // With up to two billion numbers, only texts within two edits are tried.
    constexpr std::size_t kMaxDigits = 12;
    std::set<std::string> once{std::string(name.substr(0, kMaxDigits))};
    std::set<std::string> twice;
    add_single_edits(std::string(*once.begin()), once);
    for (const std::string& text : once) add_single_edits(text, twice);
    for (const std::string& text : twice) {
      if (const std::optional<NodeId> id = find(text)) offer(text, *id);
    }
  } else {
    for (NodeId id = 0; id < size(); ++id) offer(stored(id), id);
  }
  std::vector<std::string> names;
  names.reserve(best.size());
  for (const Candidate& candidate : best) names.push_back(this->name(candidate.second));
  return names;
}

}  // namespace tern
