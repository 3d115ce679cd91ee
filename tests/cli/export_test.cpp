// tern export: three formats of the same numbers.

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
  for (const char* format : {"npy", "safetensors", "text"}) {
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
