#include "host/config/recipes.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "host/config/keys.hpp"
#include "host/config/value.hpp"
#include "host/config/value_synonyms.hpp"
#include "host/support/message.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

using Settings = std::vector<Recipe::Setting>;

/// Settings, of which some have other values and some are added.
Settings with(Settings all, const Settings& others) {
  for (const auto& [key, value] : others) {
    const auto same = std::ranges::find(all, key, &Recipe::Setting::key);
    if (same == all.end()) {
      all.push_back({key, value});
    } else {
      same->value = value;
    }
  }
  return all;
}

/// In-batch softmax as in the logs of BSL: each interaction once an epoch, Xavier-uniform start.
Settings softmax_with(const Settings& more) {
  return with({{"loss.kind", "softmax"},
               {"loss.l2", "1e-5"},
               {"loss.temperature", "0.12"},
               {"model.init", "xavier"},
               {"sampling.positives", "interaction"}},
              more);
}

/// DirectAU as in the commands of its authors' code (github.com/THUwangcy/DirectAU), whose γ is 0.5
/// for Beauty, 1 for Yelp2018 and by default, 5 for Gowalla.
Settings directau_with(const Settings& more) {
  return with({{"loss.kind", "directau"},
               {"loss.l2", "0"},
               {"loss.uniformity_weight", "1"},
               {"model.init", "xavier"},
               {"optimizer.learning_rate", "1e-3"},
               {"optimizer.weight_decay", "1e-6"},
               {"sampling.positives", "interaction"},
               {"train.batch_size", "1024"}},
              more);
}

std::vector<Recipe> make_recipes() {
  return {
      {"lightgcn",
       "LightGCN with BPR, three layers (He et al. 2020); about 1000 epochs on Gowalla",
       {{"model.kind", "lightgcn"},
        {"model.layers", "3"},
        {"model.init", "normal"},
        {"loss.kind", "bpr"},
        {"loss.l2", "1e-4"},
        {"sampling.positives", "user"}}},
      {"lightgcn++",
       "LightGCN++ with BPR, two layers (Lee et al. 2024): layers of rows of length 1, weighted by "
       "degrees of any exponent",
       {{"model.kind", "lightgcn"},
        {"model.layers", "2"},
        {"model.init", "normal"},
        {"propagation.kind", "lightgcn++"},
        {"propagation.alpha", "0.6"},
        {"propagation.beta", "-0.1"},
        {"propagation.gamma", "0.2"},
        {"loss.kind", "bpr"},
        {"loss.l2", "1e-4"},
        {"sampling.positives", "user"}}},
      {"softmax",
       "LightGCN, one layer, in-batch softmax (SL; Wu et al. 2024); about 25 epochs on Gowalla. "
       "loss.temperature 0.1 to 0.2 suits most data",
       softmax_with({{"model.kind", "lightgcn"}, {"model.layers", "1"}})},
      {"bsl", "softmax with a positive temperature of its own (BSL; Wu et al. 2024)",
       softmax_with(
           {{"model.kind", "lightgcn"}, {"model.layers", "1"}, {"loss.negative_weight", "0.84"}})},
      {"sl@k",
       "softmax in which pairs near the first loss.k places count most (SL@K; Yang et al. 2025). "
       "loss.weight_temperature 0.5 to 3 by data set; compare with softmax",
       softmax_with({{"model.kind", "lightgcn"},
                     {"model.layers", "1"},
                     {"loss.kind", "sl@k"},
                     {"loss.k", "20"},
                     {"loss.weight_temperature", "2.25"},
                     {"loss.refresh_every", "5"}})},
      {"xsimgcl",
       "LightGCN with BPR and a contrast of perturbed layers (XSimGCL; Yu et al. 2023, with the "
       "settings of its code for Yelp2018)",
       {{"model.kind", "lightgcn"},
        {"model.layers", "2"},
        {"model.init", "xavier"},
        {"loss.kind", "bpr"},
        {"loss.l2", "1e-4"},
        {"sampling.positives", "interaction"},
        {"contrast.kind", "xsimgcl"},
        {"contrast.weight", "0.2"},
        {"contrast.temperature", "0.15"},
        {"contrast.magnitude", "0.2"},
        {"contrast.view_layer", "1"}}},
      // The popularity correction makes of the batch's items what the authors draw uniformly, 800 a pair;
      // their rate is 1e-4, with which 200 epochs are needed.
      {"mf-softmax",
       "matrix factorisation with in-batch softmax (BSL; Wu et al. 2024), corrected for "
       "popularity; about 10 epochs on Gowalla",
       softmax_with({{"model.kind", "mf"},
                     {"loss.temperature", "0.08"},
                     {"loss.negative_weight", "1.22"},
                     {"loss.popularity_correction", "1"},
                     {"optimizer.learning_rate", "5e-4"},
                     {"evaluation.score", "cosine"}})},
      {"directau",
       "LightGCN, one layer, with alignment and uniformity instead of negatives (DirectAU; Wang et "
       "al. 2022). loss.uniformity_weight 0.5 to 5 by data set: 5 for Gowalla",
       directau_with({{"model.kind", "lightgcn"}, {"model.layers", "1"}})},
      {"mf-directau", "matrix factorisation with DirectAU (Wang et al. 2022)",
       directau_with({{"model.kind", "mf"}})},
      {"ccl",
       "LightGCN, one layer, CCL over 64 sampled negatives (SimpleX; Mao et al. 2021)",
       // Margin, weight and score of their matrix factorisation for Gowalla, MF_CCL_gowalla_m1 in
       // github.com/reczoo/RecZoo, matching/cf/SimpleX. It draws 800 negatives, 12 times the work, for
       // batches of 256 pairs.
       {{"model.kind", "lightgcn"},
        {"model.layers", "1"},
        {"model.init", "xavier"},
        {"loss.kind", "ccl"},
        {"loss.margin", "0.9"},
        {"loss.negative_weight", "150"},
        {"loss.l2", "0"},
        {"sampling.positives", "interaction"},
        {"sampling.negatives", "uniform"},
        {"sampling.negatives_per_positive", "64"},
        {"evaluation.score", "cosine"}}},
      {"auto",
       "bsl with temperature, layers and weight of the negatives found by about ten short "
       "trainings on a validation split, and a batch size that suits the data; for data of "
       "your own",
       {{"model.kind", "lightgcn"},
        {"model.layers", "1"},
        {"model.init", "xavier"},
        {"loss.kind", "softmax"},
        {"loss.l2", "1e-5"},
        {"loss.temperature", "0.14"},
        {"loss.negative_weight", "0.84"},
        {"sampling.positives", "interaction"},
        {"train.evaluate_every", "1"}},
       {{"loss.temperature", {"0.05", "0.07", "0.1", "0.14", "0.2", "0.28", "0.4"}},
        {"model.layers", {"0", "1", "2", "3", "4"}},
        {"loss.negative_weight", {"0.5", "0.6", "0.7", "0.84", "1"}}}},
  };
}

}  // namespace

std::span<const Recipe> recipes() {
  static const std::vector<Recipe> table = make_recipes();
  return table;
}

const Recipe& find_recipe(std::string_view name) {
  const auto found = std::ranges::find(recipes(), name, &Recipe::name);
  if (found != recipes().end()) return *found;
  std::vector<std::string_view> names;
  for (const Recipe& recipe : recipes()) names.push_back(recipe.name);
  const std::string all = fmt::format("{}", fmt::join(names, ", "));
  if (name.empty()) {
    throw ConfigError("the name of the recipe is missing: expected one of " + all);
  }
  const std::string meant = value_meant_by("recipe", name, names);
  throw ConfigError(
      "unknown recipe " + quote(name) +
      (meant.empty() ? ": expected one of " : ": did you mean " + meant + "? Expected one of ") +
      all);
}

std::string write_recipe(const Recipe& recipe) {
  Config config;
  apply_recipe(config, recipe.name);
  std::string out = fmt::format("# {}: {}\n", recipe.name, recipe.summary);
  for (const auto& [key, values] : recipe.searched) {
    out += fmt::format("# searched: {} in {}\n", key, fmt::join(values, ", "));
  }
  std::string_view section;
  for (const KeySpec& spec : key_table()) {
    const std::string_view key = spec.key;
    if (std::ranges::find(recipe.settings, key, &Recipe::Setting::key) == recipe.settings.end()) {
      continue;
    }
    const std::size_t dot = key.find('.');
    if (section != key.substr(0, dot)) {
      section = key.substr(0, dot);
      out += fmt::format("\n[{}]\n", section);
    }
    out += fmt::format("{} = {}\n", key.substr(dot + 1), to_toml(spec.get(config)));
  }
  return out;
}

void apply_recipe(Config& config, std::string_view name) {
  for (const auto& [key, value] : find_recipe(name).settings) set_config(config, key, value);
}

}  // namespace tern
