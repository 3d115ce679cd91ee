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
  /// The message of the error that loading throws.
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

TEST_F(ParametersTest, RunningStatisticsAreAmongThem) {
  const Dataset data = planted_dataset_for(ModelKind::kGcMc, 12, 40);
  const ModelOptions options = planted_config(ModelKind::kGcMc).model;
  const auto gcmc = make_model(*backend, graph, none, options, features_for(data, options).view());
  gcmc->initialize(Seed{3});
  const std::vector<NamedBuffer> buffers = gcmc->buffers();
  ASSERT_EQ(buffers.size(), 8u);  // mean and variance of two sides and two layers
  double value = 0.0;
  for (const NamedBuffer& buffer : buffers) backend->fill(*buffer.value, value += 1.0 / 3.0);
  const TensorFile file = snapshot(*backend, *gcmc);
  EXPECT_EQ(file.tensors.size(), gcmc->parameters().size() + 8);
  gcmc->initialize(Seed{3});
  EXPECT_NE(values_of(*backend, *buffers[0].value), Values(6, 1.0 / 3.0));
  load_parameters(*backend, *gcmc, file);
  value = 0.0;
  for (const NamedBuffer& buffer : buffers) {
    value += 1.0 / 3.0;
    EXPECT_EQ(values_of(*backend, *buffer.value),
              Values(static_cast<std::size_t>(buffer.value->cols()), value))
        << buffer.name;
  }
  TensorFile without = file;
  without.tensors.erase(buffers[7].name);
  EXPECT_THROW(load_parameters(*backend, *gcmc, without), DataError);
  // A model without them takes none.
  EXPECT_TRUE(model->buffers().empty());
  TensorFile more = snapshot(*backend, *model);
  more.tensors[buffers[0].name] = file.tensors.at(buffers[0].name);
  EXPECT_THAT(complaint(more), HasSubstr("is not a parameter of lightgcn"));
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
  EXPECT_THAT(complaint(file), HasSubstr("extra is not a parameter of lightgcn"));
  file = good;
  file.tensors["user_embedding"] = {{8, 12}, std::vector<float>(96)};
  EXPECT_THAT(complaint(file), HasSubstr("user_embedding has shape (8, 12), expected (12, 8)"));
  file = good;
  file.tensors["user_embedding"] = {{12, 8}, std::vector<std::int32_t>(96)};
  EXPECT_THAT(complaint(file), HasSubstr("user_embedding holds integers"));
}

}  // namespace
}  // namespace tern::test
