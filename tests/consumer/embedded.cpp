// A program that embeds Tern: data from memory, training that can be cancelled, lists, save and load.
#include <chrono>
#include <cstdio>
#include <string>

#include "tern/tern.hpp"

int main(int, char** arguments) try {
  tern::DatasetBuilder builder;
  for (int user = 0; user < 40; ++user) {
    for (int item = user % 2; item < 30; item += 2) {  // two tastes: even items and odd ones
      if ((user * 7 + item * 3) % 5 != 0) {
        builder.add("user-" + std::to_string(user), "item-" + std::to_string(item));
      }
    }
  }
  const tern::Dataset data = builder.build();  // split at random: 80 : 20, a tenth for validation

  tern::Config config;
  config.epochs = 30;
  config.patience = 5;
  config.optimizer.adam.learning_rate = 0.02;
  const auto backend = tern::make_backend("auto");  // a GPU where there is one
  tern::Trainer trainer(*backend, data, config);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(5);
  tern::TrainerCallbacks callbacks;
  callbacks.on_epoch = [](const tern::EpochRecord& record) {
    std::printf("epoch %d, loss %.3f\n", record.epoch, record.loss);
  };
  callbacks.should_stop = [&] { return std::chrono::steady_clock::now() > deadline; };
  trainer.run(callbacks);

  tern::Recommender model(trainer);  // of the best epoch
  model.save(arguments[1]);          // a run, which the program `tern` reads too
  tern::Recommender loaded = tern::Recommender::load(arguments[1]);
  const tern::Recommendations best = loaded.recommend("user-7", {.n = 10});
  for (const auto& [item, score] : best.items) std::printf("%s\t%.4f\n", item.c_str(), score);
  return best.items == model.recommend("user-7", {.n = 10}).items ? 0 : 1;
} catch (const tern::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
