#include "bench/support/workload.hpp"

#include <fmt/format.h>

#include <utility>

#include "tern/device.hpp"
#include "tern/error.hpp"
#include "tern/generate.hpp"

namespace tern::bench {

const std::vector<Shape>& known_shapes() {
  static const std::vector<Shape> shapes{
      {"gowalla", 29'858, 40'981, 810'128},       {"yelp2018", 31'668, 38'048, 1'237'259},
      {"amazon-book", 52'643, 91'599, 2'380'730}, {"ml-1m", 6'040, 3'706, 1'000'209},
      {"million", 1'000'000, 1'000, 1'000'000},
  };
  return shapes;
}

Interactions generate_shape(std::string_view name) {
  std::string names;
  for (const Shape& shape : known_shapes()) {
    if (shape.name == name) {
      GenerateOptions options;
      options.users = shape.users;
      options.items = shape.items;
      options.interactions = shape.interactions;
      options.seed = Seed{1};
      return generate(options).interactions;
    }
    names += (names.empty() ? "" : ", ") + std::string(shape.name);
  }
  throw ConfigError(fmt::format("unknown shape '{}', expected one of {}", name, names));
}

Workload::Workload(Backend& backend, Device& device, Interactions interactions, std::int64_t width,
                   int threads, std::int64_t batch_size)
    : backend_(backend),
      device_(device),
      reference_(make_reference_backend()),
      interactions_(std::move(interactions)),
      transposed_(interactions_.transposed()),
      graph_(backend.make_graph(interactions_)),
      reference_graph_(reference_->make_graph(interactions_)),
      width_(width),
      threads_(threads),
      batch_size_(batch_size) {
  const std::unique_ptr<Backend> cpu = make_cpu_backend(threads);
  const Graph graph = cpu->make_graph(interactions_);
  Triplets triplets = cpu->make_triplets(graph, sampling(), batch_size_);
  cpu->sample(triplets, 0);
  epoch_ = cpu->get_triplets(triplets);
}

}  // namespace tern::bench
