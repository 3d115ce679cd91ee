#include "shared_watch.hpp"

#include <algorithm>

#include "simt/device/language.hpp"
#include "simt/simt.hpp"
#include "symbols.hpp"

namespace simt::detail {
namespace {

constexpr std::uint16_t kSeveral = 0xffff;  // several writers (atomics) or readers of several warps

std::string thread_name(unsigned thread) {
  return thread == kSeveral ? "several threads" : "thread " + std::to_string(thread);
}

}  // namespace

SharedWatch::SharedWatch() {
  const ThreadLocalBlock block = thread_local_block();
  low_ = block.zeros_begin & ~std::uintptr_t{3};
  size_ = block.end - low_;
  cells_.resize((size_ + 3) / 4);
  dynamic_ = reinterpret_cast<std::uintptr_t>(dynamic_shared_memory);
  if (thread_locals().empty()) return;  // stripped: every word counts as shared
  for (Cell& cell : cells_) cell.outside = true;
  for (const ThreadLocal& variable : thread_locals()) {
    const std::uintptr_t begin = std::max(block.begin + variable.offset, low_);
    const std::uintptr_t end = block.begin + variable.offset + variable.size;
    for (std::uintptr_t at = begin; at < end; at += 4) cells_[(at - low_) / 4].outside = false;
  }
}

void SharedWatch::begin_block(unsigned threads, std::size_t dynamic_bytes) {
  dynamic_bytes_ = dynamic_bytes;
  first_epoch_ = ++epoch_;
  if (clocks_.size() < threads) clocks_.resize((threads + 31) / 32 * 32);
  if (stamps_.size() < clocks_.size() / 32) stamps_.resize(clocks_.size() / 32, 1);
}

// Everything the lanes did so far is ordered before everything they do from now on.
void SharedWatch::warp_barrier(unsigned warp, unsigned lanes) {
  Clock* clocks = &clocks_[warp * 32];
  const std::uint32_t stamp = stamps_[warp]++;
  Clock joined{};
  for (unsigned i = 0; i < 32; ++i) {
    if (!(lanes >> i & 1)) continue;
    for (unsigned j = 0; j < 32; ++j) joined.seen[j] = std::max(joined.seen[j], clocks[i].seen[j]);
  }
  for (unsigned i = 0; i < 32; ++i) {
    if (lanes >> i & 1) joined.seen[i] = stamp;
  }
  for (unsigned i = 0; i < 32; ++i) {
    if (lanes >> i & 1) clocks[i] = joined;
  }
}

bool SharedWatch::access(unsigned thread, std::uintptr_t address, std::size_t bytes, Access kind,
                         const void* code) {
  address_ = address;
  const std::uintptr_t end = std::min(address + bytes, low_ + size_);
  if (address - dynamic_ < kMaxSharedBytes && end > dynamic_ + dynamic_bytes_) {
    return found(Finding::Kind::out_of_bounds,
                 std::string(kind == Access::read ? "read of " : "write to ") + name(address) +
                     ", beyond the dynamic shared memory that the launch asked for");
  }
  for (std::uintptr_t at = address; at < end; at = (at & ~std::uintptr_t{3}) + 4) {
    const unsigned first = at & 3;
    const unsigned count = static_cast<unsigned>(std::min<std::uintptr_t>(end - at, 4 - first));
    Cell& cell = cells_[(at - low_) / 4];
    if (!touch(cell, thread, ((1u << count) - 1) << first, kind, code)) return false;
  }
  return true;
}

bool SharedWatch::touch(Cell& cell, unsigned thread, unsigned bytes, Access kind,
                        const void* code) {
  if (cell.outside) {
    return found(Finding::Kind::out_of_bounds, "access beside every shared variable");
  }
  if (cell.write_epoch < first_epoch_) cell.written_bytes = 0;
  if (kind != Access::write && (cell.written_bytes & bytes) != bytes) {
    return found(Finding::Kind::unwritten,
                 "read of " + name(address_) + ", which no thread of this block has written");
  }
  const bool written = cell.write_epoch == epoch_ && (cell.write_bytes & bytes);
  const bool both_atomic = kind == Access::atomic && cell.atomic;
  if (written && !both_atomic && !after_write(cell, thread)) {
    return found(Finding::Kind::race,
                 "race on " + name(address_) + ": " + (kind == Access::read ? "read" : "written") +
                     " by thread " + std::to_string(thread) + " and written by " +
                     thread_name(cell.writer) + ", no barrier between",
                 cell.write_code);
  }
  if (kind == Access::read) {
    note_read(cell, thread, bytes, code);
    return true;
  }
  const bool read = cell.read_epoch == epoch_ && (cell.read_bytes & bytes);
  if (read && !after_reads(cell, thread)) {
    return found(Finding::Kind::race,
                 "race on " + name(address_) + ": written by thread " + std::to_string(thread) +
                     " and read by another, no barrier between",
                 cell.read_code);
  }
  note_write(cell, thread, bytes, kind == Access::atomic, code);
  return true;
}

bool SharedWatch::after_write(const Cell& cell, unsigned thread) const {
  if (cell.writer == thread) return true;
  if (cell.writer / 32 != thread / 32) return false;
  return clocks_[thread].seen[cell.writer % 32] >= cell.write_stamp;
}

bool SharedWatch::after_reads(const Cell& cell, unsigned thread) const {
  if (cell.read_warp != thread / 32) return false;
  for (std::uint32_t lanes = cell.read_lanes & ~(1u << thread % 32); lanes; lanes &= lanes - 1) {
    const auto lane = static_cast<unsigned>(__builtin_ctz(lanes));
    if (clocks_[thread].seen[lane] < cell.read_stamp) return false;
  }
  return true;
}

void SharedWatch::note_read(Cell& cell, unsigned thread, unsigned bytes, const void* code) {
  const auto warp = static_cast<std::uint16_t>(thread / 32);
  const std::uint32_t lane = 1u << thread % 32;
  cell.read_code = code;
  if (cell.read_epoch != epoch_ || (cell.read_warp == warp && after_reads(cell, thread))) {
    cell.read_epoch = epoch_;  // earlier reads are ordered before this one: it stands for them
    cell.read_warp = warp;
    cell.read_lanes = lane;
    cell.read_bytes = static_cast<std::uint8_t>(bytes);
  } else {
    if (cell.read_warp != warp) cell.read_warp = kSeveral;
    cell.read_lanes |= lane;
    cell.read_bytes |= static_cast<std::uint8_t>(bytes);
  }
  cell.read_stamp = stamps_[warp];
}

void SharedWatch::note_write(Cell& cell, unsigned thread, unsigned bytes, bool atomic,
                             const void* code) {
  const bool joins = atomic && cell.atomic && cell.write_epoch == epoch_ && cell.writer != thread &&
                     !after_write(cell, thread);
  cell.writer = joins ? kSeveral : static_cast<std::uint16_t>(thread);
  cell.write_epoch = epoch_;
  cell.write_stamp = stamps_[thread / 32];
  cell.write_code = code;
  cell.write_bytes = static_cast<std::uint8_t>(bytes);
  cell.written_bytes |= static_cast<std::uint8_t>(bytes);
  cell.atomic = atomic;
}

std::string SharedWatch::name(std::uintptr_t address) const {
  if (address - dynamic_ < kMaxSharedBytes) {
    return "dynamic shared memory, byte " + std::to_string(address - dynamic_);
  }
  const std::size_t offset = address - thread_local_block().begin;
  for (const ThreadLocal& variable : thread_locals()) {
    if (offset < variable.offset || offset >= variable.offset + variable.size) continue;
    return "shared '" + variable.name + "', byte " + std::to_string(offset - variable.offset);
  }
  return "shared memory";
}

bool SharedWatch::found(Finding::Kind kind, const std::string& text, const void* other) {
  finding_ = {kind, text, other};
  return false;
}

}  // namespace simt::detail
