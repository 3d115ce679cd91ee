// Uses the installed library as a stranger would: one propagation, checked by hand.

#include <array>
#include <cmath>
#include <cstdio>
#include <span>
#include <vector>

#include "tern/backend.hpp"
#include "tern/device.hpp"
#include "tern/interactions.hpp"

int main() {
  // User 0 has items 0 and 1, user 1 has item 1: the users' degrees are 2 and 1, the items' 1
  // and 2.
  const std::array<tern::Interaction, 3> pairs{{{0, 0}, {0, 1}, {1, 1}}};
  const auto interactions = tern::Interactions::from_pairs(2, 2, pairs);

  const auto backend = tern::make_cpu_backend();
  const tern::Graph graph = backend->make_graph(interactions);
  tern::Matrix items = backend->allocate(2, 1);
  tern::Matrix users = backend->allocate(2, 1);
  const std::vector<float> x{1.0F, 2.0F};
  backend->upload(std::span<const float>(x), items);
  backend->propagate(graph, tern::Side::kUser, items, users);
  std::vector<float> y(2);
  backend->download(users, std::span<float>(y));

  // y = D_u^-½ R D_i^-½ x = ((1 + 2/√2) / √2, 2/√2) = (1/√2 + 1, √2).
  const std::array<double, 2> expected{std::sqrt(0.5) + 1.0, std::sqrt(2.0)};
  for (std::size_t i = 0; i < y.size(); ++i) {
    std::printf("y[%zu] = %.7f, expected %.7f\n", i, static_cast<double>(y[i]), expected[i]);
    if (!(std::abs(static_cast<double>(y[i]) - expected[i]) < 1e-6)) return 1;
  }
  return 0;
}
