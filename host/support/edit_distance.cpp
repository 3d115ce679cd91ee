#include "host/support/edit_distance.hpp"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tern/vocabulary.hpp"

namespace tern {
namespace {

std::string_view cut(std::string_view text) {
  return text.substr(0, EditDistance::kMaxBytes);
}

/// Every text that one edit with a digit makes of `text`.
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

EditDistance::EditDistance(std::string_view pattern) {
  pattern = cut(pattern);
  size_ = static_cast<int>(pattern.size());
  for (int i = 0; i < size_; ++i) {
    places_[static_cast<unsigned char>(pattern[static_cast<std::size_t>(i)])] |= std::uint64_t{1}
                                                                                 << i;
  }
}

int EditDistance::at_least(std::string_view text) const {
  return std::abs(static_cast<int>(cut(text).size()) - size_);
}

int EditDistance::operator()(std::string_view text) const {
  text = cut(text);
  if (size_ == 0) return static_cast<int>(text.size());
  // Bit i says that the distance grows (or falls) by one from row i to row i + 1 of this column.
  std::uint64_t grows = ~std::uint64_t{0};
  std::uint64_t falls = 0;
  int distance = size_;  // of the last row
  for (const char c : text) {
    const std::uint64_t equal = places_[static_cast<unsigned char>(c)];
    const std::uint64_t no_cost = (((equal & grows) + grows) ^ grows) | equal | falls;
    std::uint64_t right_grows = falls | ~(no_cost | grows);
    std::uint64_t right_falls = grows & no_cost;
    const int last = size_ - 1;
    distance +=
        static_cast<int>(right_grows >> last & 1) - static_cast<int>(right_falls >> last & 1);
    right_grows = right_grows << 1 | 1;  // the first row: the empty prefix of the pattern
    right_falls <<= 1;
    grows = right_falls | ~(no_cost | right_grows);
    falls = right_grows & no_cost;
  }
  return distance;
}

std::vector<std::string> Vocabulary::nearest(std::string_view name, std::size_t count) const {
  using Candidate = std::pair<int, NodeId>;  // distance, id
  std::vector<Candidate> best;               // ascending, at most count of them
  const auto offer = [&](Candidate candidate) {
    if (best.size() == count && (count == 0 || best.back() <= candidate)) return;
    best.insert(std::upper_bound(best.begin(), best.end(), candidate), candidate);
    if (best.size() > count) best.pop_back();
  };
  const EditDistance distance(name);
  if (numbered_ > 0) {
    // Up to two billion numbers: rather look at the few texts nearby than at all of them.
    constexpr std::size_t kMaxDigits = 12;
    std::set<std::string> once{std::string(name.substr(0, kMaxDigits))};
    std::set<std::string> twice;
    add_single_edits(std::string(*once.begin()), once);
    for (const std::string& text : once) add_single_edits(text, twice);
    for (const std::string& text : twice) {
      if (const std::optional<NodeId> id = find(text)) offer({distance(text), *id});
    }
  } else {
    for (NodeId id = 0; id < size(); ++id) {
      const std::string_view text = stored(id);
      const bool hopeless =
          best.size() == count && (count == 0 || distance.at_least(text) > best.back().first);
      if (!hopeless) offer({distance(text), id});
    }
  }
  std::vector<std::string> names;
  names.reserve(best.size());
  for (const Candidate& candidate : best) names.push_back(this->name(candidate.second));
  return names;
}

}  // namespace tern
