#include "symbols.hpp"

#include <cxxabi.h>
#include <elf.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>

namespace simt::detail {
namespace {

std::string demangle(const char* name) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(
      abi::__cxa_demangle(name, nullptr, nullptr, &status), &std::free);
  return status == 0 ? text.get() : name;
}

template <class T>
T read(const std::vector<char>& file, std::size_t offset) {
  T value{};
  if (offset + sizeof(T) <= file.size()) std::memcpy(&value, file.data() + offset, sizeof(T));
  return value;
}

std::vector<ThreadLocal> read_thread_locals() {
  std::ifstream stream("/proc/self/exe", std::ios::binary);
  const std::vector<char> file{std::istreambuf_iterator<char>(stream), {}};
  const auto header = read<ElfW(Ehdr)>(file, 0);
  const auto section = [&](std::size_t i) {
    return read<ElfW(Shdr)>(file, header.e_shoff + i * header.e_shentsize);
  };
  std::vector<ThreadLocal> result;
  for (std::size_t i = 0; i < header.e_shnum; ++i) {
    const auto table = section(i);
    if (table.sh_type != SHT_SYMTAB) continue;
    const auto names = section(table.sh_link);
    for (std::size_t at = 0; at + sizeof(ElfW(Sym)) <= table.sh_size; at += sizeof(ElfW(Sym))) {
      const auto symbol = read<ElfW(Sym)>(file, table.sh_offset + at);
      if ((symbol.st_info & 15) != STT_TLS || symbol.st_shndx == SHN_UNDEF) continue;
      const std::size_t name = names.sh_offset + symbol.st_name;
      if (symbol.st_size == 0 || name >= file.size()) continue;
      result.push_back({symbol.st_value, symbol.st_size, demangle(file.data() + name)});
    }
  }
  std::sort(result.begin(), result.end(),
            [](const auto& a, const auto& b) { return a.offset < b.offset; });
  return result;
}

// The program itself is the first object that the dynamic linker lists.
int first_object(dl_phdr_info* info, std::size_t, void* result) {
  *static_cast<dl_phdr_info*>(result) = *info;
  return 1;
}

std::string look_up_line(const void* return_address) {
  dl_phdr_info program{};
  dl_iterate_phdr(first_object, &program);
  char path[4096];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
  if (length <= 0) return "";
  path[length] = 0;
  char command[4300];
  std::snprintf(command, sizeof command, "addr2line -Cfips -e '%s' 0x%zx 2>/dev/null", path,
                reinterpret_cast<std::size_t>(return_address) - 1 - program.dlpi_addr);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(popen(command, "r"), &pclose);
  char line[1024] = "";
  if (!pipe || !std::fgets(line, sizeof line, pipe.get())) return "";
  std::string text(line, std::strcspn(line, "\n"));
  text = text.substr(0, text.find(" (discriminator"));
  return text.find("??") == std::string::npos ? text : "";
}

}  // namespace

const std::vector<ThreadLocal>& thread_locals() {
  static const std::vector<ThreadLocal> result = read_thread_locals();
  return result;
}

ThreadLocalBlock thread_local_block() {
  dl_phdr_info program{};
  dl_iterate_phdr(first_object, &program);
  ThreadLocalBlock block;
  block.begin = reinterpret_cast<std::uintptr_t>(program.dlpi_tls_data);
  for (int i = 0; i < program.dlpi_phnum; ++i) {
    const ElfW(Phdr)& part = program.dlpi_phdr[i];
    if (part.p_type != PT_TLS) continue;
    block.zeros_begin = block.begin + part.p_filesz;
    block.end = block.begin + part.p_memsz;
  }
  return block;
}

std::string source_line(const void* return_address) {
  static std::mutex mutex;
  static std::map<const void*, std::string> known;
  if (!return_address) return "";
  const std::lock_guard lock(mutex);
  const auto [entry, fresh] = known.try_emplace(return_address);
  if (fresh) entry->second = look_up_line(return_address);
  return entry->second;
}

}  // namespace simt::detail
