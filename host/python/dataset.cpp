#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/data/fingerprint.hpp"
#include "host/python/arrays.hpp"
#include "host/python/module.hpp"
#include "tern/config.hpp"
#include "tern/dataset.hpp"
#include "tern/error.hpp"

namespace nb = nanobind;

namespace tern::python {
namespace {

using Csr = std::pair<OffsetArray, IdArray>;
using NumpyCsr = std::pair<nb::ndarray<nb::numpy, const EdgeOffset, nb::ndim<1>>,
                           nb::ndarray<nb::numpy, const NodeId, nb::ndim<1>>>;

/// All rows of `train` to train on; the nodes have the names "0", "1", ..., as in an adjacency list.
Dataset data_of_csr(NodeId num_items, const Csr& train, const std::optional<Csr>& valid) {
  const nb::gil_scoped_release release;
  Dataset data;
  data.train = interactions_of(train.first, train.second, num_items);
  if (data.train.size() == 0) {
    throw DataError("user_items", 0, "the matrix has no interaction to train on");
  }
  const NodeId num_users = data.train.num_users();
  data.valid = valid ? interactions_of(valid->first, valid->second, num_items)
                     : Interactions::from_pairs(num_users, num_items, {});
  data.test = Interactions::from_pairs(num_users, num_items, {});
  data.users = Vocabulary::numbered(num_users);
  data.items = Vocabulary::numbered(num_items);
  data.fingerprint = fingerprint_of(data);
  return data;
}

Dataset load(const std::string& path, const Config& config) {
  const nb::gil_scoped_release release;
  return load_dataset(path, config.data);
}

NumpyCsr csr_of(const Interactions& interactions, nb::handle owner) {
  const auto offsets = interactions.offsets();
  const auto items = interactions.items();
  return {{offsets.data(), {offsets.size()}, owner}, {items.data(), {items.size()}, owner}};
}

template <Interactions Dataset::*Split>
NumpyCsr split(nb::handle_t<Dataset> self) {
  return csr_of(nb::cast<const Dataset&>(self).*Split, self);
}

std::vector<std::string> names_of(const Vocabulary& names) {
  std::vector<std::string> found;
  found.reserve(static_cast<std::size_t>(names.size()));
  for (NodeId id = 0; id < names.size(); ++id) found.push_back(names.name(id));
  return found;
}

}  // namespace

void bind_dataset(nb::module_& module) {
  nb::class_<Dataset>(module, "Dataset", "Interactions in three splits, with the ids of nodes.")
      .def_static("from_csr", &data_of_csr, nb::arg("num_items"), nb::arg("train"),
                  nb::arg("valid") = nb::none(),
                  "From (offsets, items) of CSR matrices whose rows ascend strictly.")
      .def_static("load", &load, nb::arg("path"), nb::arg("config"))
      .def_prop_ro("num_users", [](const Dataset& data) { return data.users.size(); })
      .def_prop_ro("num_items", [](const Dataset& data) { return data.items.size(); })
      .def_prop_ro("users", [](const Dataset& data) { return names_of(data.users); })
      .def_prop_ro("items", [](const Dataset& data) { return names_of(data.items); })
      .def_prop_ro("train", &split<&Dataset::train>, "(offsets, items), views.")
      .def_prop_ro("valid", &split<&Dataset::valid>, "(offsets, items), views.")
      .def_prop_ro("test", &split<&Dataset::test>, "(offsets, items), views.")
      .def_ro("notes", &Dataset::notes)
      .def_ro("fingerprint", &Dataset::fingerprint)
      .def_ro("feature_fingerprint", &Dataset::feature_fingerprint);
}

}  // namespace tern::python
