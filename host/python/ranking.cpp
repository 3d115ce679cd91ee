#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>

#include <algorithm>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "host/data/cold_items.hpp"
#include "host/python/arrays.hpp"
#include "host/python/listener.hpp"
#include "host/python/lists.hpp"
#include "host/python/module.hpp"
#include "host/support/parallel.hpp"
#include "host/train/fitted_model.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"

namespace nb = nanobind;

namespace tern::python {
namespace {

using Csr = std::pair<OffsetArray, IdArray>;
using NumpyLists = std::pair<NumpyIds, NumpyTable>;

ListRequest request_of(const std::optional<Csr>& observed, const std::optional<IdArray>& candidates,
                       const std::optional<IdArray>& excluded, std::int64_t length,
                       NodeId num_items) {
  ListRequest request;
  request.length = length;
  if (observed) request.observed = interactions_of(observed->first, observed->second, num_items);
  const auto copy = [](const IdArray& ids) {
    return std::vector(ids.data(), ids.data() + ids.size());
  };
  if (candidates) request.candidates = copy(*candidates);
  if (excluded) request.excluded = copy(*excluded);
  return request;
}

// Work between two checks for a signal.

/// Products of two numbers, for which a core of a CPU takes less than a second.
constexpr std::int64_t kMaxProducts = std::int64_t{1} << 33;
/// Histories that a fitted model ranks, which take up to some milliseconds each.
constexpr std::int64_t kHistoriesPerThread = 128;

/// Calls rank(begin, size) for parts of all queries, and ends at a signal whose handler raises.
template <typename Rank>
void rank_in_parts(std::size_t queries, std::int64_t part, const Rank& rank) {
  SignalWatch signals;
  const auto step = static_cast<std::size_t>(std::max<std::int64_t>(part, 1));
  for (std::size_t begin = 0; begin < queries; begin += step) {
    rank(begin, std::min(step, queries - begin));
    signals.check();
  }
}

template <typename Value>
void append(const std::vector<Value>& part, std::vector<Value>& all) {
  all.insert(all.end(), part.begin(), part.end());
}

/// Ranks rows of one table by their dot products with rows of another. Both are uploaded once.
class FactorRanker {
 public:
  FactorRanker(TableArray queries, TableArray items, const std::string& device, int threads)
      : query_rows_(std::move(queries)), item_rows_(std::move(items)) {
    const nb::gil_scoped_release release;
    backend_ = make_backend(device, threads);
    items_ = upload(span_of(item_rows_), num_items());
    if (query_rows_.data() != item_rows_.data()) {
      queries_ = upload(span_of(query_rows_), static_cast<std::int64_t>(query_rows_.shape(0)));
    }
  }

  NumpyLists rank(const IdArray& queries, const std::optional<Csr>& observed,
                  const std::optional<IdArray>& candidates, const std::optional<IdArray>& excluded,
                  std::int64_t length) {
    Lists lists;
    {
      const nb::gil_scoped_release release;
      lists =
          rank(span_of(queries), request_of(observed, candidates, excluded, length, num_items()));
    }
    return to_numpy(std::move(lists));
  }

 private:
  NodeId num_items() const { return static_cast<NodeId>(item_rows_.shape(0)); }
  std::int64_t width() const { return static_cast<std::int64_t>(item_rows_.shape(1)); }
  const Matrix& queries() const { return queries_ ? *queries_ : items_; }

  Matrix upload(std::span<const float> values, std::int64_t rows) const {
    Matrix matrix = backend_->allocate(rows, width());
    backend_->upload(values, matrix);
    return matrix;
  }

  Matrix gather(const TableArray& table, std::span<const NodeId> rows) const {
    std::vector<float> values;
    values.reserve(rows.size() * table.shape(1));
    for (const NodeId row : rows) {
      const float* begin = table.data() + static_cast<std::size_t>(row) * table.shape(1);
      values.insert(values.end(), begin, begin + table.shape(1));
    }
    return upload(values, static_cast<std::int64_t>(rows.size()));
  }

  /// All queries in their order need no copy of their rows.
  bool are_all(std::span<const NodeId> queries) const {
    if (queries.size() != query_rows_.shape(0)) return false;
    NodeId next = 0;
    return std::ranges::all_of(queries, [&](NodeId query) { return query == next++; });
  }

  Lists rank(std::span<const NodeId> queries, const ListRequest& request) const {
    Matrix some_queries;
    Matrix some_items;
    if (!are_all(queries)) some_queries = gather(query_rows_, queries);
    const bool all_items = request.candidates.empty();
    if (!all_items) some_items = gather(item_rows_, request.candidates);
    std::optional<Graph> graph;
    std::vector<const Graph*> graphs;
    if (request.observed) {
      graph = backend_->make_graph(
          all_items ? *request.observed : restrict_items(*request.observed, request.candidates));
      graphs.push_back(&*graph);
    }
    std::vector<NodeId> places(queries.size());
    std::iota(places.begin(), places.end(), NodeId{0});
    TopItems top;
    const Matrix& item_table = all_items ? items_ : some_items;
    const std::int64_t products = std::max<std::int64_t>(item_table.size(), 1);
    rank_in_parts(places.size(), kMaxProducts / products, [&](std::size_t begin, std::size_t size) {
      TopItems part;
      backend_->score_topk(some_queries.empty() ? this->queries() : some_queries, item_table,
                           std::span(places).subspan(begin, size), graphs,
                           request.selected(num_items()), part);
      append(part.items, top.items);
      append(part.scores, top.scores);
    });
    if (!all_items) {
      for (NodeId& item : top.items) {
        if (item >= 0) item = request.candidates[static_cast<std::size_t>(item)];
      }
    }
    return finish_lists(request, num_items(), top.items, top.scores);
  }

  TableArray query_rows_;
  TableArray item_rows_;
  std::unique_ptr<Backend> backend_;
  Matrix items_;
  std::optional<Matrix> queries_;  // none if both tables are one
};

/// A model that is fitted without training, and scores users by their items.
class ItemModel {
 public:
  ItemModel(const Dataset& data, Config config, std::unique_ptr<ItemScorer> scorer)
      : data_(data), config_(std::move(config)), scorer_(std::move(scorer)) {}

  /// histories: the items that each query is scored by. With SeenItems::kLeaveOut they are left out.
  NumpyLists rank(const Csr& histories, bool leave_out, const std::optional<IdArray>& candidates,
                  const std::optional<IdArray>& excluded, std::int64_t length) const {
    Lists lists;
    {
      const nb::gil_scoped_release release;
      const NodeId items = scorer_->num_items();
      ListRequest request = request_of(std::nullopt, candidates, excluded, length, items);
      const Interactions rows = interactions_of(histories.first, histories.second, items);
      std::vector<const Interactions*> observed;
      if (leave_out) observed.push_back(&rows);
      std::vector<NodeId> queries(static_cast<std::size_t>(rows.num_users()));
      std::iota(queries.begin(), queries.end(), NodeId{0});
      ScoredLists found;
      const std::int64_t part = kHistoriesPerThread * shared_pool().threads();
      rank_in_parts(queries.size(), part, [&](std::size_t begin, std::size_t size) {
        const ScoredLists lists =
            rank_items(*scorer_, {rows, std::span(queries).subspan(begin, size), observed,
                                  request.candidates, request.selected(items)});
        append(lists.items, found.items);
        append(lists.scores, found.scores);
      });
      if (leave_out) request.observed = rows;
      const std::vector<float> scores(found.scores.begin(), found.scores.end());
      lists = finish_lists(request, items, found.items, scores);
    }
    return to_numpy(std::move(lists));
  }

  /// Copies of what was computed from the data. The scorer gives them away, and is made again.
  std::map<std::string, NumpyTable> arrays() {
    TensorFile taken = scorer_->take_arrays();
    std::map<std::string, NumpyTable> copies;
    for (const auto& [name, tensor] : taken.tensors) copies.emplace(name, to_numpy(Tensor(tensor)));
    scorer_ = restore_model(data_, config_, std::move(taken), "model");
    return copies;
  }

 private:
  const Dataset& data_;
  Config config_;
  std::unique_ptr<ItemScorer> scorer_;
};

std::unique_ptr<ItemModel> fit_items(const Dataset& data, const Config& config,
                                     nb::object on_note) {
  Listener listener(nb::none(), std::move(on_note));
  std::unique_ptr<ItemScorer> scorer;
  {
    const nb::gil_scoped_release release;
    expect_fittable(data, config);
    scorer = fit_model(data, config, listener.progress());
  }
  return std::make_unique<ItemModel>(data, config, std::move(scorer));
}

std::unique_ptr<ItemModel> restore_items(const Dataset& data, const Config& config,
                                         const std::map<std::string, TableArray>& arrays) {
  const nb::gil_scoped_release release;
  TensorFile file;
  for (const auto& [name, array] : arrays) {
    const auto rows = static_cast<std::int64_t>(array.shape(0));
    const auto columns = static_cast<std::int64_t>(array.shape(1));
    file.tensors[name] = {{rows, columns},
                          std::vector<float>(array.data(), array.data() + array.size())};
  }
  return std::make_unique<ItemModel>(data, config,
                                     restore_model(data, config, std::move(file), "model"));
}

}  // namespace

void bind_ranking(nb::module_& module) {
  nb::class_<FactorRanker>(module, "FactorRanker")
      .def(nb::init<TableArray, TableArray, const std::string&, int>(), nb::arg("queries"),
           nb::arg("items"), nb::arg("device"), nb::arg("threads"))
      .def("rank",
           nb::overload_cast<const IdArray&, const std::optional<Csr>&,
                             const std::optional<IdArray>&, const std::optional<IdArray>&,
                             std::int64_t>(&FactorRanker::rank),
           nb::arg("queries"), nb::arg("observed").none(), nb::arg("candidates").none(),
           nb::arg("excluded").none(), nb::arg("length"));
  nb::class_<ItemModel>(module, "ItemModel")
      .def("rank", &ItemModel::rank, nb::arg("histories"), nb::arg("leave_out"),
           nb::arg("candidates").none(), nb::arg("excluded").none(), nb::arg("length"))
      .def("arrays", &ItemModel::arrays);
  module.def("fit_items", &fit_items, nb::arg("data"), nb::arg("config"), nb::arg("on_note").none(),
             nb::keep_alive<0, 1>());
  module.def("restore_items", &restore_items, nb::arg("data"), nb::arg("config"), nb::arg("arrays"),
             nb::keep_alive<0, 1>());
}

}  // namespace tern::python
