// How a launch ends at a fault: the running fiber leaves everything as it is and switches to the
// CPU thread's own stack, where the message is composed and thrown.
#include <cstdlib>
#include <cstring>
#include <utility>

#include "block.hpp"
#include "symbols.hpp"

namespace simt::detail {

std::string to_text(uint3 v) {
  return "(" + std::to_string(v.x) + "," + std::to_string(v.y) + "," + std::to_string(v.z) + ")";
}

std::string to_text(const std::source_location& where) {
  const char* slash = std::strrchr(where.file_name(), '/');
  return std::string(slash ? slash + 1 : where.file_name()) + ":" + std::to_string(where.line());
}

std::string mask_text(unsigned mask) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text = "0x";
  for (int shift = 28; shift >= 0; shift -= 4) text += kDigits[mask >> shift & 15];
  return text;
}

void Block::end(Failure failure) {
  failure_ = std::make_unique<Failure>(std::move(failure));
  go_home();
}

void Block::fail(Fault fault, std::string text, const void* code, const void* other_code) {
  end({fault, current_, std::move(text), code, other_code});
}

void Block::fail_at(std::source_location where, Fault fault, std::string text) {
  text += " at " + to_text(where);
  fail(fault, std::move(text));
}

void Block::fail_two_places(std::source_location where) {
  std::string text = "one block barrier is reached at " + to_text(barrier_where_) +
                     " by some threads and by this one";
  fail_at(where, Fault::divergent_barrier, std::move(text));
}

void Block::fail_returned_threads() {
  std::string text = "the block barrier is reached by " + std::to_string(live_) +
                     " threads, the other " + std::to_string(threads_.size() - live_) +
                     " have returned";
  fail_at(barrier_where_, Fault::divergent_barrier, std::move(text));
}

void Block::fail_mask(unsigned mask, std::source_location where) {
  std::string text = "lane " + std::to_string(lane()) + " calls with mask " + mask_text(mask) +
                     ", which does not name it";
  fail_at(where, Fault::bad_mask, std::move(text));
}

void Block::fail_two_operations(const Meeting& meeting, std::source_location where) {
  std::string text = "lanes of mask " + mask_text(meeting.mask) + " meet for one operation at " +
                     to_text(meeting.where) + " and for another";
  fail_at(where, Fault::divergent_warp, std::move(text));
}

void Block::fail_source(unsigned thread, unsigned source, const Meeting& meeting) {
  std::string text = "lane " + std::to_string(thread % 32) + " shuffles from lane " +
                     std::to_string(source) + ", which takes no part (mask " +
                     mask_text(meeting.mask) + ", lanes here " + mask_text(meeting.arrived) +
                     ") at " + to_text(meeting.where);
  end({Fault::inactive_lane, thread, std::move(text)});
}

void Block::fail_shared_access(const void* code) {
  Finding finding = watch_.take_finding();
  const Fault fault = finding.kind == Finding::Kind::race        ? Fault::shared_race
                      : finding.kind == Finding::Kind::unwritten ? Fault::unwritten_shared
                                                                 : Fault::out_of_bounds;
  fail(fault, std::move(finding.text), code, finding.other_code);
}

// No thread can continue, and not all have returned.
void Block::stuck() {
  const bool barrier = at_barrier_ > 0;
  const State state = barrier ? State::at_barrier : State::at_meeting;
  unsigned thread = 0;
  while (threads_[thread].state != state) ++thread;
  std::string text = describe_waiting();
  end({barrier ? Fault::divergent_barrier : Fault::divergent_warp, thread, std::move(text)});
}

std::string Block::describe_waiting() const {
  std::string text = "no thread of the block can go on:";
  if (at_barrier_ > 0) {
    text += " " + std::to_string(at_barrier_) + " wait at the block barrier at " +
            to_text(barrier_where_) + ";";
  }
  int listed = 0;
  for (std::size_t i = 0; i < warps_.size(); ++i) {
    for (unsigned j = 0; j < warps_[i].meetings; ++j) {
      const Meeting& meeting = warps_[i].open[j];
      if (++listed > 4) return text + " and more";
      text += " lanes " + mask_text(meeting.arrived) + " of warp " + std::to_string(i) +
              " wait for lanes " + mask_text(meeting.mask & warps_[i].live & ~meeting.arrived) +
              " at " + to_text(meeting.where) + ";";
    }
  }
  text += " " + std::to_string(threads_.size() - live_) + " have returned";
  return text;
}

void Block::raise() {
  const std::unique_ptr<Failure> failure = std::move(failure_);
  const uint3 thread = threads_[failure->thread].index;
  std::string text =
      "block " + to_text(block_index_) + ", thread " + to_text(thread) + ": " + failure->text;
  if (const std::string line = source_line(failure->code); !line.empty()) text += "; in " + line;
  if (const std::string line = source_line(failure->other_code); !line.empty()) {
    text += "; the other in " + line;
  }
  throw Error(failure->fault, block_index_, thread, text);
}

}  // namespace simt::detail
