#include "host/train/parameters.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>

#include "tern/error.hpp"
#include "tern/trainer.hpp"

namespace tern {
namespace {

template <typename T>
Tensor download(Backend& backend, const Matrix& matrix) {
  std::vector<T> values(static_cast<std::size_t>(matrix.size()));
  backend.download(matrix, values);
  return {{matrix.rows(), matrix.cols()}, std::move(values)};
}

void check(const NamedBuffer& wanted, const Tensor& tensor, std::string_view where) {
  const std::vector<std::int64_t> expected{wanted.value->rows(), wanted.value->cols()};
  if (tensor.shape != expected) {
    throw DataError(where, 0,
                    fmt::format("{} has shape ({}), expected ({})", wanted.name,
                                fmt::join(tensor.shape, ", "), fmt::join(expected, ", ")));
  }
  if (!std::holds_alternative<std::vector<float>>(tensor.values) &&
      !std::holds_alternative<std::vector<double>>(tensor.values)) {
    throw DataError(where, 0, fmt::format("{} holds integers, expected f32 or f64", wanted.name));
  }
}

void upload(Backend& backend, const NamedBuffer& to, const Tensor& tensor) {
  if (const auto* single = std::get_if<std::vector<float>>(&tensor.values)) {
    backend.upload(std::span<const float>(*single), *to.value);
  } else {
    const auto& in_double = std::get<std::vector<double>>(tensor.values);
    backend.upload(std::span<const double>(in_double), *to.value);
  }
}

}  // namespace

std::vector<NamedBuffer> contents(Model& model) {
  std::vector<NamedBuffer> all = model.buffers();
  for (const Parameter& parameter : model.parameters()) {
    all.push_back({parameter.name, parameter.value});
  }
  return all;
}

Tensor download_tensor(Backend& backend, const Matrix& matrix) {
  return backend.describe().precision == "f64" ? download<double>(backend, matrix)
                                               : download<float>(backend, matrix);
}

void download_tensors(Backend& backend, const std::vector<NamedBuffer>& from,
                      std::map<std::string, Tensor>& tensors) {
  const bool in_double = backend.describe().precision == "f64";
  for (const NamedBuffer& buffer : from) {
    tensors[buffer.name] = in_double ? download<double>(backend, *buffer.value)
                                     : download<float>(backend, *buffer.value);
  }
}

void upload_tensors(Backend& backend, const std::vector<NamedBuffer>& to,
                    const std::map<std::string, Tensor>& tensors, std::string_view owner,
                    std::string_view where, std::string_view ignored) {
  for (const auto& entry : tensors) {
    const std::string& name = entry.first;
    if (!ignored.empty() && name.starts_with(ignored)) continue;
    if (std::none_of(to.begin(), to.end(),
                     [&](const NamedBuffer& wanted) { return wanted.name == name; })) {
      throw DataError(where, 0, fmt::format("{} is not a parameter of {}", name, owner));
    }
  }
  for (const NamedBuffer& wanted : to) {
    const auto found = tensors.find(wanted.name);
    if (found == tensors.end()) {
      throw DataError(where, 0, fmt::format("{} is missing", wanted.name));
    }
    check(wanted, found->second, where);
  }
  for (const NamedBuffer& wanted : to) upload(backend, wanted, tensors.at(wanted.name));
}

TensorFile snapshot(Backend& backend, Model& model) {
  TensorFile file;
  download_tensors(backend, contents(model), file.tensors);
  return file;
}

void load_parameters(Backend& backend, Model& model, const TensorFile& parameters) {
  upload_tensors(backend, contents(model), parameters.tensors, model.name(), "checkpoint");
}

}  // namespace tern
