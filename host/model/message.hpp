#pragma once

#include <cstdint>
#include <string>

#include "host/model/linear_map.hpp"
#include "tern/backend.hpp"

namespace tern {

/// The two ways to compute Â (x W + b), both exact.
enum class MessageOrder : std::uint8_t {
  kLinearFirst,     // Â (x W + b): a map of the sending nodes, C columns propagated
  kPropagateFirst,  // (Â x) W + (Â 1) b: constant parts of x propagated once per job
};

/// The sizes that decide between the two orders.
struct MessageSizes {
  std::int64_t senders = 0;
  std::int64_t receivers = 0;
  std::int64_t edges = 0;
  std::int64_t numbers = 0;
  std::int64_t categories = 0;
  std::int64_t ones = 0;  // in the 0/1 part of x
  std::int64_t learned = 0;
  std::int64_t width = 0;
};

/// kLinearFirst if the other order would need tables of the 0/1 part that outgrow the layer's own;
/// else the order with fewer operations a step. A multiply-add of a matrix product counts as
/// one, a gathered and added element as three: on two cores of an EPYC 9004 a propagation adds
/// 18·10⁹ of them a second, a product of these shapes makes 50·10⁹ multiply-adds.
MessageOrder cheaper_order(const MessageSizes& sizes);

/// The order of the message to a side from nodes with input x, of whose columns `learned` are learned.
MessageOrder message_order(const Graph& graph, Side to, const LayerInput& x, std::int64_t learned,
                           std::int64_t width);

/// h = Â (x W + b): the messages to the nodes of one side from those of the other, as in GC-MC with
/// symmetric normalisation. A node without interactions gets 0.
class Message {
 public:
  /// x is the input of the other side. Parameters are "<to>_<name>_...". The graph and the
  /// matrices of x must outlive the object.
  Message(Backend& backend, const Graph& graph, Side to, Trainables& trainables,
          const std::string& name, const LayerInput& x, std::int64_t width);

  /// Writes h, (nodes of `to`, C). A step op.
  void forward(Matrix& h);
  /// Computes, from the gradient of h, those of W and b. If x has a learned part, also its
  /// gradient: grad_learned = addend + this message's part. With kLinearFirst the addend must be
  /// grad_learned itself, with kPropagateFirst another matrix. A step op.
  void backward(const Matrix& grad_h, const Matrix* addend, Matrix* grad_learned);

  MessageOrder order() const { return order_; }
  LinearMap& map() { return map_; }

 private:
  DenseLayer dense_layer() const;

  Backend& backend_;
  const Graph& graph_;
  Side to_;
  LinearMap map_;
  MessageOrder order_;
  DenseState state_;
  // kLinearFirst: x W + b of the other side, (senders, C), and its gradient.
  Matrix sent_;
  Matrix sent_gradient_;
  // kPropagateFirst: Â x part by part and Â 1, (receivers, ·).
  Matrix numbers_;
  Matrix categories_;
  Matrix learned_;
  Matrix learned_gradient_;
  Matrix ones_;
};

}  // namespace tern
