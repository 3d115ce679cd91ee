#include "host/train/job_checks.hpp"

#include <fmt/format.h>

#include <set>
#include <string>

#include "host/support/message.hpp"
#include "tern/error.hpp"

namespace tern {

void check_job(const Dataset& data, const Loss* loss) {
  if (loss == nullptr) throw ConfigError("the loss of the trainer is null, expected a loss");
  for (const Interactions* split : {&data.valid, &data.test}) {
    if (split->size() == 0 || (split->num_users() == data.train.num_users() &&
                               split->num_items() == data.train.num_items())) {
      continue;
    }
    throw ShapeError(fmt::format(
        "the data has a training split of {} users and {} items, and another of {} and "
        "{}, expected the same sizes in all",
        data.train.num_users(), data.train.num_items(), split->num_users(), split->num_items()));
  }
}

void check_own_model(Model* model) {
  if (model == nullptr) throw ConfigError("the model of the trainer is null, expected a model");
  std::set<std::string> names;
  for (const Parameter& parameter : model->parameters()) {
    if (parameter.name.empty() || !names.insert(parameter.name).second) {
      throw ConfigError(
          fmt::format("model {}: the name {} of a parameter is empty or occurs twice, expected a "
                      "name for each",
                      model->name(), quote(parameter.name)));
    }
    if (parameter.value == nullptr || parameter.gradient == nullptr ||
        parameter.value->rows() != parameter.gradient->rows() ||
        parameter.value->cols() != parameter.gradient->cols()) {
      throw ShapeError(
          fmt::format("model {}: parameter {} has no value, or no gradient of its shape",
                      model->name(), parameter.name));
    }
  }
}

}  // namespace tern
