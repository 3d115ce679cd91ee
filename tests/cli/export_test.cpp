// tern export: formats of the same numbers.

#include <cmath>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>

#include "tern/tensor_file.hpp"
#include "tests/cli/workspace.hpp"

namespace tern::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class Export : public Workspace {
 protected:
  // Names without spaces, so that all formats can hold them.
  void SetUp() override {
    std::string text = "user\titem\n";
    for (int person = 0; person < 12; ++person) {
      for (int film = 0; film < 10; ++film) {
        if (person % 2 == film % 2) {
          text += "p\xC3\xA9" + std::to_string(person) + "\tf" + std::to_string(film) + "\n";
        }
      }
    }
    write("data/interactions.tsv", text);
    const Outcome outcome =
        run({"train", "data", "--out", "run", "--quiet", "--epochs", "2", "--set", "model.width=3",
             "--set", "evaluation.ks=[2]", "--set", "train.metric=recall@2"});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  }
};

TEST_F(Export, FormatsAgree) {
  for (const char* format : {"npy", "safetensors", "word2vec"}) {
    const Outcome outcome = run({"export", "run", "--to", "out", "--format", format});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_THAT(outcome.out, IsEmpty());
    EXPECT_THAT(outcome.err, HasSubstr("12 users and 10 items"));
  }
  EXPECT_EQ(read("out/users.tsv"), read("run/users.tsv"));
  EXPECT_EQ(read("out/items.tsv"), read("run/items.tsv"));
  const std::vector<std::string> names = lines(read("out/users.tsv"));
  ASSERT_THAT(names, SizeIs(12));

  const Tensor npy = read_npy(path("out/user_embeddings.npy"));
  EXPECT_EQ(npy.shape, (std::vector<std::int64_t>{12, 3}));
  const TensorFile tensors = read_safetensors(path("out/embeddings.safetensors"));
  EXPECT_EQ(tensors.tensors.at("user_embeddings").values, npy.values);
  EXPECT_EQ(tensors.tensors.at("item_embeddings").values,
            read_npy(path("out/item_embeddings.npy")).values);
  EXPECT_EQ(tensors.metadata.at("model"), "lightgcn");

  const std::vector<std::string> text = lines(read("out/user_embeddings.txt"));
  ASSERT_THAT(text, SizeIs(13));
  EXPECT_EQ(text[0], "12 3");
  const auto& values = std::get<std::vector<float>>(npy.values);
  for (std::size_t r = 0; r < 12; ++r) {
    std::istringstream line(text[r + 1]);
    std::string name;
    line >> name;
    EXPECT_EQ(name, names[r]);
    for (std::size_t d = 0; d < 3; ++d) {
      std::string number;
      line >> number;
      EXPECT_EQ(std::stof(number), values[r * 3 + d]);
    }
  }
}

/// The values of an index of faiss with rows of this many columns, behind its 45 bytes.
std::vector<float> index_values(const std::string& bytes, std::int32_t columns) {
  std::int32_t found = 0;
  std::memcpy(&found, bytes.data() + 4, sizeof(found));
  EXPECT_EQ(bytes.substr(0, 4), "IxFI");
  EXPECT_EQ(found, columns);
  std::vector<float> values((bytes.size() - 45) / sizeof(float));
  std::memcpy(values.data(), bytes.data() + 45, bytes.size() - 45);
  return values;
}

TEST_F(Export, AnIndexOfFaissHasTheRowsThatScoresAreProductsOf) {
  ASSERT_EQ(run({"export", "run", "--to", "out", "--quiet"}).exit_code, 0);
  ASSERT_EQ(run({"export", "run", "--to", "out", "--format", "faiss", "--quiet"}).exit_code, 0);
  const Tensor users = read_npy(path("out/user_embeddings.npy"));
  const Tensor items = read_npy(path("out/item_embeddings.npy"));
  EXPECT_EQ(index_values(read("out/user_embeddings.faiss"), 3),
            std::get<std::vector<float>>(users.values));
  EXPECT_EQ(index_values(read("out/item_embeddings.faiss"), 3),
            std::get<std::vector<float>>(items.values));

  // A run that ranks by the cosine: the rows, divided by their length.
  std::string config = read("run/config.toml");
  const std::string line = "score = \"dot\"";
  write("run/config.toml", config.replace(config.find(line), line.size(), "score = \"cosine\""));
  ASSERT_EQ(run({"export", "run", "--to", "out", "--format", "faiss", "--quiet"}).exit_code, 0);
  const std::vector<float> unit = index_values(read("out/item_embeddings.faiss"), 3);
  const auto& values = std::get<std::vector<float>>(items.values);
  ASSERT_THAT(unit, SizeIs(30));
  for (std::size_t row = 0; row < 10; ++row) {
    const float* as_is = values.data() + row * 3;
    const double length = std::hypot(as_is[0], as_is[1], as_is[2]);
    for (std::size_t d = 0; d < 3; ++d) EXPECT_NEAR(unit[row * 3 + d], as_is[d] / length, 1e-6);
  }
}

TEST_F(Export, TheFormerNameOfWord2vecStays) {
  ASSERT_EQ(run({"export", "run", "--to", "a", "--format", "text", "--quiet"}).exit_code, 0);
  ASSERT_EQ(run({"export", "run", "--to", "b", "--format", "word2vec", "--quiet"}).exit_code, 0);
  EXPECT_EQ(read("a/item_embeddings.txt"), read("b/item_embeddings.txt"));
}

TEST_F(Export, Word2vecRefusesAnIdWithASpaceBeforeItWrites) {
  write("data/interactions.tsv", "user\titem\np1\tred wine\np2\tred wine\np1\tbread\np2\tbread\n");
  ASSERT_EQ(
      run({"train", "data", "--out", "wine", "--quiet", "--epochs", "0", "--set", "model.width=3"})
          .exit_code,
      0);
  EXPECT_THAT(run({"export", "wine", "--to", "words", "--format", "word2vec"}),
              FailsAtOnceWith(1, "the id \"red wine\" has a space"));
  EXPECT_FALSE(exists("words"));
}

TEST_F(Export, AScoreIsTheProductOfExportedRows) {
  ASSERT_EQ(run({"export", "run", "--to", "out", "--quiet"}).exit_code, 0);
  const auto users = std::get<std::vector<float>>(read_npy(path("out/user_embeddings.npy")).values);
  const auto items = std::get<std::vector<float>>(read_npy(path("out/item_embeddings.npy")).values);
  const std::vector<std::string> user_names = lines(read("out/users.tsv"));
  const std::vector<std::string> item_names = lines(read("out/items.tsv"));
  const Outcome all = run({"recommend", "run", "--all", "-k", "10", "--include-observed"});
  const std::vector<std::string> rows = lines(all.out);
  ASSERT_THAT(rows, SizeIs(121));
  for (std::size_t i = 1; i < rows.size(); ++i) {
    const std::vector<std::string> row = cells(rows[i]);
    const auto index = [](const std::vector<std::string>& names, const std::string& name) {
      return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
    };
    const std::size_t user = index(user_names, row[0]);
    const std::size_t item = index(item_names, row[2]);
    double score = 0.0;
    for (std::size_t d = 0; d < 3; ++d) {
      score += static_cast<double>(users[user * 3 + d]) * items[item * 3 + d];
    }
    EXPECT_NEAR(std::stod(row[3]), score, 1e-6);
  }
}

TEST_F(Export, RefusesAPlaceThatIsNoDirectoryOrTheRunItself) {
  write("file", "");
  EXPECT_THAT(run({"export", "run", "--to", "file"}), FailsAtOnceWith(1, "file"));
  EXPECT_THAT(run({"export", "run", "--to", "file/below"}), FailsAtOnceWith(1, "file/below"));
  const std::string before = read("run/embeddings.safetensors");
  EXPECT_THAT(run({"export", "run", "--to", "./run", "--format", "safetensors"}),
              FailsAtOnceWith(2, "this is the directory of the run"));
  EXPECT_EQ(read("run/embeddings.safetensors"), before);
}

}  // namespace
}  // namespace tern::test
