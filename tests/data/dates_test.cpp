#include "host/data/dates.hpp"

#include <gtest/gtest.h>

namespace tern {
namespace {

TEST(ParseDate, CountsSecondsSince1970) {
  // By date -u -d ... +%s.
  EXPECT_EQ(parse_date("1970-01-01"), 0.0);
  EXPECT_EQ(parse_date("2018-09-20"), 1537401600.0);
  EXPECT_EQ(parse_date("2000-02-29"), 951782400.0);
  EXPECT_EQ(parse_date("1969-12-31"), -86400.0);
  EXPECT_EQ(parse_date("2012-05-01 10:00:00"), 1335866400.0);
  EXPECT_EQ(parse_date("2012-05-01 10:00"), 1335866400.0);
  EXPECT_EQ(parse_date("2010-10-19T23:55:27Z"), 1287532527.0);
  EXPECT_EQ(parse_date(" 2012-05-01T10:00:00.5 "), 1335866400.5);
  EXPECT_EQ(parse_date("2012-05-01T12:00:00+02:00"), 1335866400.0);
  EXPECT_EQ(parse_date("2012-05-01 06:30:00 -0330"), 1335866400.0);
  EXPECT_EQ(parse_date("Tue Apr 03 18:00:09 +0000 2012"), 1333476009.0);
  EXPECT_EQ(parse_date("Wed Mar 22 11:37:04 -0700 2017"), 1490207824.0);
}

TEST(ParseDate, RefusesAnythingElse) {
  for (const char* text :
       {"", "2018", "20180920", "2018-13-01", "2018-02-29", "2018-09-31", "2018-9-20", "18-09-20",
        "31/01/2020", "2018-09-20 25:00:00", "2018-09-20 10", "2018-09-20x", "2018-09-20 10:00:00.",
        "2018-09-20 10:00:00 UTC+x", "Wed Mar 22 2017", "Mer Mar 22 11:37:04 -0700 2017",
        "0000-01-01", "1234567890123456789", "2018-09-20 10:00:00+99"}) {
    EXPECT_EQ(parse_date(text), std::nullopt) << text;
  }
}

TEST(LooksLikeDate, RecognisesOtherForms) {
  EXPECT_TRUE(looks_like_date("31/01/2020"));
  EXPECT_TRUE(looks_like_date("12:30"));
  EXPECT_FALSE(looks_like_date("good"));
  EXPECT_FALSE(looks_like_date("-12345"));
}

}  // namespace
}  // namespace tern
