#include <fmt/format.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "host/python/arrays.hpp"
#include "host/python/arrow.hpp"
#include "host/python/module.hpp"
#include "tern/config.hpp"
#include "tern/dataset_builder.hpp"
#include "tern/error.hpp"

namespace nb = nanobind;

namespace tern::python {
namespace {

using NumberArray = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Codes = nb::ndarray<nb::numpy, NodeId, nb::ndim<1>>;
using Numbers = nb::ndarray<nb::numpy, double, nb::ndim<1>>;
/// (ids, columns, values): features of one side.
using FeatureRows = std::tuple<std::vector<std::string>, std::vector<std::string>, TableArray>;
/// The same, or the text of a table, see DatasetBuilder::set_feature_table().
using FeatureSource = std::optional<std::variant<FeatureRows, nb::bytes>>;

/// Returns read(). Errors in the table name it: "interactions", "user_features" or "item_features".
template <typename Read>
auto in_table(const std::string& name, const Read& read) {
  try {
    return read();
  } catch (const DataError& error) {
    if (error.file() != kTablePlace) throw;
    throw DataError(name, error.line(), std::string(error.finding()));
  }
}

/// A column of ids as their codes, in order of first appearance.
template <typename Ids>
Codes encode(Vocabulary& names, const std::string& table, const std::string& column,
             const Ids& ids) {
  std::vector<NodeId> codes;
  {
    const nb::gil_scoped_release release;
    codes.reserve(ids.size());
    in_table(table, [&] {
      for (const auto& id : ids) {
        codes.push_back(
            add_id(names, ExternalId(id), column, static_cast<std::int64_t>(codes.size()) + 1));
      }
    });
  }
  return column_to_numpy(std::move(codes));
}

Codes encode_numbers(Vocabulary& names, const std::string& table, const std::string& column,
                     const OffsetArray& ids) {
  return encode(names, table, column, span_of(ids));
}

/// The stream of a capsule, which lives as long. A producer that runs Python takes the interpreter's lock itself.
ArrowArrayStream& stream_of(const nb::object& capsule) {
  return *static_cast<ArrowArrayStream*>(nb::cast<nb::capsule>(capsule).data("arrow_array_stream"));
}

nb::bytes read_features(const nb::object& capsule, const std::string& table,
                        const std::string& key) {
  ArrowArrayStream& stream = stream_of(capsule);
  std::string text;
  {
    const nb::gil_scoped_release release;
    text = in_table(table, [&] { return read_arrow_features(stream, key); });
  }
  return nb::bytes(text.data(), text.size());
}

std::tuple<Codes, Codes, std::optional<Numbers>, std::optional<Numbers>> read_stream(
    const nb::object& capsule, Vocabulary& users, Vocabulary& items, const std::string& user,
    const std::string& item, const std::optional<std::string>& rating,
    const std::optional<std::string>& timestamp) {
  ArrowArrayStream& stream = stream_of(capsule);
  CodedColumns read;
  {
    const nb::gil_scoped_release release;
    read = in_table("interactions", [&] {
      return read_arrow(stream, {user, item, rating, timestamp}, users, items);
    });
  }
  std::optional<Numbers> ratings;
  std::optional<Numbers> times;
  if (rating) ratings = column_to_numpy(std::move(read.ratings));
  if (timestamp) times = column_to_numpy(std::move(read.times));
  return {column_to_numpy(std::move(read.users)), column_to_numpy(std::move(read.items)), ratings,
          times};
}

std::optional<double> number_at(const std::optional<NumberArray>& numbers, std::size_t row) {
  if (!numbers || std::isnan(numbers->data()[row])) return std::nullopt;
  return numbers->data()[row];
}

/// The text of a table of features, if this is one. With the interpreter's lock.
std::optional<std::string> text_of(const FeatureSource& features) {
  if (!features || !std::holds_alternative<nb::bytes>(*features)) return std::nullopt;
  const auto& text = std::get<nb::bytes>(*features);
  return std::string(text.c_str(), text.size());
}

/// Returns build(). Errors in features name the argument, and count rows, which the builder counts with its header.
template <typename Build>
Dataset in_features(const Build& build) {
  try {
    return build();
  } catch (const DataError& error) {
    for (const Side side : {Side::kUser, Side::kItem}) {
      if (error.file() != fmt::format("features of {}s in memory", to_string(side))) continue;
      throw DataError(fmt::format("{}_features", to_string(side)),
                      std::max<std::int64_t>(error.line() - 1, 0), std::string(error.finding()));
    }
    throw;
  }
}

Dataset build(const Config& config, const Vocabulary& user_names, const Vocabulary& item_names,
              const IdArray& users, const IdArray& items, const std::optional<NumberArray>& ratings,
              const std::optional<NumberArray>& times, const FeatureSource& user_features,
              const FeatureSource& item_features) {
  const std::size_t rows = users.size();
  if (items.size() != rows || (ratings && ratings->size() != rows) ||
      (times && times->size() != rows)) {
    throw ShapeError("the columns of interactions have different lengths");
  }
  const std::optional<std::string> user_table = text_of(user_features);
  const std::optional<std::string> item_table = text_of(item_features);
  const nb::gil_scoped_release release;
  DatasetBuilder builder(config.data);
  for (std::size_t row = 0; row < rows; ++row) {
    builder.add(user_names.name(users.data()[row]), item_names.name(items.data()[row]),
                {.rating = number_at(ratings, row), .timestamp = number_at(times, row)});
  }
  const auto set = [&](Side side, const FeatureSource& features,
                       const std::optional<std::string>& table) {
    if (table) builder.set_feature_table(side, *table);
    if (!features || table) return;
    const auto& [ids, columns, values] = std::get<FeatureRows>(*features);
    builder.set_features(side, columns, ids, span_of(values));
  };
  return in_features([&] {
    set(Side::kUser, user_features, user_table);
    set(Side::kItem, item_features, item_table);
    return builder.build();
  });
}

}  // namespace

void bind_interactions(nb::module_& module) {
  nb::class_<Vocabulary>(module, "Names", "Ids of one side, by their codes.")
      .def(nb::init<>())
      .def("encode_numbers", &encode_numbers, nb::arg("table"), nb::arg("column"), nb::arg("ids"))
      .def("encode_texts", &encode<std::vector<std::string>>, nb::arg("table"), nb::arg("column"),
           nb::arg("ids"));
  module.def("read_arrow", &read_stream, nb::arg("stream"), nb::arg("users"), nb::arg("items"),
             nb::arg("user"), nb::arg("item"), nb::arg("rating").none(),
             nb::arg("timestamp").none(),
             "Columns of a table as (users, items, ratings, timestamps).");
  module.def("read_arrow_features", &read_features, nb::arg("stream"), nb::arg("table"),
             nb::arg("key"), "A table of features as text, its column `key` of ids first.");
  module.def("build_dataset", &build, nb::arg("config"), nb::arg("user_names"),
             nb::arg("item_names"), nb::arg("users"), nb::arg("items"), nb::arg("ratings").none(),
             nb::arg("times").none(), nb::arg("user_features").none(),
             nb::arg("item_features").none());
}

}  // namespace tern::python
