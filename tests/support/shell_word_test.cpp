#include "host/support/shell_word.hpp"

#include <gtest/gtest.h>

namespace tern::test {
namespace {

TEST(ShellWord, IsQuotedWhereAShellWouldReadItOtherwise) {
  EXPECT_EQ(shell_word("data/films-2"), "data/films-2");
  EXPECT_EQ(shell_word("evaluation.ks=[2, 5]"), "'evaluation.ks=[2, 5]'");
  EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_word(""), "''");
}

TEST(ShellWord, QuotedTextStandsBetweenQuotes) {
  EXPECT_EQ(shell_quoted("plain"), "'plain'");
  EXPECT_EQ(shell_quoted("it's"), "'it'\\''s'");
}

}  // namespace
}  // namespace tern::test
