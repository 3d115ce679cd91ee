#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/train/parameters.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"
#include "tern/run.hpp"
#include "tests/support/matrices.hpp"
#include "tests/train/planted.hpp"

namespace tern::test {
namespace {

using ::testing::HasSubstr;

class ParametersTest : public ::testing::Test {
 protected:
  /// What loading complains about.
  std::string complaint(const TensorFile& file) {
    try {
      load_parameters(*backend, *model, file);
    } catch (const DataError& error) {
      return error.what();
    }
    return "no complaint";
  }

  std::unique_ptr<Backend> backend = make_reference_backend();
  Graph graph = backend->make_graph(planted_dataset(12, 40).train);
  Triplets none;
  std::unique_ptr<Model> model = make_model(*backend, graph, none, planted_config().model);
};

TEST_F(ParametersTest, ASnapshotComesBackBitForBit) {
  model->initialize(Seed{3});
  // Numbers that f32 cannot hold: the reference's own precision must be kept.
  Values values = values_of(*backend, *model->parameters()[0].value);
  for (double& value : values) value /= 3.0;
  backend->upload(std::span<const double>(values), *model->parameters()[0].value);
  const TensorFile file = snapshot(*backend, *model);
  EXPECT_EQ(file.tensors.size(), 2u);
  EXPECT_EQ(file.tensors.at("item_embedding").shape, (std::vector<std::int64_t>{40, 8}));
  model->initialize(Seed{4});
  load_parameters(*backend, *model, file);
  EXPECT_EQ(values_of(*backend, *model->parameters()[0].value), values);
}

TEST_F(ParametersTest, SinglePrecisionIsAccepted) {
  TensorFile file = snapshot(*backend, *model);
  file.tensors["item_embedding"].values = std::vector<float>(320, 0.5F);
  load_parameters(*backend, *model, file);
  EXPECT_EQ(values_of(*backend, *model->parameters()[1].value), Values(320, 0.5));
}

TEST_F(ParametersTest, RefusesWhatDoesNotFitTheModel) {
  const TensorFile good = snapshot(*backend, *model);
  TensorFile file = good;
  file.tensors.erase("item_embedding");
  EXPECT_THAT(complaint(file), HasSubstr("item_embedding is missing"));
  file = good;
  file.tensors["extra"] = {{1}, std::vector<float>{1.0F}};
  EXPECT_THAT(complaint(file), HasSubstr("extra is no parameter of lightgcn"));
  file = good;
  file.tensors["user_embedding"] = {{8, 12}, std::vector<float>(96)};
  EXPECT_THAT(complaint(file), HasSubstr("user_embedding has shape (8, 12), expected (12, 8)"));
  file = good;
  file.tensors["user_embedding"] = {{12, 8}, std::vector<std::int32_t>(96)};
  EXPECT_THAT(complaint(file), HasSubstr("user_embedding holds integers"));
}

}  // namespace
}  // namespace tern::test
