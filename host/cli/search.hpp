#pragma once

#include "host/cli/config_options.hpp"
#include "host/cli/console.hpp"
#include "tern/backend.hpp"
#include "tern/dataset.hpp"

namespace tern::cli {

/// Sets the batch size for the data, if the recipe searches keys and the command line does not set it.
void fit_batch_size(const ConfigOptions& options, const Dataset& data, Config& config);

/// Searches the keys that the recipe leaves open and the command line does not set, prints each trial, and
/// sets the best values in config.
void search_recipe(const ConfigOptions& options, Backend& backend, const Dataset& data,
                   Config& config, Console& console);

}  // namespace tern::cli
