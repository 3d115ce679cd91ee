// The final embeddings that a run holds: those of its best checkpoint, or none.

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "tern/device.hpp"
#include "tern/model.hpp"
#include "tests/run/run_fixture.hpp"

namespace tern::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class StoredEmbeddings : public RunTest {
 protected:
  StoredEmbeddings() { config.model.kind = ModelKind::kLightGcn; }

  /// A model with parameters of this seed.
  std::unique_ptr<Model> model(std::uint64_t seed) {
    auto made = make_model(*backend, graph, no_triplets, config.model);
    made->initialize(Seed{seed});
    return made;
  }
  TensorFile parameters(std::uint64_t seed) {
    const auto made = model(seed);
    TensorFile file;
    for (const Parameter& parameter : made->parameters()) {
      file.tensors[parameter.name] = downloaded(*parameter.value);
    }
    return file;
  }
  Tensor downloaded(const Matrix& matrix) {
    std::vector<float> values(static_cast<std::size_t>(matrix.size()));
    backend->download(matrix, std::span<float>(values));
    return {{matrix.rows(), matrix.cols()}, std::move(values)};
  }
  void expect_of_seed(const std::optional<FinalEmbeddings>& found, std::uint64_t seed) {
    ASSERT_TRUE(found.has_value());
    const auto made = model(seed);
    made->embed();
    EXPECT_EQ(found->users.values, downloaded(made->embeddings(Side::kUser)).values);
    EXPECT_EQ(found->items.values, downloaded(made->embeddings(Side::kItem)).values);
  }
  TrainingState state_of(std::uint64_t seed, int epoch, int best) {
    TrainingState state = some_state(epoch, 0, best);
    state.tensors = parameters(seed).tensors;
    return state;
  }

  const std::unique_ptr<Backend> backend = make_cpu_backend(1);
  const Graph graph = backend->make_graph(data.train);
  const Triplets no_triplets;
  const fs::path file = path / "embeddings.safetensors";
};

TEST_F(StoredEmbeddings, AreThoseOfTheBestCheckpoint) {
  Run run = create();
  EXPECT_FALSE(run.read_embeddings("best").has_value());  // there is no checkpoint either
  run.write_best(parameters(1), 1, 1);
  run.write_state(state_of(2, 2, 1));
  EXPECT_FALSE(run.read_embeddings("best").has_value());
  run.write_embeddings(*backend, *model(3));
  const std::optional<FinalEmbeddings> found = Run::open(path).read_embeddings("best");
  expect_of_seed(found, 1);
  EXPECT_EQ(found->epoch, 1);
  EXPECT_FALSE(run.read_embeddings("last").has_value());
  EXPECT_THROW(run.read_embeddings("other"), Error);
}

TEST_F(StoredEmbeddings, OfALastStateThatIsTheBestServeBoth) {
  Run run = create();
  run.write_state(state_of(1, 2, 0));
  run.write_embeddings(*backend, *model(3));
  for (const char* name : {"best", "last"}) {
    expect_of_seed(run.read_embeddings(name), 1);
    EXPECT_EQ(run.read_embeddings(name)->epoch, 2);
  }
}

TEST_F(StoredEmbeddings, OfAFormerBestAreNotUsed) {
  Run run = create();
  run.write_best(parameters(1), 1, 1);
  run.write_state(state_of(1, 1, 1));
  run.write_embeddings(*backend, *model(3));
  run.write_best(parameters(2), 2, 2);  // training goes on
  EXPECT_FALSE(run.has_embeddings("best"));
  EXPECT_FALSE(run.read_embeddings("best").has_value());
  run.write_state(state_of(2, 2, 2));
  EXPECT_FALSE(run.has_embeddings("best"));
  run.write_embeddings(*backend, *model(3));
  expect_of_seed(run.read_embeddings("best"), 2);
}

TEST_F(StoredEmbeddings, SufficeWithoutCheckpoints) {
  Run run = create();
  run.write_best(parameters(1), 1, 1);
  run.write_state(state_of(2, 2, 1));
  run.write_embeddings(*backend, *model(3));
  fs::remove_all(path / "checkpoints");
  expect_of_seed(Run::open(path).read_embeddings("best"), 1);
  EXPECT_THAT(complaint([&] { run.read_embeddings("last"); }), HasSubstr("no checkpoint is there"));
  // Training that starts again makes them those of nothing.
  run.forget_after({});
  EXPECT_FALSE(fs::exists(file));
}

TEST_F(StoredEmbeddings, ThatAreDamagedAreNamed) {
  Run run = create();
  run.write_best(parameters(1), 1, 1);
  run.write_embeddings(*backend, *model(3));
  const std::string bytes = read_text(file);
  const auto complaint_about = [&](const std::string& text) {
    write_text(file, text);
    return complaint([&] { run.read_embeddings("best"); });
  };
  std::string changed = bytes;
  changed.back() = static_cast<char>(changed.back() ^ 1);
  EXPECT_THAT(complaint_about(changed), AllOf(HasSubstr(file.string()), HasSubstr("damaged")));
  EXPECT_THAT(complaint_about(bytes.substr(0, bytes.size() / 2)), HasSubstr(file.string()));
  // Another run's, whose training ended with the same parameters.
  write_text(folder / "data/test.txt", "1 3\n2 3\n");
  data = load_dataset(config.data_path, config.data);
  Run other = Run::create(folder / "runs/second", config, data);
  other.write_best(parameters(1), 1, 1);
  other.write_embeddings(*backend, *model(3));
  fs::remove_all(path / "checkpoints");
  EXPECT_THAT(complaint_about(read_text(folder / "runs/second/embeddings.safetensors")),
              HasSubstr("data_fingerprint is"));
}

TEST_F(StoredEmbeddings, KeepThePrecisionOfTheBackend) {
  const auto reference = make_reference_backend();
  const Graph exact = reference->make_graph(data.train);
  const auto made = make_model(*reference, exact, no_triplets, config.model);
  Run run = create();
  run.write_best(parameters(1), 1, 1);
  run.write_embeddings(*reference, *made);
  const std::optional<FinalEmbeddings> found = run.read_embeddings("best");
  ASSERT_TRUE(found.has_value());
  EXPECT_TRUE(std::holds_alternative<std::vector<double>>(found->users.values));
}

}  // namespace
}  // namespace tern::test
