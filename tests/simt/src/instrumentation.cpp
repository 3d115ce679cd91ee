// The functions that code instrumented by g++ calls.
//
// -fsanitize=thread puts a call before every load and store, and turns atomics into calls;
// -fsanitize=bounds, alignment, signed-integer-overflow, ... add one at each arithmetic fault.
// simt_instrument compiles kernels with these options and links this file instead of the
// sanitizers' libraries. This file itself is not instrumented. Kernels stay plain CUDA.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include "block.hpp"
#include "watch.hpp"

#if SIMT_WATCHED  // else the sanitizers' own libraries are there

namespace simt::detail {
namespace {

[[gnu::noinline]] void buffer_fault(std::uintptr_t address, std::size_t bytes, Access kind,
                                    const void* code) {
  std::string text = std::string(kind == Access::read ? "read" : "write") + " of " +
                     std::to_string(bytes) + " bytes " + describe_address(address);
  Block::current().fail(Fault::out_of_bounds, std::move(text), code);
}

inline void access(const volatile void* pointer, std::size_t bytes, Access kind, const void* code) {
  const auto address = reinterpret_cast<std::uintptr_t>(pointer);
  if (watched.shared.holds(address)) {
    watched.block->shared_access(address, bytes, kind, code);
  } else if (watched.buffers.holds(address) && !inside_buffer(address, bytes)) {
    buffer_fault(address, bytes, kind, code);
  }
}

// A range of plain memory: a copied struct. Page by page, because inside_buffer knows pages.
inline void access_range(const void* pointer, std::size_t bytes, Access kind, const void* code) {
  const auto* at = static_cast<const char*>(pointer);
  for (std::size_t done = 0; done < bytes;) {
    const std::size_t page_left = 4096 - reinterpret_cast<std::uintptr_t>(at + done) % 4096;
    const std::size_t part = std::min(bytes - done, page_left);
    access(at + done, part, kind, code);
    done += part;
  }
}

struct SourceLocation {
  const char* file;
  std::uint32_t line;
  std::uint32_t column;
};
struct TypeDescriptor {
  std::uint16_t kind;
  std::uint16_t info;
  char name[1];
};
struct OutOfBounds {
  SourceLocation where;
  const TypeDescriptor* array;
  const TypeDescriptor* index;
};
struct TypeMismatch {
  SourceLocation where;
  const TypeDescriptor* type;
  unsigned char log_alignment;
  unsigned char kind;
};

void undefined(const SourceLocation& where, Fault fault, std::string text) {
  const char* slash = std::strrchr(where.file, '/');
  text += " at " + std::string(slash ? slash + 1 : where.file) + ":" + std::to_string(where.line);
  if (Block::is_running()) Block::current().fail(fault, std::move(text));
  std::fprintf(stderr, "simt: on the host: %s\n", text.c_str());
  std::abort();
}

}  // namespace
}  // namespace simt::detail

using simt::Fault;
using simt::detail::Access;
using simt::detail::access;
using simt::detail::access_range;
using simt::detail::SourceLocation;
using simt::detail::undefined;

extern "C" {

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}

// NOLINTBEGIN: the names are the compiler's, and a macro is the only way to spell each once.
#define SIMT_PLAIN(name, bytes, kind)                            \
  void __tsan_##name(void* p) {                                  \
    access(p, bytes, Access::kind, __builtin_return_address(0)); \
  }
SIMT_PLAIN(read1, 1, read)
SIMT_PLAIN(read2, 2, read)
SIMT_PLAIN(read4, 4, read)
SIMT_PLAIN(read8, 8, read)
SIMT_PLAIN(read16, 16, read)
SIMT_PLAIN(write1, 1, write)
SIMT_PLAIN(write2, 2, write)
SIMT_PLAIN(write4, 4, write)
SIMT_PLAIN(write8, 8, write)
SIMT_PLAIN(write16, 16, write)
#undef SIMT_PLAIN

// Ranges, because an access may cross from one page to the next.
#define SIMT_UNALIGNED(name, bytes, kind)                              \
  void __tsan_unaligned_##name(void* p) {                              \
    access_range(p, bytes, Access::kind, __builtin_return_address(0)); \
  }
SIMT_UNALIGNED(read2, 2, read)
SIMT_UNALIGNED(read4, 4, read)
SIMT_UNALIGNED(read8, 8, read)
SIMT_UNALIGNED(read16, 16, read)
SIMT_UNALIGNED(write2, 2, write)
SIMT_UNALIGNED(write4, 4, write)
SIMT_UNALIGNED(write8, 8, write)
SIMT_UNALIGNED(write16, 16, write)
#undef SIMT_UNALIGNED

void __tsan_read_range(void* p, unsigned long bytes) {
  access_range(p, bytes, Access::read, __builtin_return_address(0));
}
void __tsan_write_range(void* p, unsigned long bytes) {
  access_range(p, bytes, Access::write, __builtin_return_address(0));
}

#define SIMT_ATOMIC_UPDATE(bits, type, name)                             \
  type __tsan_atomic##bits##_##name(volatile type* p, type value, int) { \
    access(p, sizeof *p, Access::atomic, __builtin_return_address(0));   \
    return __atomic_##name(p, value, __ATOMIC_SEQ_CST);                  \
  }
#define SIMT_ATOMIC(bits, type)                                                                   \
  SIMT_ATOMIC_UPDATE(bits, type, fetch_add)                                                       \
  SIMT_ATOMIC_UPDATE(bits, type, fetch_sub)                                                       \
  SIMT_ATOMIC_UPDATE(bits, type, fetch_and)                                                       \
  SIMT_ATOMIC_UPDATE(bits, type, fetch_or)                                                        \
  SIMT_ATOMIC_UPDATE(bits, type, fetch_xor)                                                       \
  SIMT_ATOMIC_UPDATE(bits, type, fetch_nand)                                                      \
  type __tsan_atomic##bits##_exchange(volatile type* p, type value, int) {                        \
    access(p, sizeof *p, Access::atomic, __builtin_return_address(0));                            \
    return __atomic_exchange_n(p, value, __ATOMIC_SEQ_CST);                                       \
  }                                                                                               \
  type __tsan_atomic##bits##_load(const volatile type* p, int) {                                  \
    access(p, sizeof *p, Access::atomic, __builtin_return_address(0));                            \
    return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                                  \
  }                                                                                               \
  void __tsan_atomic##bits##_store(volatile type* p, type value, int) {                           \
    access(p, sizeof *p, Access::write, __builtin_return_address(0));                             \
    __atomic_store_n(p, value, __ATOMIC_SEQ_CST);                                                 \
  }                                                                                               \
  int __tsan_atomic##bits##_compare_exchange_strong(volatile type* p, type* expected,             \
                                                    type desired, int, int) {                     \
    access(p, sizeof *p, Access::atomic, __builtin_return_address(0));                            \
    return __atomic_compare_exchange_n(p, expected, desired, false, __ATOMIC_SEQ_CST,             \
                                       __ATOMIC_SEQ_CST);                                         \
  }                                                                                               \
  int __tsan_atomic##bits##_compare_exchange_weak(volatile type* p, type* expected, type desired, \
                                                  int, int) {                                     \
    access(p, sizeof *p, Access::atomic, __builtin_return_address(0));                            \
    return __atomic_compare_exchange_n(p, expected, desired, true, __ATOMIC_SEQ_CST,              \
                                       __ATOMIC_SEQ_CST);                                         \
  }
SIMT_ATOMIC(8, std::uint8_t)
SIMT_ATOMIC(16, std::uint16_t)
SIMT_ATOMIC(32, std::uint32_t)
SIMT_ATOMIC(64, std::uint64_t)
#undef SIMT_ATOMIC
#undef SIMT_ATOMIC_UPDATE
void __tsan_atomic_thread_fence(int) {
  simt::detail::fence();
}
void __tsan_atomic_signal_fence(int) {}

#define SIMT_UNDEFINED(name, text)                          \
  void __ubsan_handle_##name(const SourceLocation* where) { \
    undefined(*where, Fault::undefined, text);              \
  }
SIMT_UNDEFINED(add_overflow, "signed overflow in an addition")
SIMT_UNDEFINED(sub_overflow, "signed overflow in a subtraction")
SIMT_UNDEFINED(mul_overflow, "signed overflow in a multiplication")
SIMT_UNDEFINED(negate_overflow, "signed overflow in a negation")
SIMT_UNDEFINED(divrem_overflow, "a division by zero or signed overflow in a division")
SIMT_UNDEFINED(shift_out_of_bounds, "a shift by too much, by less than 0, or of a negative value")
SIMT_UNDEFINED(float_cast_overflow, "a conversion of a number that the result type cannot hold")
SIMT_UNDEFINED(builtin_unreachable, "an unreachable place was reached")
#undef SIMT_UNDEFINED

void __ubsan_handle_out_of_bounds(const simt::detail::OutOfBounds* data, std::uintptr_t index) {
  const auto* type = data->index;
  const bool narrow = (type->info & 1) && type->info >> 1 == 5;  // signed, 2^5 bits
  const auto value = narrow ? static_cast<std::int32_t>(index) : static_cast<std::int64_t>(index);
  undefined(data->where, Fault::out_of_bounds,
            "index " + std::to_string(value) + " of an array of type " + data->array->name);
}
void __ubsan_handle_type_mismatch_v1(const simt::detail::TypeMismatch* data,
                                     std::uintptr_t address) {
  undefined(data->where, address == 0 ? Fault::out_of_bounds : Fault::misaligned,
            address == 0 ? std::string("access through a null pointer to ") + data->type->name
                         : "a " + std::string(data->type->name) + " at an address that " +
                               std::to_string(1u << data->log_alignment) + " does not divide");
}
// NOLINTEND
}

#endif
