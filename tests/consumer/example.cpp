#include <cstdio>

#include "tern/dataset.hpp"
#include "tern/device.hpp"
#include "tern/trainer.hpp"

int main(int, char** arguments) {
  const tern::Dataset data = tern::load_dataset(arguments[1]);
  const auto backend = tern::make_backend("auto");  // a GPU where there is one
  tern::Config config;
  config.epochs = 20;
  const tern::TrainingResult result = tern::Trainer(*backend, data, config).run();
  std::printf("%s %.3f, epoch %d\n", config.metric.c_str(), result.best_metric, result.best_epoch);
}
