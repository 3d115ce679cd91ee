#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/support/batch.hpp"
#include "bench/support/case.hpp"
#include "bench/support/compare.hpp"
#include "bench/variants/cuda/device_tables.hpp"

namespace tern::bench {

/// The triplets of the first batch.
inline std::span<const Triplet> first_triplets(const Workload& w) {
  return std::span(w.epoch()).first(static_cast<std::size_t>(batch_triplets(w)));
}

/// Throws Error unless a rival's gradient(side) and loss() of the first batch are those of
/// run(reference, tables).
template <typename Rival, typename Run>
void expect_right_batch(std::string_view op, const Workload& w, const Rival& rival,
                        const Run& run) {
  Backend& reference = w.reference();
  BatchTables expected(w, reference, w.reference_graph());
  expected.reset(reference, kPoison);  // as the rival's tables are
  run(reference, expected);
  const auto values = [&](const Matrix& matrix) {
    std::vector<double> found(static_cast<std::size_t>(matrix.size()));
    reference.download(matrix, found);
    return found;
  };
  const std::string name(op);
  expect_equal(name + ", gradient of users", rival.gradient(Side::kUser).download(),
               values(expected.grad_users), w.width());
  expect_equal(name + ", gradient of items", rival.gradient(Side::kItem).download(),
               values(expected.grad_items), w.width());
  const std::vector<float> loss{rival.loss()};
  expect_equal(name + ", loss", loss, std::vector<double>{values(expected.losses).front()}, 1);
}

}  // namespace tern::bench
