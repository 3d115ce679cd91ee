// Guarantees of the CUDA backend besides its results: padding that stays zero, memory that is
// freed, recorded steps that follow changes and refuse forbidden calls.
#include "cuda/backend.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "simt/runtime/device.hpp"
#include "tern/error.hpp"
#include "tern/plugin.hpp"
#include "tests/simt_backend/simt_backend.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/graphs.hpp"
#include "tests/support/matrices.hpp"

extern "C" const tern::Plugin* tern_plugin();

namespace tern::test {
namespace {

constexpr SimtOptions kEveryForm[] = {kPlainSimt, kLateSimt, kFusedSimt};

/// Whether the padding of every row is zero. The memory of an emulated device is the host's.
bool padding_is_zero(Backend& backend, const Matrix& matrix) {
  backend.synchronize();
  const MatrixView<float> v = cuda::view(matrix);
  for (std::int64_t r = 0; r < v.rows; ++r) {
    for (std::int64_t c = v.cols; c < v.stride; ++c) {
      if (v(r, c) != 0.0F) return false;
    }
  }
  return true;
}

TEST(SimtPadding, StaysZeroWhateverAnOpWrites) {
  const Interactions interactions = random_interactions(30, 20, 0.3, 1);
  for (const SimtOptions& form : kEveryForm) {
    const auto owned = make_simt_backend(form);
    Backend& backend = *owned;
    const Graph graph = backend.make_graph(interactions);
    Triplets triplets = backend.make_triplets(graph, {}, 50);
    backend.sample(triplets, 0);
    const Counter step = backend.make_counter(1);
    for (const std::int64_t width : {1, 2, 3, 5, 31, 33, 130}) {
      const auto expect_zero = [&](const Matrix& matrix, const char* what) {
        EXPECT_TRUE(padding_is_zero(backend, matrix)) << what << ", D " << width;
      };
      const Matrix users = make_matrix(backend, 30, width, random_values(30 * width, 1));
      const Matrix items = make_matrix(backend, 20, width, random_values(20 * width, 2));
      expect_zero(users, "upload");
      Matrix grad_users = make_poisoned(backend, 30, width);
      Matrix grad_items = make_poisoned(backend, 20, width);
      expect_zero(grad_users, "fill");
      Matrix losses = make_poisoned(backend, 2, triplets.num_batches());
      backend.propagate(graph, Side::kUser, items, grad_users, {.addend = &users, .scale = 2});
      expect_zero(grad_users, "propagate");
      backend.copy(items, grad_items);
      expect_zero(grad_items, "copy");
      backend.bpr(triplets, users, items, grad_users, grad_items, losses);
      backend.l2_penalty(triplets, 0.1, users, items, grad_users, grad_items, losses);
      expect_zero(grad_users, "gradient of users");
      expect_zero(grad_items, "gradient of items");
      expect_zero(losses, "losses");
      backend.in_batch_softmax(triplets, {}, users, items, grad_users, grad_items, losses);
      expect_zero(grad_users, "softmax gradient of users");
      expect_zero(grad_items, "softmax gradient of items");
      backend.alignment_uniformity(triplets, {}, users, items, grad_users, grad_items, losses);
      expect_zero(grad_users, "alignment gradient of users");
      expect_zero(grad_items, "alignment gradient of items");
      for (const auto kind :
           {SampledContrastKind::kSoftmax, SampledContrastKind::kCosineContrastive}) {
        backend.sampled_contrast(triplets, {.kind = kind}, users, items, grad_users, grad_items,
                                 losses);
        expect_zero(grad_users, "contrast gradient of users");
        expect_zero(grad_items, "contrast gradient of items");
      }
      // Without ε an element of the padding would be 0 / 0.
      AdamState adam{backend.allocate(30, width), backend.allocate(30, width)};
      Matrix parameter = make_matrix(backend, 30, width, random_values(30 * width, 3));
      const AdamOptions options{.epsilon = 0, .weight_decay = 0.1};
      backend.adam(options, step, users, parameter, adam);
      adam.row_steps = backend.make_row_steps(30);
      backend.adam(options, step, users, parameter, adam, &triplets.rows(Side::kUser));
      backend.adam_catch_up(options, step, parameter, adam);
      expect_zero(parameter, "adam");
      expect_zero(adam.first_moment, "first moment");
      expect_zero(adam.second_moment, "second moment");
      SgdState sgd{backend.allocate(30, width)};
      backend.sgd({.momentum = 0.9, .weight_decay = 0.1}, step, users, parameter, sgd);
      expect_zero(parameter, "sgd");
      expect_zero(sgd.velocity, "velocity");
    }
  }
}

/// A graph whose first user has more neighbours than one block sums.
Interactions with_long_row() {
  std::vector<Interaction> pairs;
  for (NodeId item = 0; item < 5000; ++item) pairs.push_back({0, item});
  return Interactions::from_pairs(2, 5000, pairs);
}

Values propagated(Backend& backend, const Graph& graph, const Matrix& x) {
  Matrix y = make_poisoned(backend, 2, x.cols());
  backend.propagate(graph, Side::kUser, x, y);
  return values_of(backend, y);
}

TEST(SimtRecording, OutlivesAWorkspaceThatGrows) {
  for (const SimtOptions& form : kEveryForm) {
    const auto backend = make_simt_backend(form);
    const Graph graph = backend->make_graph(with_long_row());
    const Matrix narrow = make_matrix(*backend, 5000, 4, random_values(5000 * 4, 1));
    const Matrix wide = make_matrix(*backend, 5000, 64, random_values(5000 * 64, 2));
    Matrix y = make_poisoned(*backend, 2, 4);
    const auto recording =
        backend->record([&] { backend->propagate(graph, Side::kUser, narrow, y); });
    recording->replay();
    recording->replay();  // captured: the graph holds the workspace's address
    const Values expected = values_of(*backend, y);
    propagated(*backend, graph, wide);
    backend->fill(y, NAN);
    recording->replay();
    EXPECT_TRUE(same_bits(values_of(*backend, y), expected));
  }
}

TEST(SimtRecording, RefusesToGrowAWorkspaceWhileItCaptures) {
  const auto backend = make_simt_backend();
  const Graph graph = backend->make_graph(with_long_row());
  const Matrix narrow = make_matrix(*backend, 5000, 4, random_values(5000 * 4, 1));
  const Matrix wide = make_matrix(*backend, 5000, 64, random_values(5000 * 64, 2));
  Matrix narrow_y = make_poisoned(*backend, 2, 4);
  Matrix wide_y = make_poisoned(*backend, 2, 64);
  bool first = true;
  const auto recording = backend->record([&] {
    backend->propagate(graph, Side::kUser, first ? narrow : wide, first ? narrow_y : wide_y);
    first = false;
  });
  recording->replay();
  EXPECT_THROW(recording->replay(), ShapeError);
  EXPECT_FALSE(std::isnan(propagated(*backend, graph, wide)[0])) << "the backend goes on";
}

TEST(SimtRecording, RefusesWhatAStepMustNotDo) {
  for (const SimtOptions& form : kEveryForm) {
    const auto owned = make_simt_backend(form);
    Backend& backend = *owned;
    const Interactions interactions = random_interactions(6, 5, 0.5, 1);
    const Graph graph = backend.make_graph(interactions);
    Triplets triplets = backend.make_triplets(graph, {}, 4);
    backend.sample(triplets, 0);
    const std::vector<Triplet> drawn = backend.get_triplets(triplets);
    Counter counter = backend.make_counter();
    Matrix matrix = backend.allocate(6, 5);
    Values doubles(30);
    std::vector<float> floats(30);
    TopItems top;
    const std::vector<NodeId> queries{0};
    const std::function<void()> forbidden[] = {
        [&] { backend.allocate(1, 1); },
        [&] { backend.make_dense_state(1, 1); },
        [&] { backend.upload(std::span<const double>(doubles), matrix); },
        [&] { backend.upload(std::span<const float>(floats), matrix); },
        [&] { backend.download(matrix, std::span<double>(doubles)); },
        [&] { backend.download(matrix, std::span<float>(floats)); },
        [&] { backend.make_graph(interactions); },
        [&] { backend.make_row_set(3, {}); },
        [&] { backend.make_counter(); },
        [&] { backend.set(counter, 1); },
        [&] { backend.get(counter); },
        [&] { backend.synchronize(); },
        [&] { backend.seconds([] {}); },
        [&] { backend.record([] {}); },
        [&] { backend.make_triplets(graph, {}, 4); },
        [&] { backend.sample(triplets, 1); },
        [&] { backend.set_triplets(triplets, drawn); },
        [&] { backend.get_triplets(triplets); },
        [&] { backend.score_topk(matrix, matrix, queries, {}, 1, top); },
        [&] { backend.embedding_statistics(matrix); },
    };
    int number = 0;
    for (const auto& call : forbidden) {
      SCOPED_TRACE("call " + std::to_string(number++));
      int runs = 0;
      bool allowed = true;
      const auto recording = backend.record([&] {
        backend.increment(counter);
        if (++runs == 2 || !allowed) call();
      });
      allowed = true;
      recording->replay();
      EXPECT_THROW(recording->replay(), ShapeError) << "while it captures";
      allowed = false;
      EXPECT_THROW(backend.record([&] { call(); })->replay(), ShapeError) << "at its first run";
    }
    backend.set(counter, 0);
    backend.increment(counter);
    EXPECT_EQ(backend.get(counter), 1) << "nothing is being captured any more";
  }
}

/// Free bytes of a device.
std::size_t free_bytes_of(int device) {
  std::size_t free = 0;
  std::size_t total = 0;
  EXPECT_EQ(cudaSetDevice(device), cudaSuccess);
  EXPECT_EQ(cudaMemGetInfo(&free, &total), cudaSuccess);
  EXPECT_EQ(cudaSetDevice(0), cudaSuccess);
  return free;
}
std::size_t free_bytes(SimtDevice device) {
  return free_bytes_of(static_cast<int>(device));
}

TEST(SimtMemory, ComesBackToTheLastByte) {
  for (const SimtOptions& form : kEveryForm) {
    auto backend = make_simt_backend(form);
    const std::size_t before = free_bytes(form.device);
    {
      const Graph graph = backend->make_graph(random_interactions(50, 3000, 0.9, 1));
      Triplets triplets =
          backend->make_triplets(graph, {.negatives = NegativeSampling::kPopularity}, 500);
      backend->sample(triplets, 0);
      backend->set_triplets(triplets, backend->get_triplets(triplets));
      const RowSet rows = backend->make_row_set(50, std::vector<NodeId>{1, 2});
      const Matrix users = backend->allocate(50, 5);
      const Matrix items = backend->allocate(3000, 5);
      Matrix y = backend->allocate(50, 5);
      const auto recording =
          backend->record([&] { backend->propagate(graph, Side::kUser, items, y); });
      for (int i = 0; i < 3; ++i) recording->replay();
      TopItems top;
      backend->score_topk(users, items, std::vector<NodeId>{0, 1, 2}, {}, 2000, top);
      backend->embedding_statistics(items);
      EXPECT_LT(free_bytes(form.device), before);
    }
    backend.reset();
    EXPECT_EQ(free_bytes(form.device), before);
  }
}

TEST(SimtMemory, IsTriedForOnceMoreWhenTheStreamHasFreedIt) {
  simt::set_devices({{.memory_bytes = 1 << 20, .timing = simt::Timing::late}});
  cuda::CudaBackend backend({});
  for (int i = 0; i < 5; ++i) {  // freed, but the stream has not reached the free
    const Matrix matrix = backend.allocate(700, 256, {});
    EXPECT_EQ(matrix.size(), 700 * 256);
  }
  const Matrix most = backend.allocate(700, 256, {});
  try {
    backend.allocate(400, 256, {});
    FAIL() << "there is no room";
  } catch (const DeviceError& error) {
    const std::string what = error.what();
    EXPECT_NE(what.find(std::to_string(400 * 256 * 4)), std::string::npos) << what;
    EXPECT_NE(what.find(std::to_string((1 << 20) - 700 * 256 * 4)), std::string::npos) << what;
  }
  EXPECT_EQ(values_of(backend, most)[0], 0) << "the backend goes on";
}

TEST(SimtDevices, BackendsLiveSideBySide) {
  const auto plain = make_simt_backend({.device = SimtDevice::kPlain});
  const auto late = make_simt_backend({.device = SimtDevice::kLate});
  const Interactions interactions = random_interactions(20, 30, 0.4, 2);
  const Values x = random_values(30 * 7, 1);
  std::vector<Values> results;
  for (Backend* backend : {plain.get(), late.get(), plain.get()}) {
    const Graph graph = backend->make_graph(interactions);
    const Matrix in = make_matrix(*backend, 30, 7, x);
    Matrix out = make_poisoned(*backend, 20, 7);
    backend->propagate(graph, Side::kUser, in, out);
    results.push_back(values_of(*backend, out));
  }
  EXPECT_TRUE(same_bits(results[0], results[1]));
  EXPECT_TRUE(same_bits(results[0], results[2]));
  EXPECT_EQ(plain->name(), "cuda:0");
  EXPECT_EQ(late->name(), "cuda:1");
  EXPECT_EQ(late->describe().name, "Emulated late GPU");
}

/// A backend on device 1 that makes a handle of every kind, and goes while device 0 is current.
void use_every_handle(const cuda::CudaOptions& options) {
  cuda::CudaBackend backend(options);
  const Graph graph = backend.make_graph(random_interactions(20, 30, 0.4, 2));
  const Matrix items = make_matrix(backend, 30, 8, random_values(30 * 8, 1));
  Matrix users = backend.allocate(20, 8, {});
  const auto recording =
      backend.record([&] { backend.propagate(graph, Side::kUser, items, users, {}); });
  for (int i = 0; i < 3; ++i) recording->replay();
  EXPECT_GE(backend.seconds([] {}), 0.0);
  TopItems top;
  backend.score_topk(users, items, std::vector<NodeId>{0}, {}, 2, top);
  const Matrix weight = make_matrix(backend, 8, 8, random_values(8 * 8, 2));
  DenseLayer layer;
  layer.inner.terms = {{&items, &weight}};
  DenseState state = backend.make_dense_state(30, 8);
  Matrix out = backend.allocate(30, 8, {});
  backend.linear_relu_batchnorm(layer, DenseMode::kTraining, state, out);
}

TEST(SimtDevices, HandlesGoOnTheirOwnDevice) {
  simt::set_devices({{}, {.name = "Second"}, {.name = "Poor", .memory_pools = false}});
  for (const int device : {1, 2}) {
    (void)cudaGetLastError();
    use_every_handle({.device = device});
    EXPECT_EQ(cudaGetLastError(), cudaSuccess) << "device " << device;
    int current = -1;
    EXPECT_EQ(cudaGetDevice(&current), cudaSuccess);
    EXPECT_EQ(current, 0);
    EXPECT_EQ(free_bytes_of(device), std::size_t{4} << 30);
  }
}

TEST(SimtDevices, ABackendDescribesItselfWithoutAskingTheDriver) {
  simt::set_devices({{.name = "First"}, {.name = "Second"}});
  const cuda::CudaBackend backend({.device = 1});
  EXPECT_EQ(backend.describe().name, "Second");
  simt::set_devices({{.name = "First"}, {.name = "Another"}});
  EXPECT_EQ(backend.describe().name, "Second");
}

TEST(SimtPlugin, ListsDevicesAndMakesBackends) {
  const Plugin* plugin = tern_plugin();
  ASSERT_STREQ(plugin->abi, kPluginAbi);
  simt::set_devices({});
  std::string problem;
  EXPECT_TRUE(plugin->list_devices(&problem).empty());
  EXPECT_EQ(problem, "CUDA: no driver is installed");
  EXPECT_THROW(plugin->make_backend({}), DeviceError);

  simt::set_devices({{.name = "One"}, {.name = "Two", .multiprocessors = 9}});
  const auto devices = plugin->list_devices(nullptr);
  ASSERT_EQ(devices.size(), 2u);
  EXPECT_EQ(devices[1].name, "Two");
  EXPECT_EQ(devices[1].precision, "f32");
  EXPECT_NE(devices[1].details.find("9 multiprocessors"), std::string::npos) << devices[1].details;
  EXPECT_EQ(plugin->make_backend({.device = 1})->name(), "cuda:1");
  EXPECT_THROW(plugin->make_backend({.device = 2}), DeviceError);
}

}  // namespace
}  // namespace tern::test
