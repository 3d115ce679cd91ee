#include "host/data/table_sample.hpp"

#include <algorithm>

#include "host/data/text.hpp"

namespace tern {
namespace {

constexpr std::size_t kMaxRows = 1000;
constexpr std::size_t kMaxFields = 100'000;
constexpr std::size_t kMaxBytes = std::size_t{1} << 22;

}  // namespace

std::string_view beginning_of(std::string_view text) {
  if (text.size() <= kMaxBytes) return text;
  const std::size_t stop = text.find('\n', kMaxBytes);
  return stop == std::string_view::npos ? text : text.substr(0, stop + 1);
}

TableSample sample_rows(std::string_view text, const std::string& file, const TableFormat& format) {
  TableSample sample;
  for_each_chunk(text, file, 1, [&](std::int64_t) {
    RowReader reader(beginning_of(text), format, 0);
    std::vector<Field> fields;
    std::vector<char> quoted;  // for each column
    std::string scratch;
    std::size_t num_fields = 0;
    try {
      while (sample.rows.size() < kMaxRows && num_fields < kMaxFields && reader.next(fields)) {
        if (sample.rows.empty()) {
          sample.line = line_of(text, reader.row());
          sample.rest = reader.cursor();
        }
        std::vector<std::string>& row = sample.rows.emplace_back();
        for (const Field& field : fields) row.emplace_back(field.value(scratch));
        num_fields += fields.size();
        if (sample.rows.size() <= 2) quoted.assign(fields.size(), 1);
        quoted.resize(std::min(quoted.size(), fields.size()));
        for (std::size_t c = 0; c < quoted.size(); ++c) {
          quoted[c] = static_cast<char>(quoted[c] != 0 && fields[c].quoted ? 1 : 0);
        }
      }
    } catch (const TextError&) {
      // The reader of all rows reports errors of later ones.
      if (sample.rows.empty()) throw;
    }
    sample.quoted_column = std::find(quoted.begin(), quoted.end(), 1) != quoted.end();
  });
  return sample;
}

}  // namespace tern
