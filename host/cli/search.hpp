#pragma once

#include <string_view>
#include <vector>

#include "host/cli/config_options.hpp"
#include "host/cli/console.hpp"
#include "host/train/search.hpp"
#include "tern/backend.hpp"
#include "tern/dataset.hpp"

namespace tern::cli {

/// Whether there is a recipe that searches keys.
bool searches(const ConfigOptions& options);

/// Sets the batch size for the data, if the recipe searches keys and the command line does not set it.
void fit_batch_size(const ConfigOptions& options, const Dataset& data, Config& config);

/// Sets loss.weight_temperature to that of the recipe sl@k, if the recipe searches keys, the loss is
/// SL@K, and the command line does not set it.
void fit_weight_temperature(const ConfigOptions& options, Config& config);

/// The keys that the recipe leaves open, the command line does not set, and the model or loss reads, with
/// the values to search. Needs searches(options).
std::vector<SearchGrid> open_grids(const ConfigOptions& options, const Config& config);

/// Searches these keys of a recipe; prints each trial, and sets the best values in config.
void search_recipe(std::string_view recipe, const std::vector<SearchGrid>& grids, Backend& backend,
                   const Dataset& data, Config& config, Console& console);

}  // namespace tern::cli
