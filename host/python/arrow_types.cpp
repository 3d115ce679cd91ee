#include "host/python/arrow_types.hpp"

#include <fmt/format.h>

#include <utility>

namespace tern::python {
namespace {

using NamedType = std::pair<std::string_view, std::string_view>;

constexpr NamedType kTypes[] = {
    {"n", "null"},
    {"b", "bool"},
    {"c", "int8"},
    {"C", "uint8"},
    {"s", "int16"},
    {"S", "uint16"},
    {"i", "int32"},
    {"I", "uint32"},
    {"l", "int64"},
    {"L", "uint64"},
    {"e", "float16"},
    {"f", "float32"},
    {"g", "float64"},
    {"z", "binary"},
    {"Z", "large_binary"},
    {"vz", "binary_view"},
    {"u", "string"},
    {"U", "large_string"},
    {"vu", "string_view"},
    {"tdD", "date32"},
    {"tdm", "date64"},
    {"tts", "time32[s]"},
    {"ttm", "time32[ms]"},
    {"ttu", "time64[us]"},
    {"ttn", "time64[ns]"},
    {"tDs", "duration[s]"},
    {"tDm", "duration[ms]"},
    {"tDu", "duration[us]"},
    {"tDn", "duration[ns]"},
    {"tiM", "interval[months]"},
    {"tiD", "interval[days]"},
    {"tin", "interval[months, days, ns]"},
    {"+l", "list"},
    {"+L", "large_list"},
    {"+vl", "list_view"},
    {"+vL", "large_list_view"},
    {"+s", "struct"},
    {"+m", "map"},
    {"+r", "run_end_encoded"},
};

/// Types whose parameters follow the code.
constexpr NamedType kParameterTypes[] = {
    {"d:", "decimal"},       {"w:", "fixed_size_binary"}, {"+w:", "fixed_size_list"},
    {"+ud:", "dense_union"}, {"+us:", "sparse_union"},
};

constexpr NamedType kUnits[] = {{"tss:", "s"}, {"tsm:", "ms"}, {"tsu:", "us"}, {"tsn:", "ns"}};

}  // namespace

std::string arrow_type_name(std::string_view format) {
  for (const auto& [code, name] : kTypes) {
    if (format == code) return std::string(name);
  }
  for (const auto& [code, name] : kParameterTypes) {
    if (format.starts_with(code)) return std::string(name);
  }
  for (const auto& [code, unit] : kUnits) {
    if (format.starts_with(code)) return fmt::format("timestamp[{}]", unit);
  }
  return std::string(format);
}

}  // namespace tern::python
