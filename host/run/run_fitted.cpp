// The members of Run that write and read the arrays of a fitted model.

#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <utility>

#include "host/run/checkpoint.hpp"
#include "host/run/manifest.hpp"
#include "host/support/files.hpp"
#include "tern/error.hpp"
#include "tern/run.hpp"

namespace tern {

void Run::write_fitted(TensorFile arrays) {
  describe_checkpoint(arrays);
  write_checkpoint(fitted_path(), std::move(arrays));
}

bool Run::has_fitted() const {
  return is_there(fitted_path());
}

std::filesystem::path Run::fitted_path() const {
  return path_ / kFittedFile;
}

TensorFile Run::read_fitted() const {
  if (!has_fitted()) {
    throw DataError(
        path_.string(), 0,
        fmt::format("the run is not complete, it has no {}: tern train --resume {} fits "
                    "its model again",
                    kFittedFile, path_.string()));
  }
  return read_own_checkpoint(fitted_path());
}

}  // namespace tern
