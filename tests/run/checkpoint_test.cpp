// Files of checkpoints: damaged ones are refused as a whole, without allocating what they claim.

#include "host/run/checkpoint.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "tern/error.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/train/job.hpp"

namespace {

std::atomic<std::size_t> largest_request{0};

void* counted(std::size_t size) {
  std::size_t largest = largest_request.load();
  while (size > largest && !largest_request.compare_exchange_weak(largest, size)) {
  }
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

// Replaced for the whole program, so that every allocation is counted. Never inlined: GCC 12 would see
// a free() of what it believes to be from the other operator new.
void* operator new(std::size_t size) {
  return counted(size);
}
void* operator new[](std::size_t size) {
  return counted(size);
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return std::malloc(size == 0 ? 1 : size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return std::malloc(size == 0 ? 1 : size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete[](void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, const std::nothrow_t&) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete[](void* memory, const std::nothrow_t&) noexcept {
  std::free(memory);
}

namespace tern::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class CheckpointTest : public ::testing::Test {
 protected:
  static std::string read(const fs::path& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  static void write(const fs::path& path, const std::string& bytes) {
    fs::remove(path);  // truncating and rewriting it would wait for the disk
    std::ofstream(path, std::ios::binary) << bytes;
  }
  std::string complaint() const {
    try {
      read_checkpoint(file);
    } catch (const DataError& error) {
      return error.what();
    }
    return "no complaint";
  }

  const TemporaryDirectory directory;
  const fs::path folder = directory.path();
  const fs::path file = folder / "one.safetensors";
};

TensorFile some_file() {
  TensorFile made;
  made.tensors["b"] = {{2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6}};
  made.tensors["a"] = {{2}, std::vector<double>{0.1, 0.2}};
  made.tensors["n"] = {{3}, std::vector<std::int64_t>{7, 8, 9}};
  made.metadata = {{"epoch", "3"}, {"note", "ein Wort"}};
  return made;
}

TEST_F(CheckpointTest, ComesBackAsItWas) {
  write_checkpoint(file, some_file());
  TensorFile found = read_checkpoint(file);
  EXPECT_EQ(found.metadata.at("checksum").size(), 16u);
  found.metadata.erase("checksum");
  EXPECT_EQ(found.metadata, some_file().metadata);
  EXPECT_TRUE(same(found, some_file()));
}

TEST_F(CheckpointTest, AnythingElseHasAnotherChecksum) {
  const auto checksum = [&](auto change) {
    TensorFile changed = some_file();
    change(changed);
    write_checkpoint(file, changed);
    return read_checkpoint(file).metadata.at("checksum");
  };
  const std::string plain = checksum([](TensorFile&) {});
  EXPECT_EQ(checksum([](TensorFile& f) { f.metadata["checksum"] = "of old"; }), plain);
  EXPECT_NE(checksum([](TensorFile& f) { f.metadata["epoch"] = "4"; }), plain);
  EXPECT_NE(checksum([](TensorFile& f) { f.metadata["more"] = ""; }), plain);
  EXPECT_NE(checksum([](TensorFile& f) { f.tensors["b"].shape = {3, 2}; }), plain);
  EXPECT_NE(checksum([](TensorFile& f) { f.tensors["c"] = f.tensors["a"]; }), plain);
  EXPECT_NE(checksum([](TensorFile& f) {
              std::get<std::vector<double>>(f.tensors["a"].values)[1] = 0.20000000000000004;
            }),
            plain);
  EXPECT_NE(checksum([](TensorFile& f) {
              std::get<std::vector<float>>(f.tensors["b"].values)[0] = 1.0000001F;
            }),
            plain);
}

TEST_F(CheckpointTest, WritesNoNaN) {
  write_checkpoint(file, some_file());
  const std::string before = read(file);
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    TensorFile faulty = some_file();
    std::get<std::vector<double>>(faulty.tensors["a"].values)[1] = bad;
    try {
      write_checkpoint(file, faulty);
      FAIL() << "wrote " << bad;
    } catch (const NumericalFault& fault) {
      EXPECT_THAT(fault.what(), HasSubstr("at element 1"));
    }
    EXPECT_EQ(read(file), before);
  }
}

TEST_F(CheckpointTest, ReadsNoNaN) {
  write_checkpoint(file, some_file());
  TensorFile faulty = read_checkpoint(file);
  std::get<std::vector<float>>(faulty.tensors["b"].values)[4] =
      std::numeric_limits<float>::quiet_NaN();
  write_safetensors(file, faulty);
  EXPECT_THAT(complaint(), HasSubstr("checksum"));  // that of the earlier values
  faulty.metadata.erase("checksum");
  write_safetensors(file, faulty);
  EXPECT_THAT(complaint(), HasSubstr("the metadata has no checksum"));
  faulty.metadata["checksum"] = checksum_of(faulty);
  write_safetensors(file, faulty);
  EXPECT_THAT(complaint(), HasSubstr("b is nan at element 4, expected finite numbers"));
}

/// A state whose fields all differ from their defaults.
TrainingState full_state() {
  TrainingState state;
  state.progress = {.epoch = 7,
                    .step = 3,
                    .steps = 5,
                    .updates = 38,
                    .best_epoch = 6,
                    .selected_epoch = 7,
                    .best_metric = 0.1 + 0.2,
                    .since_best = 1,
                    .user_watch = {59.9, 1.0 / 7.0, 0.5, 1, 2},
                    .item_watch = {std::nullopt, 0.25, 1e-9, 2, 1},
                    .collapsed = true,
                    .collapse_explained = true,
                    .rollbacks = 2,
                    .seconds = 1.0 / 3.0,
                    .user_gradient_norm = 1e-300,
                    .item_gradient_norm = 12345678.9};
  state.counters = {{"dropout_steps", std::int64_t{1} << 40}, {"other", 0}};
  state.tensors = some_file().tensors;
  return state;
}

TEST_F(CheckpointTest, AStateComesBackAsItWas) {
  write_checkpoint(file, to_file(full_state()));
  const TrainingState found = to_state(read_checkpoint(file), "file");
  EXPECT_EQ(found.progress, full_state().progress);
  EXPECT_EQ(found.counters, full_state().counters);
  EXPECT_TRUE(same(found, full_state()));
  TrainingState unevaluated = full_state();
  unevaluated.progress.best_metric.reset();
  EXPECT_EQ(to_state(to_file(unevaluated), "file").progress, unevaluated.progress);
}

TEST_F(CheckpointTest, AStateOfAnEarlierVersionHasNoWatch) {
  TensorFile old = to_file(full_state());
  std::erase_if(old.metadata, [](const auto& entry) {
    return entry.first == "collapsed" || entry.first.ends_with("_first_rank") ||
           entry.first.ends_with("_first_norm") || entry.first.ends_with("_last_norm") ||
           entry.first.ends_with("_growing_norms") || entry.first.ends_with("_small_ranks");
  });
  TrainingProgress expected = full_state().progress;
  expected.user_watch = expected.item_watch = {};
  expected.collapsed = false;
  EXPECT_EQ(to_state(old, "file").progress, expected);
}

TEST_F(CheckpointTest, AStateThatMakesNoSenseIsRefused) {
  const TensorFile whole = to_file(full_state());
  const auto state_complaint = [](const TensorFile& changed) -> std::string {
    try {
      to_state(changed, "some/file");
    } catch (const DataError& error) {
      return error.what();
    }
    return "no complaint";
  };
  for (const auto& entry : whole.metadata) {
    if (entry.first.starts_with("counter.") || entry.first == "collapsed") continue;
    TensorFile without = whole;
    without.metadata.erase(entry.first);
    EXPECT_THAT(state_complaint(without),
                HasSubstr("some/file: metadata: " + entry.first + " is missing"));
  }
  const auto with = [&](const std::string& key, const std::string& value) {
    TensorFile changed = whole;
    changed.metadata[key] = value;
    return state_complaint(changed);
  };
  EXPECT_EQ(with("note", "ignored"), "no complaint");
  EXPECT_THAT(with("epoch", "-1"), HasSubstr("metadata: epoch is \"-1\", expected 0 or more"));
  EXPECT_THAT(with("epoch", "1e3"), HasSubstr("expected a number"));
  EXPECT_THAT(with("epoch", "99999999999999"), HasSubstr("expected a number"));
  EXPECT_THAT(with("step", "12345"), HasSubstr("step is \"12345\", expected at most"));
  EXPECT_THAT(with("item_first_norm", "inf"), HasSubstr("expected a finite number"));
  EXPECT_THAT(with("user_small_ranks", "-1"), HasSubstr("expected 0 or more"));
  EXPECT_THAT(with("best_metric", "nan"), HasSubstr("expected a finite number"));
  EXPECT_THAT(with("best_epoch", "8"), HasSubstr("expected at most 7"));
  EXPECT_THAT(with("updates", "9000000000000000000"), HasSubstr("expected fewer"));
  EXPECT_THAT(with("counter.dropout_steps", ""), HasSubstr("expected a number"));
}

/// One to three changes as storage or people might make them.
std::string mutated(std::string bytes, std::mt19937& random) {
  const auto below = [&](std::size_t limit) { return random() % std::max<std::size_t>(limit, 1); };
  for (std::size_t change = 1 + below(3); change > 0; --change) {
    // Half of the changes are in the header, which is a small part of a file.
    const std::size_t at = below(random() % 2 == 0 ? 600 : bytes.size()) % bytes.size();
    switch (below(8)) {
      case 0:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
        break;
      case 1:
        bytes[at] = static_cast<char>(random());
        break;
      case 2:
        bytes.resize(1 + at);
        break;
      case 3:
        bytes.insert(at, std::string(1 + below(20), static_cast<char>(random())));
        break;
      case 4:
        bytes.erase(at, 1 + below(20));
        break;
      case 5:
        bytes.append(1 + below(20), '\0');
        break;
      case 6:  // another digit, if there is one
        if (bytes[at] >= '0' && bytes[at] <= '9') bytes[at] = static_cast<char>('0' + below(10));
        break;
      default:  // the length of the header
        bytes[below(8) % bytes.size()] = static_cast<char>(random());
        break;
    }
    if (bytes.empty()) return "x";
  }
  return bytes;
}

TEST_F(CheckpointTest, TenThousandDamagedFilesAreRefused) {
  Config config = planted_config();
  config.epochs = 1;
  Job job(planted_dataset(12, 40), config);
  job.run();
  write_checkpoint(file, to_file(job.trainer.state()));
  const std::string whole = read(file);
  ASSERT_GT(whole.size(), 2000u);
  std::mt19937 random(7);
  // Other allocations meanwhile: messages, stream buffers, and the parser's lists.
  constexpr std::size_t kConstant = 1 << 16;
  int harmless = 0;
  for (int i = 0; i < 10000; ++i) {
    const std::string bytes = mutated(whole, random);
    write(file, bytes);
    largest_request = 0;
    try {
      const TensorFile found = read_checkpoint(file);
      // Blanks of the header may change without changing its meaning.
      ++harmless;
      EXPECT_TRUE(same(found, job.trainer.state())) << i;
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), HasSubstr(file.string())) << i;
    }
    ASSERT_LE(largest_request.load(), bytes.size() + kConstant) << i;
  }
  EXPECT_LT(harmless, 500);
}

}  // namespace
}  // namespace tern::test
