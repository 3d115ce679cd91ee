#include "host/data/assemble.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "host/config/keys.hpp"
#include "host/data/fingerprint.hpp"
#include "host/data/k_core.hpp"
#include "host/data/split.hpp"
#include "tern/error.hpp"
#include "tern/inspect.hpp"

namespace tern {
namespace {

constexpr double kDefaultValidFraction = 0.1;

void filter_k_core(const std::string& place, Pool& pool, int k, std::vector<std::string>& notes) {
  if (k < 1) return;
  const NodeId users = pool.users.names.size();
  const NodeId items = pool.items.names.size();
  const std::int64_t size = pool.size();
  const Interactions all = to_interactions(pool, 0, nullptr);
  keep_nodes(pool, find_k_core(all, k));
  if (pool.size() == 0) {
    const InteractionsSummary found = summarize(all);
    throw DataError(
        place, 0,
        fmt::format("the {0}-core is empty: no users and items have {0} interactions "
                    "each among themselves; before data.k_core = {0}, users had at most "
                    "{1} and items at most {2}",
                    k, found.users.degrees.max, found.items.degrees.max));
  }
  notes.push_back(
      fmt::format("The {}-core drops {} of {} users, {} of {} items and {} of {} "
                  "interactions, repeats counted.",
                  k, users - pool.users.names.size(), users, items - pool.items.names.size(), items,
                  size - pool.size(), size));
}

/// The given splits. Empties the pool.
std::array<Interactions, kSplitParts> take_given(Pool& pool, bool valid_given,
                                                 const DataOptions& options, Dataset& data) {
  std::array<Interactions, kSplitParts> splits;
  for (std::size_t part = 0; part < kSplitParts; ++part) {
    splits[part] = to_interactions(pool, part, &data.duplicates);
    pool.parts[part] = {};
  }
  data.notes.push_back("The split is the given one.");
  if (valid_given) return splits;
  if (options.valid_fraction.value_or(0) == 0) {
    data.notes.push_back(
        "There is no validation split: none is given, and nothing is cut from a given training set "
        "unless data.valid_fraction asks for it.");
    return splits;
  }
  const std::vector<SplitPart> parts =
      split_randomly(splits[0], 0, *options.valid_fraction, options.split_seed);
  std::array<Interactions, kSplitParts> cut = apply_split(splits[0], parts);
  cut[2] = std::move(splits[2]);
  data.notes.push_back(
      fmt::format("Interactions cut from the given training set for validation, at random per user "
                  "(seed {}): {}.",
                  options.split_seed.value, cut[1].size()));
  return cut;
}

/// Reports interactions of one time that a split by time divides.
void note_ties(const DatedInteractions& all, const std::vector<SplitPart>& parts,
               std::vector<std::string>& notes) {
  const auto note = [&](SplitPart newer, std::string_view cut) {
    const TiesAtCut ties = count_ties(all, parts, newer);
    if (ties.older == 0) return;
    notes.push_back(
        fmt::format("Interactions of the very time {}: {}; the {} that come last in the data are "
                    "held out, the other {} are not.",
                    cut, ties.older + ties.newer, ties.newer, ties.older));
  };
  note(SplitPart::kTest, "at which the test set begins");
  note(SplitPart::kValid, "at which the validation set begins");
}

std::array<Interactions, kSplitParts> split_anew(Pool& pool, SplitMethod method,
                                                 const DataOptions& options, Dataset& data) {
  const double test = options.test_fraction;
  const double valid = options.valid_fraction.value_or(kDefaultValidFraction);
  if (method == SplitMethod::kRandom || method == SplitMethod::kColdItems) {
    const Interactions all = to_interactions(pool, 0, &data.duplicates);
    pool.parts[0] = {};
    if (method == SplitMethod::kColdItems) {
      data.notes.push_back(
          fmt::format("The split holds items out (seed {}): {} of them with all of their "
                      "interactions to test, {} of the rest to validation, at random per user.",
                      options.split_seed.value, test, valid));
      return apply_split(all, split_cold_items(all, test, valid, options.split_seed));
    }
    data.notes.push_back(
        fmt::format("The split is random per user (seed {}): {} to test, {} of the rest to "
                    "validation.",
                    options.split_seed.value, test, valid));
    return apply_split(all, split_randomly(all, test, valid, options.split_seed));
  }
  const DatedInteractions all =
      date_interactions(pool.users.names.size(), pool.items.names.size(), pool.parts[0].pairs,
                        pool.parts[0].times, &data.duplicates);
  const bool has_times = pool.has_times;
  pool.parts[0] = {};
  if (method == SplitMethod::kTime) {
    data.notes.push_back(fmt::format(
        "The split is by time: the newest {} to test, then {} of the rest to validation.", test,
        valid));
    const std::vector<SplitPart> parts = split_by_time(all, test, valid);
    note_ties(all, parts, data.notes);
    return apply_split(all.interactions, parts);
  }
  data.notes.push_back(
      fmt::format("The split leaves one out: each user's last interaction ({}) to test{}.",
                  has_times ? "by time" : "by place in the file, for lack of timestamps",
                  valid > 0 ? ", the one before to validation" : ""));
  return apply_split(all.interactions, split_last(all, valid));
}

void note_held_out(std::string_view name, const Interactions& train, const Interactions& held_out,
                   std::vector<std::string>& notes) {
  const HeldOutSummary summary = summarize_held_out(train, held_out);
  if (held_out.size() == 0) return;
  const auto note = [&](std::string_view what, std::int64_t count) {
    if (count > 0) notes.push_back(fmt::format("{}: {}: {}.", name, what, count));
  };
  note("users without a held-out interaction, who are not evaluated",
       held_out.num_users() - summary.users);
  note("users who are evaluated without a training interaction", summary.users_without_training);
  note("held-out items without a training interaction", summary.items_without_training);
  note("interactions that are in the training split as well, are masked and can never be hit",
       summary.also_in_training);
}

void note_splits(Dataset& data) {
  std::vector<std::string>& notes = data.notes;
  if (data.duplicates > 0) {
    notes.push_back(fmt::format("Repeated interactions left out: {}.", data.duplicates));
  }
  notes.push_back(fmt::format(
      "Users: {}, items: {}; interactions for training: {}, for validation: {}, for testing: {}.",
      data.users.size(), data.items.size(), data.train.size(), data.valid.size(),
      data.test.size()));
  const InteractionsSummary train = summarize(data.train);
  const auto note = [&](std::string_view what, std::int64_t count) {
    if (count > 0) notes.push_back(fmt::format("{}: {}.", what, count));
  };
  note("Users without a training interaction", train.users.empty);
  note("Items without a training interaction", train.items.empty);
  note("Users who have every item in training, so that they have no negatives",
       train.users_with_every_item);
  note_held_out("Validation", data.train, data.valid, notes);
  note_held_out("Test", data.train, data.test, notes);
}

}  // namespace

void check_data_options(const DataOptions& options) {
  Config config;
  config.data = options;
  check_keys(config, "data.");
}

SplitMethod choose_split(const DataOrigin& origin, const DataOptions& options) {
  SplitMethod method = options.split;
  if (method == SplitMethod::kAuto) {
    method = origin.has_held_out() ? SplitMethod::kGiven : SplitMethod::kRandom;
  }
  if (method == SplitMethod::kGiven && !origin.has_held_out()) {
    throw ConfigError(
        fmt::format("{}: data.split is given, but there is neither a test nor a validation set "
                    "beside the training set",
                    origin.place));
  }
  if (method == SplitMethod::kGiven && options.k_core > 1) {
    throw ConfigError(
        fmt::format("{}: data.k_core is {}, but given splits are used as they are; set "
                    "data.split to random, leave-one-out or time to cut anew",
                    origin.place, options.k_core));
  }
  return method;
}

void merge_parts(Pool& pool) {
  PoolPart& all = pool.parts[0];
  for (std::size_t part = 1; part < kSplitParts; ++part) {
    PoolPart other = std::exchange(pool.parts[part], {});
    all.pairs.append(other.pairs);
    all.times.append(other.times);
  }
  if (!pool.has_times) all.times = {};
}

Interactions to_interactions(const Pool& pool, std::size_t part, std::int64_t* duplicates) {
  return Interactions::from_pairs(pool.users.names.size(), pool.items.names.size(),
                                  pool.parts[part].pairs, duplicates);
}

Dataset assemble(Pool& pool, const DataOrigin& origin, const DataOptions& options,
                 std::vector<std::string> notes) {
  const SplitMethod method = choose_split(origin, options);
  Dataset data;
  data.notes = std::move(notes);
  std::array<Interactions, kSplitParts> splits;
  if (method == SplitMethod::kGiven) {
    splits = take_given(pool, origin.has_valid, options, data);
  } else {
    merge_parts(pool);
    if (method == SplitMethod::kTime && !pool.has_times) {
      throw ConfigError(
          fmt::format("{}: data.split is time, but there are no timestamps; a table may "
                      "have them in a column of its own (data.timestamp_column)",
                      origin.place));
    }
    filter_k_core(origin.place, pool, options.k_core, data.notes);
    splits = split_anew(pool, method, options, data);
  }
  data.train = std::move(splits[0]);
  data.valid = std::move(splits[1]);
  data.test = std::move(splits[2]);
  data.users = std::move(pool.users.names);
  data.items = std::move(pool.items.names);
  note_splits(data);
  data.fingerprint = fingerprint(
      std::array<const Interactions*, kSplitParts>{&data.train, &data.valid, &data.test});
  return data;
}

}  // namespace tern
