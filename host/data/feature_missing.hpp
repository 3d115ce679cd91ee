#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tern/dataset.hpp"

namespace tern {

/// Whether a field of a numeric column has no value: empty, "\N", or NA, N/A, NaN, null or None in any
/// case.
bool is_missing(std::string_view field);

/// Replaces each NaN in a column by the mean of its other values in the rows that are marked with 1.
void fill_missing(Features& features, std::int64_t column, const std::vector<char>& marked);

/// The mean of a column over the first `nodes` rows; 0 if there are none.
float mean_of_column(const Features& features, std::int64_t column, std::int64_t nodes);

}  // namespace tern
