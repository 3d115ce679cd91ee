#include "host/serve/evaluation_task.hpp"

#include <cstddef>
#include <span>

#include "host/data/cold_items.hpp"
#include "host/train/fitted_model.hpp"

namespace tern {

std::vector<const Interactions*> EvaluationTask::observed() const {
  std::vector<const Interactions*> rows{&train};
  if (mask_valid == MaskValid::kYes) rows.push_back(&valid);
  return rows;
}

EvaluationTask make_evaluation_task(RankingSource& source, const Interactions& held_out,
                                    MaskValid mask_valid, RankedItems items) {
  const Dataset& data = source.data();
  EvaluationTask task{.train = data.train, .held_out = held_out, .mask_valid = mask_valid};
  if (mask_valid == MaskValid::kYes) task.valid = data.valid;
  if (items == RankedItems::kAll) return task;

  const std::vector<NodeId> cold = cold_items(data.train);
  for (Interactions* part : {&task.train, &task.valid, &task.held_out}) {
    if (part->num_items() > 0) *part = restrict_items(*part, cold);
  }
  const HostTable all = source.host_table(Side::kItem);
  const auto width = static_cast<std::size_t>(source.width());
  std::vector<float> rows;
  rows.reserve(cold.size() * width);
  for (const NodeId item : cold) {
    const auto row = all.values().subspan(static_cast<std::size_t>(item) * width, width);
    rows.insert(rows.end(), row.begin(), row.end());
  }
  task.cold_rows = source.backend().allocate(static_cast<std::int64_t>(cold.size()),
                                             static_cast<std::int64_t>(width));
  source.backend().upload(std::span<const float>(rows), task.cold_rows);
  return task;
}

Metrics evaluate_source(RankingSource& source, const EvaluationTask& task,
                        const EvaluationOptions& lists) {
  const std::vector<const Interactions*> observed_rows = task.observed();
  if (source.is_fitted()) {
    return evaluate_scorer(source.scorer(), task.train, observed_rows, task.held_out, lists);
  }
  std::vector<Graph> graphs;
  graphs.reserve(observed_rows.size());
  for (const Interactions* rows : observed_rows) {
    graphs.push_back(source.backend().make_graph(*rows));
  }
  std::vector<const Graph*> observed;
  observed.reserve(graphs.size());
  for (const Graph& graph : graphs) observed.push_back(&graph);
  const Matrix& items = task.cold_rows.empty() ? source.embeddings(Side::kItem) : task.cold_rows;
  return evaluate(source.backend(), source.embeddings(Side::kUser), items, observed, task.held_out,
                  lists);
}

}  // namespace tern
