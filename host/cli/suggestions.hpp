#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace tern::cli {

/// ": did you mean train?" with the nearest word of `known` by edit distance; empty if none is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);

/// The same for an option that the subcommand does not have: the option or key that it may mean,
/// such as ": did you mean --set optimizer.learning_rate=0.1?" for --lr. `value`: the text after
/// the option, or empty.
std::string did_you_mean_option(const CLI::App& app, std::string_view option,
                                std::string_view value);

}  // namespace tern::cli
