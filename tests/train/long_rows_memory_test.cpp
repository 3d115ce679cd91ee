// The memory that rows of more than 64 neighbours take on a GPU: they are cut into segments, with a
// partial sum each (cuda/ops/propagate.hpp).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tern/memory.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/graphs.hpp"
#include "tests/train/measured_memory.hpp"
#include "tests/train/planted.hpp"

namespace tern::test {
namespace {

TEST(LongRowsMemory, OfADeviceIsLittleMoreThanAllocated) {
  const Config config = planted_config(ModelKind::kLightGcn);
  const int width = config.model.width;
  Dataset data = planted_dataset(200, 150);
  const auto bytes_of = [&](const std::string& name, const Interactions& train) {
    data.train = train;
    return part(estimate_memory({.kind = MemoryTarget::Kind::kCuda}, data, config), name,
                &MemoryPart::device);
  };
  const Interactions sparse = random_interactions(200, 150, 0.2, 1);  // up to 64 neighbours
  const Interactions dense = random_interactions(200, 150, 0.9, 1);
  for (const BackendCase& backend_case : backends_under_test()) {
    if (backend_case.name != "simt") continue;
    const auto backend = backend_case.make();
    const Matrix users = backend->allocate(200, width);
    Matrix items = backend->allocate(150, width);
    Matrix again = backend->allocate(200, width);
    std::int64_t before = backend->memory().free;
    const Graph graph = backend->make_graph(dense);
    EXPECT_THAT(bytes_of("graph", dense), little_above(before - backend->memory().free));
    before = backend->memory().free;
    backend->propagate(graph, Side::kItem, users, items);
    backend->propagate(graph, Side::kUser, items, again);
    EXPECT_GT(before - backend->memory().free, 1000 * 4 * width) << "a thousand partial sums";
    EXPECT_THAT(bytes_of("scratch", dense) - bytes_of("scratch", sparse),
                little_above(before - backend->memory().free));
  }
}

}  // namespace
}  // namespace tern::test
