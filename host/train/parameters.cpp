#include "host/train/parameters.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>

#include "tern/error.hpp"
#include "tern/run.hpp"

namespace tern {
namespace {

// DataError wants a file; a TensorFile no longer knows which one it came from.
constexpr char kWhere[] = "checkpoint";

template <typename T>
Tensor download(Backend& backend, const Matrix& matrix) {
  std::vector<T> values(static_cast<std::size_t>(matrix.size()));
  backend.download(matrix, values);
  return {{matrix.rows(), matrix.cols()}, std::move(values)};
}

/// Parameters and buffers: what a checkpoint holds, each by its name.
std::vector<NamedBuffer> contents(Model& model) {
  std::vector<NamedBuffer> all = model.buffers();
  for (const Parameter& parameter : model.parameters()) {
    all.push_back({parameter.name, parameter.value});
  }
  return all;
}

void upload(Backend& backend, const NamedBuffer& parameter, const Tensor& tensor) {
  const std::vector<std::int64_t> expected{parameter.value->rows(), parameter.value->cols()};
  if (tensor.shape != expected) {
    throw DataError(kWhere, 0,
                    fmt::format("{} has shape ({}), expected ({})", parameter.name,
                                fmt::join(tensor.shape, ", "), fmt::join(expected, ", ")));
  }
  if (const auto* single = std::get_if<std::vector<float>>(&tensor.values)) {
    backend.upload(std::span<const float>(*single), *parameter.value);
  } else if (const auto* twofold = std::get_if<std::vector<double>>(&tensor.values)) {
    backend.upload(std::span<const double>(*twofold), *parameter.value);
  } else {
    throw DataError(kWhere, 0,
                    fmt::format("{} holds integers, expected f32 or f64", parameter.name));
  }
}

}  // namespace

TensorFile snapshot(Backend& backend, Model& model) {
  const bool twofold = backend.describe().precision == "f64";
  TensorFile file;
  for (const NamedBuffer& parameter : contents(model)) {
    file.tensors[parameter.name] = twofold ? download<double>(backend, *parameter.value)
                                           : download<float>(backend, *parameter.value);
  }
  return file;
}

void load_parameters(Backend& backend, Model& model, const TensorFile& parameters) {
  const std::vector<NamedBuffer> wanted = contents(model);
  for (const auto& entry : parameters.tensors) {
    const std::string& name = entry.first;
    if (std::none_of(wanted.begin(), wanted.end(),
                     [&](const NamedBuffer& parameter) { return parameter.name == name; })) {
      throw DataError(kWhere, 0, fmt::format("{} is no parameter of {}", name, model.name()));
    }
  }
  for (const NamedBuffer& parameter : wanted) {
    const auto found = parameters.tensors.find(parameter.name);
    if (found == parameters.tensors.end()) {
      throw DataError(kWhere, 0, fmt::format("{} is missing", parameter.name));
    }
    upload(backend, parameter, found->second);
  }
}

}  // namespace tern
