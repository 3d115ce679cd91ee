// Whole pages.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "host/support/utf8.hpp"
#include "host/train/fitted_model.hpp"
#include "tern/dataset_builder.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"
#include "tern/recommender.hpp"
#include "tern/report.hpp"
#include "tests/report/markup.hpp"
#include "tests/support/temporary_directory.hpp"

namespace tern::test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// Twenty users, ten items: a user has the items of its half. named: a name for each user and item.
template <typename Named>
Dataset halves_with_test(const Named& named, SplitPart part = SplitPart::kTest) {
  DatasetBuilder builder;
  for (int user = 0; user < 20; ++user) {
    for (int item = 0; item < 10; ++item) {
      if (user % 2 != item % 2) continue;
      const bool held_out = (user / 2 + item / 2) % 5 == 0;
      builder.add(named("u", user), named("i", item),
                  {.part = held_out ? part : SplitPart::kTrain});
    }
  }
  return builder.build();
}

std::string plain(const std::string& kind, int n) {
  return kind + std::to_string(n);
}

class ReportPage : public ::testing::Test {
 protected:
  using Run = tern::Run;  // not googletest's

  ReportPage() {
    config.model.width = 4;
    config.model.layers = 1;
    config.epochs = 5;
    config.evaluation.ks = {2, 3};
    config.metric = "recall@3";
    config.data_path = "films & more";
  }

  /// Trains a run of this name, and gives it some lines of metrics.
  fs::path train(const std::string& name, const Dataset& data) {
    const std::unique_ptr<Backend> backend = make_cpu_backend(1);
    Trainer trainer(*backend, data, config);
    trainer.run();
    Recommender(trainer).save(directory / name);
    directory.write(
        name + "/metrics.jsonl",
        R"({"epoch":1,"loss":0.7,"bpr_loss":0.6,"l2_loss":0.1,"seconds":0.5,"best":true,"recall@3":0.25,"user_mean_norm":1.5,"item_mean_norm":1.25})"
        "\n"
        R"({"epoch":2,"loss":0.5,"bpr_loss":0.4,"l2_loss":0.1,"seconds":0.5,"best":false,"recall@3":0.125,"user_mean_norm":null,"item_mean_norm":1.5,"collapse":["rows <all> alike"]})"
        "\n{\"epoch\":3,\"lo");
    return directory / name;
  }

  static std::string page_of(const std::vector<fs::path>& runs, int threads = 1) {
    return make_report(runs, {.device = "cpu", .threads = threads});
  }

  const TemporaryDirectory directory;
  Config config;
};

TEST_F(ReportPage, HasAllSections) {
  const std::string page = page_of({train("one", halves_with_test(plain))});
  EXPECT_EQ(markup_fault(page), "");
  for (const char* id :
       {"summary", "metrics", "training", "groups", "data", "map", "examples", "settings"}) {
    EXPECT_NE(section_of(page, id), "") << id;
    EXPECT_THAT(page, HasSubstr("href=\"#" + std::string(id) + "\""));
  }
  EXPECT_EQ(section_of(page, "differences"), "");
  EXPECT_LT(page.size(), 1'000'000u);
  // Nothing is loaded from anywhere.
  for (const char* reference : {"http:", "https:", "src=", "url(", "@import", "href=\"/"}) {
    EXPECT_THAT(page, Not(HasSubstr(reference)));
  }
}

TEST_F(ReportPage, ShowsTheEpochsOfTheRun) {
  const std::string training =
      section_of(page_of({train("one", halves_with_test(plain))}), "training");
  EXPECT_THAT(training, HasSubstr("[&quot;one&quot;,[1,2],[0.7,0.5]]"));
  EXPECT_THAT(training, HasSubstr("[&quot;users&quot;,[1],[1.5]]"));  // null is left out
  EXPECT_THAT(training, HasSubstr("[&quot;bpr_loss&quot;,[1,2],[0.6,0.4]]"));
  EXPECT_THAT(training, HasSubstr("epoch 2: rows &lt;all&gt; alike"));
  EXPECT_THAT(training, HasSubstr("metrics.jsonl has 1 damaged lines"));
}

TEST_F(ReportPage, MeasuresAsEvaluateDoes) {
  // A fifth of a user's items is for validation too: they are not ranked.
  DatasetBuilder builder;
  for (int user = 0; user < 20; ++user) {
    for (int item = user % 2; item < 10; item += 2) {
      const int part = (user / 2 + item / 2) % 5;
      builder.add(plain("u", user), plain("i", item),
                  {.part = part == 0   ? SplitPart::kTest
                           : part == 1 ? SplitPart::kValid
                                       : SplitPart::kTrain});
    }
  }
  const Dataset data = builder.build();
  const fs::path run = train("one", data);
  const FinalEmbeddings embeddings = *Run::open(run).read_embeddings("best");
  const std::unique_ptr<Backend> backend = make_cpu_backend(1);
  Matrix users = backend->allocate(20, 4);
  Matrix items = backend->allocate(10, 4);
  backend->upload(std::span<const float>(std::get<std::vector<float>>(embeddings.users.values)),
                  users);
  backend->upload(std::span<const float>(std::get<std::vector<float>>(embeddings.items.values)),
                  items);
  const Graph train = backend->make_graph(data.train);
  const Graph valid = backend->make_graph(data.valid);
  const std::vector<const Graph*> observed{&train, &valid};
  const Metrics expected = evaluate(*backend, users, items, observed, data.test, config.evaluation);
  const std::string metrics = section_of(page_of({run}), "metrics");
  for (const auto& [name, value] : expected) {
    if (name == "users") continue;
    const std::size_t row = metrics.find("<th scope=\"row\">" + name + "</th><td");
    ASSERT_NE(row, std::string::npos) << name;
    const std::string cell = metrics.substr(metrics.find('>', metrics.find("<td", row)) + 1, 6);
    EXPECT_EQ(cell, fmt::format("{:.4f}", value)) << name;
  }
}

TEST_F(ReportPage, HasTheSameBytesAgain) {
  const Dataset data = halves_with_test(plain);
  config.model.kind = ModelKind::kMatrixFactorization;
  const std::vector<fs::path> runs{train("one", data), train("two", data)};
  const std::string page = page_of(runs, 1);
  EXPECT_EQ(page, page_of(runs, 1));
  EXPECT_EQ(page, page_of(runs, 3));
}

TEST_F(ReportPage, EscapesHostileIds) {
  const std::string hostile = "<script>alert('x')</script>&\"\xE2\x80\xAE";
  const auto named = [&](const std::string& kind, int n) {
    return kind + hostile + std::to_string(n) + std::string(n == 4 ? 5000 : 0, '"');
  };
  config.data_path = "it's <here>";
  const fs::path run = train("run <b>&\"", halves_with_test(named));
  const std::string page = page_of({run});
  EXPECT_EQ(markup_fault(page), "");
  EXPECT_TRUE(is_utf8(page));
  EXPECT_THAT(page, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(page, Not(HasSubstr("<here>")));
  EXPECT_THAT(page, HasSubstr("run &lt;b&gt;&amp;&quot;"));
  EXPECT_THAT(section_of(page, "examples"), HasSubstr("<bdi>i&lt;script&gt;alert(&#39;x"));
  EXPECT_THAT(section_of(page, "settings"),
              HasSubstr("it&#39;\\&#39;&#39;s &lt;here&gt;&#39; \\\n"));
  EXPECT_LT(page.size(), 1'000'000u);
  std::string long_end;  // of an id with 5000 quotes
  for (int i = 0; i < 60; ++i) long_end += "&quot;";
  EXPECT_THAT(page, Not(HasSubstr(long_end)));
}

TEST_F(ReportPage, ComparesRunsUserByUser) {
  const Dataset data = halves_with_test(plain);
  const fs::path first = train("one", data);
  config.model.layers = 0;
  config.epochs = 1;
  config.optimizer.adam.learning_rate = 1e-6;
  const fs::path untrained = train("two", data);
  const std::string page = page_of({first, untrained});
  EXPECT_EQ(markup_fault(page), "");
  const std::string differences = section_of(page, "differences");
  EXPECT_THAT(differences, AllOf(HasSubstr("<bdi>two</bdi> minus <bdi>one</bdi>"),
                                 HasSubstr("ndcg@2"), HasSubstr("95% interval")));
  EXPECT_THAT(differences, Not(HasSubstr("coverage")));  // no user has a coverage
  EXPECT_THAT(section_of(page, "settings"), HasSubstr("class=\"text differs\">1e-6</td>"));
  // A copy of a run differs nowhere.
  fs::copy(first, directory / "copy", fs::copy_options::recursive);
  const std::string same = section_of(page_of({first, directory / "copy"}), "differences");
  EXPECT_THAT(same, HasSubstr("and the same for 100.0%"));
  EXPECT_THAT(same,
              AllOf(HasSubstr("not clear"), Not(HasSubstr("better")), Not(HasSubstr("worse"))));
}

TEST_F(ReportPage, RefusesRunsOfOtherData) {
  const fs::path first = train("one", halves_with_test(plain));
  const auto refusal = [&](const fs::path& other) {
    try {
      page_of({first, other});
    } catch (const DataError& error) {
      return std::string(error.what());
    }
    return std::string("no complaint");
  };
  const fs::path shifted = train("valid", halves_with_test(plain, SplitPart::kValid));
  EXPECT_THAT(refusal(shifted),
              AllOf(HasSubstr(shifted.string() + ": a report compares runs of the same data"),
                    HasSubstr(first.string()),
                    HasSubstr("found 20 users, 10 items, 80 + 20 + 0 interactions"),
                    HasSubstr("has 20 users, 10 items, 80 + 0 + 20")));
  const auto renamed = [](const std::string& kind, int n) { return plain(kind, n == 3 ? 33 : n); };
  EXPECT_THAT(refusal(train("renamed", halves_with_test(renamed))),
              HasSubstr("as many, but with other ids"));
  const auto swapped = [](const std::string& kind, int n) {
    return plain(kind, kind == "i" ? 9 - n : n);
  };
  EXPECT_THAT(refusal(train("swapped", halves_with_test(swapped))), HasSubstr("as many, but"));
}

TEST_F(ReportPage, RefusesNoRunTooManyAndOneTwice) {
  const fs::path run = train("one", halves_with_test(plain));
  EXPECT_THROW(page_of({}), ConfigError);
  EXPECT_THROW(page_of(std::vector<fs::path>(9, run)), ConfigError);
  EXPECT_THROW(page_of({run, directory / "one/../one"}), ConfigError);
  EXPECT_THROW(page_of({directory / "none"}), DataError);
}

TEST_F(ReportPage, ShowsFittedModelsWithoutEpochs) {
  const Dataset data = halves_with_test(plain);
  const fs::path trained = train("trained", data);
  config.model.kind = ModelKind::kEase;
  {
    Run run = Run::create(directory / "ease", config, data);
    run.write_fitted(fit_model(data, config)->take_arrays());
  }
  const std::string page = page_of({directory / "ease"});
  EXPECT_EQ(markup_fault(page), "");
  EXPECT_THAT(section_of(page, "summary"), HasSubstr("ease, fitted without training"));
  EXPECT_THAT(section_of(page, "training"), HasSubstr("it has no epochs"));
  EXPECT_EQ(section_of(page, "map"), "");
  EXPECT_NE(section_of(page, "examples"), "");
  const std::string both = page_of({directory / "ease", trained});
  EXPECT_EQ(markup_fault(both), "");
  EXPECT_NE(section_of(both, "differences"), "");
  EXPECT_NE(section_of(both, "map"), "");
}

// A curve's colour alone does not say whose it is.
TEST_F(ReportPage, NamesTheOnlyRunWithCurves) {
  const Dataset data = halves_with_test(plain);
  const fs::path trained = train("trained", data);
  config.model.kind = ModelKind::kEase;
  {
    Run run = Run::create(directory / "ease", config, data);
    run.write_fitted(fit_model(data, config)->take_arrays());
  }
  const auto loss_of = [](const std::string& page) {
    const std::size_t begin = page.find("<h3>Training loss</h3>");
    return page.substr(begin, page.find("</figure>", begin) - begin);
  };
  EXPECT_THAT(loss_of(page_of({directory / "ease", trained})), HasSubstr("<bdi>trained</bdi>"));
  EXPECT_THAT(loss_of(page_of({trained})), Not(HasSubstr("legend")));
}

TEST_F(ReportPage, NamesADirectoryBesideTheRunToTrainAgain) {
  const fs::path run = train("one", halves_with_test(plain));
  const std::string beside = "--out " + (directory / "one-again").string() + "</pre>";
  for (const fs::path& given : {run, run / "", run / ".", run / "../one"}) {
    EXPECT_THAT(section_of(page_of({given}), "settings"), HasSubstr(beside)) << given;
  }
}

TEST_F(ReportPage, ShowsARunWithoutACheckpoint) {
  const Dataset data = halves_with_test(plain);
  { const Run begun = Run::create(directory / "begun", config, data); }
  const std::string page = page_of({directory / "begun"});
  EXPECT_EQ(markup_fault(page), "");
  EXPECT_THAT(section_of(page, "summary"), HasSubstr("no checkpoint yet"));
  EXPECT_THAT(section_of(page, "training"), HasSubstr("no finished epoch yet"));
  EXPECT_NE(section_of(page, "data"), "");
  EXPECT_EQ(section_of(page, "examples"), "");
}

TEST_F(ReportPage, MeasuresOnTheValidationSplitWithoutATest) {
  const std::string page = page_of({train("one", halves_with_test(plain, SplitPart::kValid))});
  EXPECT_THAT(section_of(page, "metrics"), HasSubstr("of the validation split"));
  // The best epoch was chosen on it too.
  EXPECT_THAT(section_of(page, "summary"), HasSubstr("the figures are optimistic"));
  EXPECT_THAT(section_of(page_of({train("tested", halves_with_test(plain))}), "summary"),
              Not(HasSubstr("optimistic")));
  DataOptions options;
  options.test_fraction = 0.0;
  options.valid_fraction = 0.0;
  DatasetBuilder builder(options);
  for (int i = 0; i < 20; ++i) builder.add(plain("u", i % 6), plain("i", i % 5));
  const std::string nothing = page_of({train("nothing", builder.build())});
  EXPECT_EQ(markup_fault(nothing), "");
  EXPECT_EQ(section_of(nothing, "metrics"), "");
  EXPECT_THAT(section_of(nothing, "summary"), HasSubstr("Nothing is held out"));
}

TEST_F(ReportPage, OpensRunsOfVersion01) {
  const fs::path fixtures = fs::path(TERN_TEST_DATA) / "../run/fixtures";
  for (const char* model : {"lightgcn", "mf", "gcmc"}) {
    // Their data is where they were made: beside them.
    fs::create_directories(directory / "old");
    fs::copy(fixtures / model, directory / "old" / model, fs::copy_options::recursive);
    Config old = Run::open(directory / "old" / model).config();
    old.data_path = (fixtures / "data").string();
    directory.write(std::string("old/") + model + "/config.toml", write_config(old));
    const std::string page = page_of({directory / "old" / model});
    EXPECT_EQ(markup_fault(page), "") << model;
    EXPECT_NE(section_of(page, "training"), "") << model;
    EXPECT_NE(section_of(page, "metrics"), "") << model;
    EXPECT_THAT(section_of(page, "settings"), HasSubstr("not recorded")) << model;
  }
}

}  // namespace
}  // namespace tern::test
