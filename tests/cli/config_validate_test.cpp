// Checks of a whole configuration: values that are in range, but not together.

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tern/config.hpp"
#include "tern/error.hpp"

namespace tern::test {
namespace {

TEST(Validate, RefusesLossesOverSamplesThatCannotBe) {
  const auto refusal = [](const std::vector<std::pair<const char*, const char*>>& settings) {
    Config config;
    for (const auto& [key, value] : settings) set_config(config, key, value);
    try {
      validate(config);
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(refusal({{"loss.kind", "softmax"},
                     {"loss.negatives", "sampled"},
                     {"loss.popularity_correction", "0.5"}}),
            "loss.popularity_correction: found 0.5, but loss.negatives = \"sampled\" corrects for "
            "nothing: set it to 0");
  EXPECT_EQ(refusal({{"loss.kind", "ccl"}, {"loss.popularity_correction", "0.5"}}),
            "loss.popularity_correction: found 0.5, but loss.kind = \"ccl\" corrects for nothing: "
            "set it to 0");
  EXPECT_EQ(refusal({{"loss.kind", "sl@k"},
                     {"loss.negatives", "sampled"},
                     {"loss.popularity_correction", "0.5"}}),
            "loss.popularity_correction: found 0.5, but loss.negatives = \"sampled\" corrects for "
            "nothing: set it to 0");
  for (const char* kind : {"softmax", "sl@k"}) {
    EXPECT_EQ(refusal({{"loss.kind", kind}, {"loss.popularity_correction", "0.5"}}), "");
    EXPECT_EQ(refusal({{"loss.kind", kind},
                       {"loss.negatives", "mixed"},
                       {"loss.popularity_correction", "0.5"}}),
              "");
  }
  EXPECT_EQ(
      refusal({{"loss.kind", "ccl"},
               {"train.batch_size", "1073742"},
               {"sampling.negatives_per_positive", "1000"}}),
      "train.batch_size: found 1073742 pairs with sampling.negatives_per_positive = 1000 each, "
      "expected a product of at most 1073741823");
  EXPECT_EQ(
      refusal({{"loss.kind", "softmax"},
               {"loss.negatives", "mixed"},
               {"train.batch_size", "1073742"},
               {"sampling.negatives_per_positive", "1000"}}),
      "train.batch_size: found 1073742 pairs with sampling.negatives_per_positive = 1000 each, "
      "expected a product of at most 1073741823");
  EXPECT_EQ(refusal({{"loss.kind", "ccl"},
                     {"train.batch_size", "1073741"},
                     {"sampling.negatives_per_positive", "1000"}}),
            "");
  EXPECT_EQ(refusal({{"loss.kind", "bpr"},
                     {"train.batch_size", "1073742"},
                     {"sampling.negatives_per_positive", "1000"}}),
            "");
}

}  // namespace
}  // namespace tern::test
