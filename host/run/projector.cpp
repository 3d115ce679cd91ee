#include "host/run/projector.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <numeric>
#include <string>
#include <system_error>
#include <variant>
#include <vector>

#include "host/support/files.hpp"

namespace tern {
namespace {

namespace fs = std::filesystem;

std::vector<std::int64_t> interactions_of(Side side, const Interactions& train) {
  std::vector<std::int64_t> counts(
      static_cast<std::size_t>(side == Side::kUser ? train.num_users() : train.num_items()));
  if (side == Side::kItem) {
    for (const NodeId item : train.items()) ++counts[static_cast<std::size_t>(item)];
  } else {
    const auto offsets = train.offsets();
    for (std::size_t user = 0; user < counts.size(); ++user) {
      counts[user] = offsets[user + 1] - offsets[user];
    }
  }
  return counts;
}

/// The nodes to show, the busiest first.
std::vector<NodeId> busiest(const std::vector<std::int64_t>& counts) {
  std::vector<NodeId> nodes(counts.size());
  std::iota(nodes.begin(), nodes.end(), 0);
  std::stable_sort(nodes.begin(), nodes.end(), [&](NodeId a, NodeId b) {
    return counts[static_cast<std::size_t>(a)] > counts[static_cast<std::size_t>(b)];
  });
  nodes.resize(std::min(nodes.size(), static_cast<std::size_t>(kMaxProjectedNodes)));
  return nodes;
}

std::string rows_of(const Tensor& table, const std::vector<NodeId>& nodes) {
  std::string text;
  const auto width = static_cast<std::size_t>(table.shape[1]);
  std::visit(
      [&](const auto& values) {
        for (const NodeId node : nodes) {
          const std::size_t begin = static_cast<std::size_t>(node) * width;
          for (std::size_t d = 0; d < width; ++d) {
            fmt::format_to(std::back_inserter(text), "{}{}", d == 0 ? "" : "\t", values[begin + d]);
          }
          text += '\n';
        }
      },
      table.values);
  return text;
}

}  // namespace

void write_projector_files(const fs::path& folder, const FinalEmbeddings& embeddings,
                           const Dataset& data) {
  std::error_code error;
  fs::create_directories(folder, error);  // if this fails, writing reports why
  std::string config;
  for (const Side side : {Side::kUser, Side::kItem}) {
    const bool users = side == Side::kUser;
    const std::string name = users ? "user" : "item";
    const Vocabulary& names = users ? data.users : data.items;
    const std::vector<std::int64_t> counts = interactions_of(side, data.train);
    const std::vector<NodeId> nodes = busiest(counts);
    std::string labels = "id\tinteractions\n";
    for (const NodeId node : nodes) {
      labels += fmt::format("{}\t{}\n", names.name(node), counts[static_cast<std::size_t>(node)]);
    }
    write_file_atomically(folder / (name + "_embeddings.tsv"),
                          rows_of(users ? embeddings.users : embeddings.items, nodes));
    write_file_atomically(folder / (name + "_metadata.tsv"), labels);
    config += fmt::format(
        "embeddings {{\n  tensor_name: \"{0}s\"\n  tensor_path: \"{0}_embeddings.tsv\"\n"
        "  metadata_path: \"{0}_metadata.tsv\"\n}}\n",
        name);
  }
  write_file_atomically(folder / kProjectorFiles[0], config);
}

}  // namespace tern
