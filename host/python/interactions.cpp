#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
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

/// A column of ids as their codes, in order of first appearance.
template <typename Ids>
Codes encode(Vocabulary& names, const std::string& column, const Ids& ids) {
  std::vector<NodeId> codes;
  codes.reserve(ids.size());
  for (const auto& id : ids) {
    codes.push_back(
        add_id(names, ExternalId(id), column, static_cast<std::int64_t>(codes.size()) + 1));
  }
  return column_to_numpy(std::move(codes));
}

Codes encode_numbers(Vocabulary& names, const std::string& column, const OffsetArray& ids) {
  return encode(names, column, span_of(ids));
}

std::tuple<Codes, Codes, std::optional<Numbers>, std::optional<Numbers>> read_stream(
    const nb::object& capsule, Vocabulary& users, Vocabulary& items, const std::string& user,
    const std::string& item, const std::optional<std::string>& rating,
    const std::optional<std::string>& timestamp) {
  auto* stream =
      static_cast<ArrowArrayStream*>(nb::cast<nb::capsule>(capsule).data("arrow_array_stream"));
  CodedColumns read = read_arrow(*stream, {user, item, rating, timestamp}, users, items);
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

Dataset build(const Config& config, const Vocabulary& user_names, const Vocabulary& item_names,
              const IdArray& users, const IdArray& items, const std::optional<NumberArray>& ratings,
              const std::optional<NumberArray>& times,
              const std::optional<FeatureRows>& user_features,
              const std::optional<FeatureRows>& item_features) {
  const std::size_t rows = users.size();
  if (items.size() != rows || (ratings && ratings->size() != rows) ||
      (times && times->size() != rows)) {
    throw ShapeError("the columns of interactions have different lengths");
  }
  const nb::gil_scoped_release release;
  DatasetBuilder builder(config.data);
  for (std::size_t row = 0; row < rows; ++row) {
    builder.add(user_names.name(users.data()[row]), item_names.name(items.data()[row]),
                {.rating = number_at(ratings, row), .timestamp = number_at(times, row)});
  }
  const auto set = [&](Side side, const std::optional<FeatureRows>& features) {
    if (!features) return;
    const auto& [ids, columns, values] = *features;
    builder.set_features(side, columns, ids, span_of(values));
  };
  set(Side::kUser, user_features);
  set(Side::kItem, item_features);
  return builder.build();
}

}  // namespace

void bind_interactions(nb::module_& module) {
  nb::class_<Vocabulary>(module, "Names", "Ids of one side, by their codes.")
      .def(nb::init<>())
      .def("encode_numbers", &encode_numbers, nb::arg("column"), nb::arg("ids"))
      .def("encode_texts", &encode<std::vector<std::string>>, nb::arg("column"), nb::arg("ids"));
  module.def("read_arrow", &read_stream, nb::arg("stream"), nb::arg("users"), nb::arg("items"),
             nb::arg("user"), nb::arg("item"), nb::arg("rating").none(),
             nb::arg("timestamp").none(),
             "Columns of a table as (users, items, ratings, timestamps).");
  module.def("build_dataset", &build, nb::arg("config"), nb::arg("user_names"),
             nb::arg("item_names"), nb::arg("users"), nb::arg("items"), nb::arg("ratings").none(),
             nb::arg("times").none(), nb::arg("user_features").none(),
             nb::arg("item_features").none());
}

}  // namespace tern::python
