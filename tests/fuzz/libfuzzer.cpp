// The functions that libFuzzer calls. One program serves all targets, and chooses the target by its
// own name: fuzz_adjacency, fuzz_npy, ...

#include <cstdio>
#include <cstdlib>
#include <exception>

#include "host/support/parallel.hpp"
#include "tests/fuzz/target.hpp"

namespace {

const tern::fuzz::Target* target = nullptr;

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  static_cast<void>(argc);
  const std::string name = std::filesystem::path((*argv)[0]).filename().string();
  try {
    target = &tern::fuzz::find_target(name.substr(name.find('_') + 1));
  } catch (const tern::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    std::exit(2);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  // One thread, so that an input always takes the same edges.
  static const tern::ThreadLimit one_thread(1);
  try {
    target->run(tern::fuzz::Input(std::string_view(reinterpret_cast<const char*>(bytes), size)));
  } catch (const std::exception& error) {
    // Printed before the sanitizer's trace, which shows only the exception's type.
    std::fprintf(stderr, "\n%s: %s\n", std::string(target->name).c_str(), error.what());
    std::abort();
  }
  return 0;
}
