#include "bench/support/workload.hpp"

#include <fmt/format.h>

#include <cmath>
#include <numbers>
#include <utility>

#include "tern/device.hpp"
#include "tern/error.hpp"
#include "tern/generate.hpp"
#include "tern/random.hpp"

namespace tern::bench {

const std::vector<Shape>& known_shapes() {
  static const std::vector<Shape> shapes{
      {"gowalla", 29'858, 40'981, 810'128},
      {"yelp2018", 31'668, 38'048, 1'237'259},
      {"amazon-book", 52'643, 91'599, 2'380'730},
      {"ml-1m", 6'040, 3'706, 1'000'209},
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

Workload::Workload(Backend& backend, Interactions interactions, std::int64_t width, int threads)
    : backend_(backend),
      reference_(make_reference_backend()),
      interactions_(std::move(interactions)),
      transposed_(interactions_.transposed()),
      graph_(backend.make_graph(interactions_)),
      reference_graph_(reference_->make_graph(interactions_)),
      width_(width),
      threads_(threads) {
  const std::unique_ptr<Backend> cpu = make_cpu_backend(threads);
  const Graph graph = cpu->make_graph(interactions_);
  Triplets triplets = cpu->make_triplets(graph, sampling(), kBatchSize);
  cpu->sample(triplets, 0);
  epoch_ = cpu->get_triplets(triplets);
}

SamplingOptions Workload::sampling() {
  SamplingOptions options;
  options.seed = Seed{1};
  return options;
}

std::vector<float> Workload::table_values(Side side, std::uint32_t salt) const {
  std::vector<float> values(static_cast<std::size_t>(nodes(side) * width_));
  for (std::size_t i = 0; i < values.size(); ++i) {
    RandomStream stream(Seed{1}, Purpose::kGenerate, salt, i);
    const double radius = std::sqrt(-2.0 * std::log(stream.uniform()));
    values[i] =
        static_cast<float>(0.1 * radius * std::cos(2.0 * std::numbers::pi * stream.uniform()));
  }
  return values;
}

Matrix Workload::table(Backend& backend, Side side, std::uint32_t salt) const {
  Matrix matrix = backend.allocate(nodes(side), width_);
  backend.upload(table_values(side, salt), matrix);
  return matrix;
}

void expect_equal(std::string_view what, std::span<const float> values,
                  std::span<const double> expected) {
  constexpr double kTolerance = 1e-5;
  if (values.size() != expected.size()) {
    throw Error(
        fmt::format("{}: {} values, the reference has {}", what, values.size(), expected.size()));
  }
  double difference = 0.0;
  double norm = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    difference += (values[i] - expected[i]) * (values[i] - expected[i]);
    norm += expected[i] * expected[i];
  }
  // Written so that a NaN fails.
  if (!(difference <= kTolerance * kTolerance * norm)) {
    throw Error(
        fmt::format("{}: wrong result, relative error {:.1e} against the reference (allowed "
                    "{:.0e}); not timed",
                    what, std::sqrt(difference / norm), kTolerance));
  }
}

void expect_equal(std::string_view what, Backend& backend, const Matrix& matrix, Backend& reference,
                  const Matrix& expected) {
  std::vector<float> values(static_cast<std::size_t>(matrix.size()));
  std::vector<double> wanted(static_cast<std::size_t>(expected.size()));
  backend.download(matrix, values);
  reference.download(expected, wanted);
  expect_equal(what, values, wanted);
}

}  // namespace tern::bench
