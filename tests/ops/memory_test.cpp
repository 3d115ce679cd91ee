#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "tern/error.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/matrices.hpp"

// Matrices, row sets and counters: transfers between host and backend keep the values.
namespace tern::test {
namespace {

class Memory : public BackendTest {};

TEST_P(Memory, AllocatesZeros) {
  for (const auto& [rows, cols] : {std::pair{3, 5}, {1, 1}, {70'000, 2}, {2, 1000}}) {
    const Matrix matrix = backend_.allocate(rows, cols);
    EXPECT_EQ(matrix.rows(), rows);
    EXPECT_EQ(matrix.cols(), cols);
    EXPECT_TRUE(same_bits(values_of(backend_, matrix), Values(std::size_t(rows) * cols, 0)));
  }
}

TEST_P(Memory, AllocatesMatricesWithoutElements) {
  for (const auto& [rows, cols] : {std::pair{0, 0}, {0, 4}, {4, 0}}) {
    Matrix matrix = backend_.allocate(rows, cols);
    EXPECT_FALSE(matrix.empty());
    EXPECT_EQ(matrix.rows(), rows);
    EXPECT_EQ(matrix.cols(), cols);
    backend_.fill(matrix, 1);
    EXPECT_TRUE(values_of(backend_, matrix).empty());
  }
}

TEST_P(Memory, RefusesSizesThatCannotBe) {
  EXPECT_THROW(backend_.allocate(-1, 3), ShapeError);
  EXPECT_THROW(backend_.allocate(3, -1), ShapeError);
  EXPECT_THROW(backend_.allocate(-1, -1), ShapeError);
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  EXPECT_THROW(backend_.allocate(kMax, kMax), DeviceError);
  EXPECT_THROW(backend_.allocate(1, kMax), DeviceError);
  EXPECT_THROW(backend_.allocate(0, kMax), DeviceError);
  EXPECT_THROW(backend_.allocate(kMax / 8, 1), DeviceError);
}

TEST_P(Memory, CarriesValuesThereAndBack) {
  for (const std::int64_t cols : {1, 3, 8, 31, 33, 200}) {
    const Values doubles = random_values(17 * cols, 1);
    const std::vector<float> floats(doubles.begin(), doubles.end());
    Matrix matrix = make_poisoned(backend_, 17, cols);
    backend_.upload(std::span<const double>(doubles), matrix);
    EXPECT_TRUE(same_bits(values_of(backend_, matrix), doubles));
    std::vector<float> got(floats.size());
    backend_.download(matrix, std::span<float>(got));
    EXPECT_EQ(got, floats);

    Matrix other = make_poisoned(backend_, 17, cols);
    backend_.upload(std::span<const float>(floats), other);
    EXPECT_TRUE(same_bits(values_of(backend_, other), doubles));
  }
}

TEST_P(Memory, CarriesSpecialValues) {
  const double infinity = std::numeric_limits<double>::infinity();
  const Values values{infinity, -infinity, std::nan(""), -0.0, 0x1p-126, 0x1.fffffep127};
  EXPECT_TRUE(same_bits(values_of(backend_, make_matrix(backend_, 2, 3, values)), values));
}

TEST_P(Memory, CopiesAndFills) {
  const Values values = random_values(9 * 31, 2);
  Matrix from = make_matrix(backend_, 9, 31, values);
  Matrix to = make_poisoned(backend_, 9, 31);
  backend_.copy(from, to);
  backend_.fill(from, -2.5);
  EXPECT_TRUE(same_bits(values_of(backend_, to), values)) << "a copy has a life of its own";
  EXPECT_TRUE(same_bits(values_of(backend_, from), Values(9 * 31, -2.5)));
  backend_.copy(to, to);
  EXPECT_TRUE(same_bits(values_of(backend_, to), values));
}

TEST_P(Memory, RefusesTransfersThatDoNotFit) {
  Matrix matrix = backend_.allocate(2, 3);
  Matrix flat = backend_.allocate(3, 2);
  Matrix none;
  Matrix foreign = foreign_matrix(2, 3);
  Values values(7);
  const std::span<double> all(values);
  EXPECT_THROW(backend_.upload(std::span<const double>(all), matrix), ShapeError);
  EXPECT_THROW(backend_.upload(std::span<const double>(all.first(5)), matrix), ShapeError);
  EXPECT_THROW(backend_.upload(std::span<const float>{}, matrix), ShapeError);
  EXPECT_THROW(backend_.download(matrix, all), ShapeError);
  EXPECT_THROW(backend_.download(matrix, std::span<float>{}), ShapeError);
  EXPECT_THROW(backend_.upload(std::span<const double>(all.first(6)), foreign), ShapeError);
  EXPECT_THROW(backend_.upload(std::span<const double>{}, none), ShapeError);
  EXPECT_THROW(backend_.download(foreign, all.first(6)), ShapeError);
  EXPECT_THROW(backend_.download(none, std::span<double>{}), ShapeError);
  EXPECT_THROW(backend_.copy(matrix, flat), ShapeError);
  EXPECT_THROW(backend_.copy(matrix, foreign), ShapeError);
  EXPECT_THROW(backend_.copy(foreign, matrix), ShapeError);
  EXPECT_THROW(backend_.copy(none, matrix), ShapeError);
  EXPECT_THROW(backend_.copy(matrix, none), ShapeError);
  EXPECT_THROW(backend_.fill(foreign, 1), ShapeError);
  EXPECT_THROW(backend_.fill(none, 1), ShapeError);
}

TEST_P(Memory, HandlesMoveAndStayEmptyBehind) {
  Matrix matrix = make_matrix(backend_, 1, 2, Values{1, 2});
  const Matrix taken = std::move(matrix);
  EXPECT_TRUE(matrix.empty());  // NOLINT(bugprone-use-after-move): tested here
  EXPECT_TRUE(same_bits(values_of(backend_, taken), {1, 2}));
}

TEST_P(Memory, GraphsKeepTheirSizes) {
  const Graph graph = backend_.make_graph({3, 4, {0, 2, 2, 3}, {1, 3, 0}});
  EXPECT_EQ(graph.num_users(), 3);
  EXPECT_EQ(graph.num_items(), 4);
  EXPECT_EQ(graph.num_nodes(Side::kUser), 3);
  EXPECT_EQ(graph.num_nodes(Side::kItem), 4);
  EXPECT_EQ(graph.size(), 3);
}

TEST_P(Memory, RowSetsHoldEachRowOnce) {
  const std::vector<NodeId> rows{4, 0, 4, 2};
  EXPECT_EQ(members(backend_, backend_.make_row_set(6, rows)), marks(6, rows));
  EXPECT_EQ(members(backend_, backend_.make_row_set(6, {})), marks(6, {}));
  const std::vector<NodeId> many = random_rows(70'001, 3, 0.3);
  EXPECT_EQ(members(backend_, backend_.make_row_set(70'001, many)), marks(70'001, many));
  EXPECT_EQ(backend_.make_row_set(0, {}).num_nodes(), 0);
}

TEST_P(Memory, RowSetsRefuseRowsOutsideTheirNodes) {
  EXPECT_THROW(backend_.make_row_set(6, std::vector<NodeId>{1, 6}), ShapeError);
  EXPECT_THROW(backend_.make_row_set(6, std::vector<NodeId>{-1}), ShapeError);
  EXPECT_THROW(backend_.make_row_set(0, std::vector<NodeId>{0}), ShapeError);
  EXPECT_THROW(backend_.make_row_set(-1, {}), ShapeError);
}

TEST_P(Memory, CountersCount) {
  Counter counter = backend_.make_counter();
  EXPECT_EQ(backend_.get(counter), 0);
  backend_.increment(counter);
  backend_.increment(counter);
  EXPECT_EQ(backend_.get(counter), 2);
  backend_.set(counter, std::int64_t{1} << 40);
  backend_.increment(counter);
  EXPECT_EQ(backend_.get(counter), (std::int64_t{1} << 40) + 1);
  EXPECT_EQ(backend_.get(backend_.make_counter(-7)), -7);

  Counter none;
  Counter foreign(std::make_unique<StrangerStorage>());
  for (Counter* wrong : {&none, &foreign}) {
    EXPECT_THROW(backend_.get(*wrong), ShapeError);
    EXPECT_THROW(backend_.set(*wrong, 1), ShapeError);
    EXPECT_THROW(backend_.increment(*wrong), ShapeError);
  }
}

TEST_P(Memory, SaysWhatItIs) {
  EXPECT_FALSE(backend_.name().empty());
  const DeviceDescription device = backend_.describe();
  EXPECT_FALSE(device.name.empty());
  EXPECT_TRUE(device.precision == "f64" || device.precision == "f32") << device.precision;
}

TEST_P(Memory, TellsHowLongWorkTook) {
  bool ran = false;
  const double seconds = backend_.seconds([&] { ran = true; });
  EXPECT_TRUE(ran);
  EXPECT_GE(seconds, 0);
  EXPECT_TRUE(std::isfinite(seconds));
}

TEST_P(Memory, WrittenAnewAMatrixIsRidOfItsPast) {
  // A non-finite weight turns the zeros of the padding into NaN.
  const Graph graph =
      backend_.make_graph(Interactions::from_pairs(2, 3, std::vector<Interaction>{{0, 0}, {1, 1}}));
  Triplets triplets = backend_.make_triplets(graph, {}, 2);
  backend_.set_triplets(triplets, std::vector<Triplet>{{0, 0, 1}, {1, 1, 2}});
  const double infinity = std::numeric_limits<double>::infinity();
  for (const bool upload : {false, true}) {
    const Matrix users = make_matrix(backend_, 2, 3, Values(6, infinity));
    const Matrix items = make_matrix(backend_, 3, 3, Values(9, 1.0));
    Matrix grad_users = backend_.allocate(2, 3);
    Matrix grad_items = backend_.allocate(3, 3);
    Matrix losses = backend_.allocate(2, 1);
    backend_.bpr(triplets, users, items, grad_users, grad_items, losses);
    ASSERT_TRUE(std::isnan(values_of(backend_, grad_items)[0]));
    if (upload) {
      backend_.upload(std::span<const double>(Values(9, 1.0)), grad_items);
    } else {
      backend_.fill(grad_items, 1.0);
    }
    // Scores are sums over padded rows.
    TopItems top;
    const std::vector<NodeId> first{0};
    backend_.score_topk(grad_items, grad_items, first, {}, 1, top);
    EXPECT_EQ(top.scores[0], 3.0F);
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, Memory, testing::ValuesIn(backends_under_test()), backend_name);

}  // namespace
}  // namespace tern::test
