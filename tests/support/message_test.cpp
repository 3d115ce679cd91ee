#include "host/support/message.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace tern {
namespace {

using ::testing::HasSubstr;

TEST(Quote, EscapesAndCuts) {
  EXPECT_EQ(quote("abc"), "\"abc\"");
  EXPECT_EQ(quote(std::string_view("a\0\t\"\\\x7F", 6)), "\"a\\x00\\x09\\\"\\\\\\x7F\"");
  EXPECT_EQ(quote("caf\xC3\xA9"), "\"caf\xC3\xA9\"");
  // Bytes that are not UTF-8 would spoil a terminal or a log. No character is cut in two.
  EXPECT_EQ(quote("a\xFF\xC3"), "\"a\\xFF\\xC3\"");
  EXPECT_EQ(quote("\xED\xA0\x80"), "\"\\xED\\xA0\\x80\"");
  const std::string long_name = std::string(39, 'x') + "\xC3\xA9";
  EXPECT_EQ(quote(long_name + "y"), '"' + long_name + "\" (the first of 42 bytes)");
  EXPECT_EQ(in_message("caf\xC3\xA9"), "caf\xC3\xA9");
  EXPECT_EQ(in_message("a\tb"), "\"a\\x09b\"");
  for (std::size_t size = 38; size < 80; ++size) {
    const std::string name(size, 'x');
    EXPECT_EQ(in_message(name), size <= 40 ? name : quote(name));
  }
  const std::string cut = quote(std::string(10'000'000, 'x'));
  EXPECT_THAT(cut, HasSubstr("xxx\" (the first of 10000000 bytes)"));
  EXPECT_LT(cut.size(), 100u);
}

TEST(FormatBytes, HasTwoDigitsOrMore) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(999), "999 B");
  EXPECT_EQ(format_bytes(1000), "1.0 kB");
  EXPECT_EQ(format_bytes(9'940), "9.9 kB");
  EXPECT_EQ(format_bytes(17'400), "17 kB");
  EXPECT_EQ(format_bytes(1'500'000'000), "1.5 GB");
  EXPECT_EQ(format_bytes(std::numeric_limits<std::int64_t>::max()), "9223372 TB");
}

}  // namespace
}  // namespace tern
