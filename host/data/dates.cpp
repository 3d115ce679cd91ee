#include "host/data/dates.hpp"

#include <array>
#include <cstdint>

namespace tern {
namespace {

/// Reads a date from the left.
class DateReader {
 public:
  explicit DateReader(std::string_view text) : left_(text) {}

  bool done() const { return left_.empty(); }

  bool skip(char c) {
    if (!left_.starts_with(c)) return false;
    left_.remove_prefix(1);
    return true;
  }

  /// A number of exactly so many digits, from low to high.
  bool number(std::size_t digits, int low, int high, int& value) {
    if (left_.size() < digits) return false;
    value = 0;
    for (const char c : left_.substr(0, digits)) {
      if (c < '0' || c > '9') return false;
      value = value * 10 + (c - '0');
    }
    left_.remove_prefix(digits);
    return value >= low && value <= high;
  }

  /// A three-letter month, from 1.
  bool month(int& value) {
    constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const std::size_t place = left_.size() < 3 ? kMonths.npos : kMonths.find(left_.substr(0, 3));
    if (place == kMonths.npos || place % 3 != 0) return false;
    value = static_cast<int>(place / 3) + 1;
    left_.remove_prefix(3);
    return true;
  }

  bool weekday() {
    constexpr std::string_view kDays = "MonTueWedThuFriSatSun";
    const std::size_t place = left_.size() < 3 ? kDays.npos : kDays.find(left_.substr(0, 3));
    if (place == kDays.npos || place % 3 != 0) return false;
    left_.remove_prefix(3);
    return true;
  }

  /// "10:00" or "10:00:00" or "10:00:00.5", as seconds.
  bool time(double& seconds) {
    int hour = 0;
    int minute = 0;
    int second = 0;
    if (!number(2, 0, 23, hour) || !skip(':') || !number(2, 0, 59, minute)) return false;
    double fraction = 0.0;
    if (skip(':')) {
      if (!number(2, 0, 60, second)) return false;  // 60: a leap second
      if ((skip('.') || skip(',')) && !digits_behind_point(fraction)) return false;
    }
    seconds = hour * 3600.0 + minute * 60.0 + second + fraction;
    return true;
  }

  /// "+0200", "-07:00" or "Z", as seconds to subtract. Nothing counts as UTC.
  bool zone(double& seconds) {
    seconds = 0.0;
    if (done() || skip('Z')) return true;
    const bool west = skip('-');
    int hour = 0;
    int minute = 0;
    if ((!west && !skip('+')) || !number(2, 0, 18, hour)) return false;
    skip(':');
    if (!done() && left_.front() != ' ' && !number(2, 0, 59, minute)) return false;
    seconds = (hour * 3600.0 + minute * 60.0) * (west ? -1 : 1);
    return true;
  }

 private:
  bool digits_behind_point(double& fraction) {
    double unit = 0.1;
    bool any = false;
    for (; !left_.empty() && left_.front() >= '0' && left_.front() <= '9'; unit /= 10) {
      fraction += unit * (left_.front() - '0');
      left_.remove_prefix(1);
      any = true;
    }
    return any;
  }

  std::string_view left_;
};

bool exists(int year, int month, int day) {
  constexpr std::array<int, 12> kDays{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return day <= kDays[static_cast<std::size_t>(month - 1)] && (month != 2 || day < 29 || leap);
}

/// Days since 1970-01-01. Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
std::int64_t days_from_civil(int year, int month, int day) {
  const int y = month <= 2 ? year - 1 : year;
  const int era = y / 400;
  const int year_of_era = y - era * 400;
  const int day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return std::int64_t{era} * 146'097 + day_of_era - 719'468;
}

std::optional<double> seconds_of(int year, int month, int day, double time, double zone) {
  if (!exists(year, month, day)) return std::nullopt;
  return static_cast<double>(days_from_civil(year, month, day)) * 86'400.0 + time - zone;
}

/// "2018-09-20T10:00:00Z".
std::optional<double> parse_iso(std::string_view text) {
  DateReader reader(text);
  int year = 0;
  int month = 0;
  int day = 0;
  double time = 0.0;
  double zone = 0.0;
  if (!reader.number(4, 1, 9999, year) || !reader.skip('-') || !reader.number(2, 1, 12, month) ||
      !reader.skip('-') || !reader.number(2, 1, 31, day)) {
    return std::nullopt;
  }
  if (!reader.done()) {
    if ((!reader.skip('T') && !reader.skip(' ')) || !reader.time(time)) return std::nullopt;
    if (!reader.done()) reader.skip(' ');
    if (!reader.zone(zone) || !reader.done()) return std::nullopt;
  }
  return seconds_of(year, month, day, time, zone);
}

/// "Wed Mar 22 11:37:04 -0700 2017".
std::optional<double> parse_weekday_first(std::string_view text) {
  DateReader reader(text);
  int year = 0;
  int month = 0;
  int day = 0;
  double time = 0.0;
  double zone = 0.0;
  const bool read = reader.weekday() && reader.skip(' ') && reader.month(month) &&
                    reader.skip(' ') && reader.number(2, 1, 31, day) && reader.skip(' ') &&
                    reader.time(time) && reader.skip(' ') && reader.zone(zone) &&
                    reader.skip(' ') && reader.number(4, 1, 9999, year) && reader.done();
  return read ? seconds_of(year, month, day, time, zone) : std::nullopt;
}

}  // namespace

std::optional<double> parse_date(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  constexpr std::size_t kMaxLength = 40;
  if (text.size() < 10 || text.size() > kMaxLength) return std::nullopt;
  return text[0] >= '0' && text[0] <= '9' ? parse_iso(text) : parse_weekday_first(text);
}

bool looks_like_date(std::string_view text) {
  return text.size() >= 5 && text.find_first_of("-/:", 1) != std::string_view::npos &&
         text.find_first_not_of("0123456789-/:.+TZ ") == std::string_view::npos;
}

}  // namespace tern
