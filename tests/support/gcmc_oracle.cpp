#include "tests/support/gcmc_oracle.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>

#include "tern/random.hpp"

namespace tern::test {
namespace {

constexpr double kEpsilon = 1e-5;
constexpr double kMomentum = 0.1;

std::size_t index(Side side) {
  return static_cast<std::size_t>(side);
}

std::string name_of(Side side, int number) {
  return (side == Side::kUser ? "user_layer" : "item_layer") + std::to_string(number);
}

Table product(const Table& a, const Table& b) {
  Table result(a.rows, b.cols);
  for (std::int64_t r = 0; r < a.rows; ++r) {
    for (std::int64_t k = 0; k < a.cols; ++k) {
      for (std::int64_t c = 0; c < b.cols; ++c) result.at(r, c) += a.at(r, k) * b.at(k, c);
    }
  }
  return result;
}

Table transposed(const Table& a) {
  Table result(a.cols, a.rows);
  for (std::int64_t r = 0; r < a.rows; ++r) {
    for (std::int64_t c = 0; c < a.cols; ++c) result.at(c, r) = a.at(r, c);
  }
  return result;
}

Table column_sums(const Table& a) {
  Table result(1, a.cols);
  for (std::int64_t r = 0; r < a.rows; ++r) {
    for (std::int64_t c = 0; c < a.cols; ++c) result.at(0, c) += a.at(r, c);
  }
  return result;
}

void add(Table& to, const Table& what) {
  for (std::size_t i = 0; i < to.values.size(); ++i) to.values[i] += what.values[i];
}

/// a · b + bias, for every row.
Table affine(const Table& a, const Table& b, const Table& bias) {
  Table result = product(a, b);
  for (std::int64_t r = 0; r < result.rows; ++r) {
    for (std::int64_t c = 0; c < result.cols; ++c) result.at(r, c) += bias.at(0, c);
  }
  return result;
}

Table beside(const Table& a, const Table& b) {
  Table result(std::max(a.rows, b.rows), a.cols + b.cols);
  for (std::int64_t r = 0; r < result.rows; ++r) {
    for (std::int64_t c = 0; c < a.cols; ++c) result.at(r, c) = a.at(r, c);
    for (std::int64_t c = 0; c < b.cols; ++c) result.at(r, a.cols + c) = b.at(r, c);
  }
  return result;
}

constexpr std::string_view kParts[] = {"numbers", "categories", "learned"};

std::string weight_name(const std::string& prefix, std::string_view part) {
  return prefix + "_" + std::string(part) + "_weight";
}

/// The weights of all parts, stacked.
Table stacked(const Tables& tables, const std::string& prefix) {
  Table all;
  for (const std::string_view part : kParts) {
    const auto found = tables.find(weight_name(prefix, part));
    if (found == tables.end()) continue;
    all.rows += found->second.rows;
    all.cols = found->second.cols;
    all.values.insert(all.values.end(), found->second.values.begin(), found->second.values.end());
  }
  return all;
}

/// The inverse: splits a stacked gradient into gradients by name.
void unstack(const Tables& tables, const std::string& prefix, const Table& all, Tables& gradients) {
  auto next = all.values.begin();
  for (const std::string_view part : kParts) {
    const auto found = tables.find(weight_name(prefix, part));
    if (found == tables.end()) continue;
    Table of(found->second.rows, found->second.cols);
    std::copy_n(next, of.values.size(), of.values.begin());
    next += static_cast<std::ptrdiff_t>(of.values.size());
    gradients[found->first] = std::move(of);
  }
}

/// The last columns of a, which are the learned part of an input.
Table last_columns(const Table& a, std::int64_t count) {
  Table result(a.rows, count);
  for (std::int64_t r = 0; r < a.rows; ++r) {
    for (std::int64_t c = 0; c < count; ++c) result.at(r, c) = a.at(r, a.cols - count + c);
  }
  return result;
}

Table dense_features(const EncodedFeatures* features) {
  if (features == nullptr) return {};
  const auto numbers = static_cast<std::int64_t>(features->number_names.size());
  Table all(features->num_nodes(), numbers + features->categories.num_items());
  for (NodeId node = 0; node < features->num_nodes(); ++node) {
    for (std::int64_t c = 0; c < numbers; ++c) {
      all.at(node, c) = features->numbers[static_cast<std::size_t>(node * numbers + c)];
    }
    for (const NodeId category : features->categories.row(node))
      all.at(node, numbers + category) = 1;
  }
  return all;
}

}  // namespace

GcMcOracle::GcMcOracle(const Interactions& interactions, const NodeFeatures& features,
                       const ModelOptions& options, Seed seed)
    : options_(options),
      seed_(seed),
      adjacency_(interactions.num_users(), interactions.num_items()),
      features_{dense_features(features.users), dense_features(features.items)} {
  for (NodeId user = 0; user < interactions.num_users(); ++user) {
    for (const NodeId item : interactions.row(user)) adjacency_.at(user, item) = 1.0;
  }
  const Table item_degrees = column_sums(adjacency_);
  const Table user_degrees = column_sums(transposed(adjacency_));
  for (NodeId user = 0; user < interactions.num_users(); ++user) {
    for (const NodeId item : interactions.row(user)) {
      adjacency_.at(user, item) /= std::sqrt(user_degrees.at(0, user) * item_degrees.at(0, item));
    }
  }
}

const Table& GcMcOracle::output(Side side) const {
  return outputs_[index(side)];
}

void GcMcOracle::train(Tables& tables, std::uint32_t step) {
  moved_.clear();
  pass(tables, /*training=*/true, step);
  for (auto& [name, table] : moved_) tables.at(name) = table;
}

void GcMcOracle::embed(const Tables& tables) {
  pass(tables, /*training=*/false, 0);
}

void GcMcOracle::pass(const Tables& tables, bool training, std::uint32_t step) {
  margin_ = std::numeric_limits<double>::infinity();
  layers_.clear();
  std::array<Table, 2> inputs = first_inputs(tables);
  for (int number = 1; number <= static_cast<int>(options_.hidden.size()) + 1; ++number) {
    layers_.push_back(layer(tables, number, std::move(inputs), training, step));
    inputs = outputs_;
  }
}

std::array<Table, 2> GcMcOracle::first_inputs(const Tables& tables) const {
  std::array<Table, 2> inputs;
  for (const Side side : {Side::kUser, Side::kItem}) {
    const auto ids = tables.find(side == Side::kUser ? "user_embedding" : "item_embedding");
    const bool reads = stacked(tables, name_of(side, 1) + "_self").rows >
                       (ids == tables.end() ? 0 : ids->second.cols);
    inputs[index(side)] = beside(reads ? features_[index(side)] : Table(),
                                 ids == tables.end() ? Table() : ids->second);
  }
  return inputs;
}

GcMcOracle::Layer GcMcOracle::layer(const Tables& tables, int number, std::array<Table, 2> inputs,
                                    bool training, std::uint32_t step) {
  Layer layer;
  for (const Side side : {Side::kUser, Side::kItem}) {
    const std::string name = name_of(side, number);
    Half& half = layer[index(side)];
    const Table sent = affine(inputs[index(opposite(side))], stacked(tables, name + "_message"),
                              tables.at(name + "_message_bias"));
    half.x = inputs[index(side)];
    half.h = product(side == Side::kUser ? adjacency_ : transposed(adjacency_), sent);
    if (training) {
      half.kept = kept(number, side, half.h.rows, half.h.cols, step);
      for (std::size_t i = 0; i < half.h.values.size(); ++i) {
        half.h.values[i] *= half.kept.values[i];
      }
    }
    activate(tables, name, half);
    outputs_[index(side)] = normalise(tables, name, training, half);
    if (!training) continue;
    Table& mean = moved_[name + "_norm_running_mean"];
    Table& variance = moved_[name + "_norm_running_variance"];
    mean = tables.at(name + "_norm_running_mean");
    variance = tables.at(name + "_norm_running_variance");
    const auto n = static_cast<double>(half.outer.rows);
    for (std::int64_t c = 0; c < mean.cols; ++c) {
      double sum = 0.0;
      double square = 0.0;
      for (std::int64_t r = 0; r < half.outer.rows; ++r) sum += std::max(half.outer.at(r, c), 0.0);
      for (std::int64_t r = 0; r < half.outer.rows; ++r) {
        square += std::pow(std::max(half.outer.at(r, c), 0.0) - sum / n, 2);
      }
      mean.at(0, c) += kMomentum * (sum / n - mean.at(0, c));
      variance.at(0, c) += kMomentum * (square / (n - 1) - variance.at(0, c));
    }
  }
  return layer;
}

/// The arguments of both ReLUs.
void GcMcOracle::activate(const Tables& tables, const std::string& name, Half& half) {
  half.inner = affine(half.x, stacked(tables, name + "_self"), tables.at(name + "_self_bias"));
  half.outer = affine(half.h, tables.at(name + "_mix_weight"), tables.at(name + "_mix_bias"));
  for (std::size_t i = 0; i < half.outer.values.size(); ++i) {
    half.outer.values[i] += std::max(half.inner.values[i], 0.0);
    margin_ = std::min({margin_, std::abs(half.outer.values[i]), std::abs(half.inner.values[i])});
  }
}

Table GcMcOracle::normalise(const Tables& tables, const std::string& name, bool training,
                            Half& half) const {
  const std::int64_t rows = half.outer.rows;
  const std::int64_t cols = half.outer.cols;
  Table z(rows, cols);
  half.normal = Table(rows, cols);
  for (std::int64_t c = 0; c < cols; ++c) {
    double mean = 0.0;
    double variance = 0.0;
    for (std::int64_t r = 0; r < rows; ++r) {
      mean += std::max(half.outer.at(r, c), 0.0) / static_cast<double>(rows);
    }
    for (std::int64_t r = 0; r < rows; ++r) {
      variance +=
          std::pow(std::max(half.outer.at(r, c), 0.0) - mean, 2) / static_cast<double>(rows);
    }
    if (!training) {
      mean = tables.at(name + "_norm_running_mean").at(0, c);
      variance = tables.at(name + "_norm_running_variance").at(0, c);
    }
    half.inverse_deviation.push_back(1.0 / std::sqrt(variance + kEpsilon));
    for (std::int64_t r = 0; r < rows; ++r) {
      half.normal.at(r, c) =
          (std::max(half.outer.at(r, c), 0.0) - mean) * half.inverse_deviation.back();
      z.at(r, c) = tables.at(name + "_norm_scale").at(0, c) * half.normal.at(r, c) +
                   tables.at(name + "_norm_shift").at(0, c);
    }
  }
  return z;
}

Table GcMcOracle::kept(int number, Side side, std::int64_t rows, std::int64_t cols,
                       std::uint32_t step) const {
  const auto draw = [&](std::uint64_t place, std::int64_t i) {
    RandomStream stream(seed_, Purpose::kDropout, step,
                        (place << 48) + static_cast<std::uint64_t>(i / 4));
    for (std::int64_t skipped = 0; skipped < i % 4; ++skipped) stream.next();
    return static_cast<double>(stream.next());
  };
  const auto place = static_cast<std::uint64_t>(4 * number + (side == Side::kItem ? 2 : 0));
  Table factors(rows, cols);
  for (std::int64_t r = 0; r < rows; ++r) {
    const bool hears = draw(place + 1, r) >= std::round(options_.message_dropout * 0x1p32);
    for (std::int64_t c = 0; c < cols; ++c) {
      const bool keeps = draw(place, r * cols + c) >= std::round(options_.dropout * 0x1p32);
      factors.at(r, c) = hears && keeps ? 1.0 / (1.0 - options_.dropout) : 0.0;
    }
  }
  return factors;
}

Tables GcMcOracle::backward(const Tables& tables, const Table& of_users,
                            const Table& of_items) const {
  Tables gradients;
  std::array<Table, 2> of_outputs{of_users, of_items};
  for (int number = static_cast<int>(layers_.size()); number >= 1; --number) {
    const Layer& layer = layers_[static_cast<std::size_t>(number) - 1];
    std::array<Table, 2> of_inputs{Table(layer[0].x.rows, layer[0].x.cols),
                                   Table(layer[1].x.rows, layer[1].x.cols)};
    for (const Side side : {Side::kUser, Side::kItem}) {
      const std::string name = name_of(side, number);
      const Half& half = layer[index(side)];
      const Table& grad_z = of_outputs[index(side)];
      const auto n = static_cast<double>(half.outer.rows);
      Table products(grad_z.rows, grad_z.cols);
      for (std::size_t i = 0; i < products.values.size(); ++i) {
        products.values[i] = grad_z.values[i] * half.normal.values[i];
      }
      const Table of_scale = gradients[name + "_norm_scale"] = column_sums(products);
      const Table of_shift = gradients[name + "_norm_shift"] = column_sums(grad_z);
      Table outer(grad_z.rows, grad_z.cols);
      Table inner = outer;
      for (std::int64_t r = 0; r < outer.rows; ++r) {
        for (std::int64_t c = 0; c < outer.cols; ++c) {
          const double of_normal = grad_z.at(r, c) - of_shift.at(0, c) / n -
                                   half.normal.at(r, c) * of_scale.at(0, c) / n;
          const double factor = tables.at(name + "_norm_scale").at(0, c) *
                                half.inverse_deviation[static_cast<std::size_t>(c)];
          outer.at(r, c) = half.outer.at(r, c) > 0 ? factor * of_normal : 0.0;
          inner.at(r, c) = half.inner.at(r, c) > 0 ? outer.at(r, c) : 0.0;
        }
      }
      gradients[name + "_mix_weight"] = product(transposed(half.h), outer);
      gradients[name + "_mix_bias"] = column_sums(outer);
      unstack(tables, name + "_self", product(transposed(half.x), inner), gradients);
      gradients[name + "_self_bias"] = column_sums(inner);
      add(of_inputs[index(side)], product(inner, transposed(stacked(tables, name + "_self"))));

      Table h = product(outer, transposed(tables.at(name + "_mix_weight")));
      for (std::size_t i = 0; i < h.values.size(); ++i) h.values[i] *= half.kept.values[i];
      const Table sent = product(side == Side::kUser ? transposed(adjacency_) : adjacency_, h);
      const Table& x = layer[index(opposite(side))].x;
      unstack(tables, name + "_message", product(transposed(x), sent), gradients);
      gradients[name + "_message_bias"] = column_sums(sent);
      add(of_inputs[index(opposite(side))],
          product(sent, transposed(stacked(tables, name + "_message"))));
    }
    of_outputs = std::move(of_inputs);
  }
  for (const Side side : {Side::kUser, Side::kItem}) {
    const auto ids = tables.find(side == Side::kUser ? "user_embedding" : "item_embedding");
    if (ids == tables.end()) continue;
    gradients[ids->first] = last_columns(of_outputs[index(side)], ids->second.cols);
  }
  return gradients;
}

}  // namespace tern::test
