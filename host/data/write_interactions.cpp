#include <charconv>
#include <string>

#include "host/support/atomic_file.hpp"
#include "tern/error.hpp"
#include "tern/generate.hpp"

namespace tern {
namespace {

constexpr std::size_t kFlushBytes = std::size_t{1} << 20;

void append_number(std::string& text, NodeId number) {
  char digits[16];
  const auto [end, status] = std::to_chars(digits, digits + sizeof(digits), number);
  text.append(digits, end);
}

void flush(AtomicFile& file, std::string& text) {
  file.write(text);
  text.clear();
}

}  // namespace

void write_adjacency(const std::filesystem::path& path, const Interactions& interactions) {
  AtomicFile file(path);
  std::string text;
  for (NodeId user = 0; user < interactions.num_users(); ++user) {
    append_number(text, user);
    for (const NodeId item : interactions.row(user)) {
      text += ' ';
      append_number(text, item);
      if (text.size() >= kFlushBytes) flush(file, text);
    }
    text += '\n';
  }
  flush(file, text);
  file.commit();
}

void write_interactions_tsv(const std::filesystem::path& path, const Interactions& interactions,
                            const Vocabulary& users, const Vocabulary& items) {
  if (users.size() != interactions.num_users() || items.size() != interactions.num_items()) {
    throw ShapeError("vocabularies and interactions differ in users or items");
  }
  AtomicFile file(path);
  std::string text = "user\titem\n";
  for (NodeId user = 0; user < interactions.num_users(); ++user) {
    const std::string name = users.name(user);
    for (const NodeId item : interactions.row(user)) {
      text.append(name).append("\t").append(items.name(item)).append("\n");
      if (text.size() >= kFlushBytes) flush(file, text);
    }
  }
  flush(file, text);
  file.commit();
}

}  // namespace tern
