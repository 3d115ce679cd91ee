// Uses the installed library like any other project: reads a configuration and a table, trains, and
// ranks. It uses every part of the library, so that a dependency missing from the package fails at
// link time.

#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>

#include "tern/config.hpp"
#include "tern/dataset.hpp"
#include "tern/device.hpp"
#include "tern/run.hpp"
#include "tern/tensor_file.hpp"
#include "tern/trainer.hpp"

namespace {

namespace fs = std::filesystem;

// Two groups of users, each with its half of twelve items: a user has all items of its half but one.
void write_table(const fs::path& path) {
  std::ofstream table(path);
  table << "user\titem\n";
  for (int user = 0; user < 24; ++user) {
    for (int item = 0; item < 12; ++item) {
      const bool same_half = user % 2 == item % 2;
      if (same_half && user / 2 != item) table << "u" << user << "\ti" << item << "\n";
    }
  }
}

int train(const fs::path& folder) {
  write_table(folder / "interactions.tsv");
  std::ofstream(folder / "job.toml") << "[model]\nwidth = 8\nlayers = 2\n"
                                        "[train]\nepochs = 30\nevaluate_every = 0\n"
                                        "[optimizer]\nlearning_rate = 0.05\n"
                                        "[evaluation]\nks = [6]\n";
  tern::Config config;
  tern::read_config(config, folder / "job.toml");
  config.metric = "recall@6";
  config.data_path = (folder / "interactions.tsv").string();

  const tern::Dataset data = tern::load_dataset(config.data_path, config.data);
  const auto backend = tern::make_backend("cpu");
  tern::Trainer trainer(*backend, data, config);
  tern::Run run = tern::Run::create(folder / "run", config, data);
  double recall = 0.0;
  tern::TrainerCallbacks callbacks;
  callbacks.on_epoch = [&](const tern::EpochRecord& record) {
    run.append(record);
    if (record.metrics) recall = tern::metric(*record.metrics, "recall@6");
  };
  const tern::TrainingResult result = trainer.run(callbacks);
  run.write_state(trainer.state());
  run.write_embeddings(*backend, trainer.model());
  const tern::Run opened = tern::Run::open(folder / "run");
  const auto tensors = opened.read_checkpoint("last").tensors.size();
  const auto embeddings = opened.read_embeddings("best");

  std::printf("%d epochs, recall@6 %.3f, %zu tensors\n", result.epochs, recall, tensors);
  // The halves are clear: held-out items must rank among the six items of the user's half.
  const bool complete = embeddings && opened.load_data().fingerprint == data.fingerprint;
  return result.epochs == 30 && recall > 0.99 && tensors > 0 && complete ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return argc == 2 ? train(argv[1]) : 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
