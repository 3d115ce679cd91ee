#include "host/data/table.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace tern {
namespace {

using Rows = std::vector<std::vector<std::string>>;

Rows read_rows(std::string_view text, TableFormat format) {
  Rows rows;
  RowReader reader(text, format, 0);
  std::vector<Field> fields;
  std::string scratch;
  while (reader.next(fields)) {
    rows.emplace_back();
    for (const Field& field : fields) rows.back().emplace_back(field.value(scratch));
  }
  return rows;
}

TEST(RowReader, TakesTabSeparatedFieldsAsTheyAre) {
  EXPECT_EQ(read_rows("a\tb\n\n \"c\"\t\r\nd\t,", TableFormat::kTsv),
            (Rows{{"a", "b"}, {" \"c\"", ""}, {"d", ","}}));
}

TEST(RowReader, ReadsQuotesAsRfc4180HasThem) {
  EXPECT_EQ(read_rows("a,b\r\n\"c,d\",\"e\"\"f\"\n", TableFormat::kCsv),
            (Rows{{"a", "b"}, {"c,d", "e\"f"}}));
  EXPECT_EQ(read_rows("\"a\nb\",c\n\"\",\n", TableFormat::kCsv), (Rows{{"a\nb", "c"}, {"", ""}}));
  EXPECT_EQ(read_rows(" a , \"b\" \n", TableFormat::kCsv), (Rows{{"a", "b"}}));
  EXPECT_EQ(read_rows("\"a\"", TableFormat::kCsv), (Rows{{"a"}}));
  EXPECT_EQ(read_rows("\"\"\"\"\"\",x\r\n", TableFormat::kCsv), (Rows{{"\"\"", "x"}}));
}

TEST(RowReader, DividesRowsByAnySeparator) {
  const TableFormat colons{':', Separation::kDoubled, Quotes::kNone};
  EXPECT_EQ(read_rows("1::a:b::\n", colons), (Rows{{"1", "a:b", ""}}));
  const TableFormat blanks{' ', Separation::kBlanks, Quotes::kNone};
  EXPECT_EQ(read_rows("  1 \t 2  3 \r\n \n4 5\n", blanks), (Rows{{"1", "2", "3"}, {"4", "5"}}));
  const TableFormat quoted{' ', Separation::kBlanks, Quotes::kDouble};
  EXPECT_EQ(read_rows("\"a b\"  1 \r\n2 \"c \"\"d\"\n", quoted),
            (Rows{{"a b", "1"}, {"2", "c \"d"}}));
  const TableFormat tabs{'\t', Separation::kOne, Quotes::kDouble};
  EXPECT_EQ(read_rows("\"a\tb\"\t\tc \n", tabs), (Rows{{"a\tb", "", "c "}}));
  EXPECT_EQ(read_rows("\"a::\"::b\n", {':', Separation::kDoubled, Quotes::kDouble}),
            (Rows{{"a::", "b"}}));
}

}  // namespace
}  // namespace tern
