#include "tern/error.hpp"

#include <gtest/gtest.h>

namespace tern {
namespace {

TEST(DataErrorTest, TellsTheFindingFromThePlace) {
  const DataError of_line("a: b.tsv", 12, "found x: expected y");
  EXPECT_STREQ(of_line.what(), "a: b.tsv:12: found x: expected y");
  EXPECT_EQ(of_line.finding(), "found x: expected y");
  const DataError of_file("a: b.tsv", 0, "the file is empty");
  EXPECT_STREQ(of_file.what(), "a: b.tsv: the file is empty");
  EXPECT_EQ(of_file.finding(), "the file is empty");
  const DataError copy = of_line;
  EXPECT_EQ(copy.finding(), of_line.finding());
}

}  // namespace
}  // namespace tern
