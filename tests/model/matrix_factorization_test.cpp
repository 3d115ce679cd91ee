#include <gtest/gtest.h>

#include "host/loss/bpr_loss.hpp"
#include "tern/device.hpp"
#include "tests/model/model_fixture.hpp"

namespace tern::test {
namespace {

class MatrixFactorizationTest : public ::testing::Test {
 protected:
  const Interactions interactions = with_isolated_nodes(14, 11, 40, 3);
  ModelFixture f{make_reference_backend(), interactions,
                 model_options(ModelKind::kMatrixFactorization, 5, 3), 6};
};

TEST_F(MatrixFactorizationTest, FinalEmbeddingsAreTheParameters) {
  EXPECT_EQ(f.model->name(), "mf");
  ASSERT_EQ(f.model->parameters().size(), 2u);
  f.model->embed();
  f.model->forward();
  for (const Side side : {Side::kUser, Side::kItem}) {
    const Parameter& parameter = f.model->parameters()[static_cast<std::size_t>(side)];
    EXPECT_EQ(parameter.name, side == Side::kUser ? "user_embedding" : "item_embedding");
    EXPECT_EQ(&f.model->embeddings(side), parameter.value);
    EXPECT_EQ(&f.model->penalized(side), parameter.value);
    EXPECT_EQ(parameter.value->rows(), f.graph.num_nodes(side));
    EXPECT_EQ(parameter.rows, &f.triplets.rows(side));
  }
}

TEST_F(MatrixFactorizationTest, EqualsLightGcnWithoutLayersAtTheBatch) {
  ModelFixture g(make_reference_backend(), interactions, model_options(ModelKind::kLightGcn, 5, 0),
                 6);
  for (ModelFixture* fixture : {&f, &g}) {
    fixture->model->forward();
    Batch batch(*fixture->backend, fixture->triplets);
    BprLoss(*fixture->backend, 0.1).backward(*fixture->model, batch, fixture->losses);
  }
  EXPECT_EQ(values_of(*f.backend, f.losses), values_of(*g.backend, g.losses));
  EXPECT_EQ(g.model->parameters()[0].rows, nullptr);
  // The other rows of both gradients still have their initial zeros.
  EXPECT_EQ(values_of(*f.backend, *f.model->parameters()[1].gradient),
            values_of(*g.backend, *g.model->parameters()[1].gradient));
}

TEST_F(MatrixFactorizationTest, EmbedsWithoutTriplets) {
  const Triplets none;
  const auto model =
      make_model(*f.backend, f.graph, none, model_options(ModelKind::kMatrixFactorization, 5, 0));
  model->initialize(Seed{7});
  model->embed();
  EXPECT_EQ(values_of(*f.backend, model->embeddings(Side::kUser)), f.embeddings(Side::kUser));
  EXPECT_EQ(model->parameters()[0].rows, nullptr);
}

}  // namespace
}  // namespace tern::test
