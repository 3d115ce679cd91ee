#pragma once

#include <cstdint>

namespace tern {

/// The bytes and operations of one call of an op: the fewest bytes that any implementation reads
/// and writes if no gathered row is in a cache, and the floating-point operations (a fused
/// multiply-add counts as two, a root or a division as one). f32 values, 4-byte ids, 8-byte
/// offsets. Benchmarks divide by these, so that rivals of an op are compared by the same measure.
struct Cost {
  double bytes = 0.0;
  double flops = 0.0;
  double written = 0.0;   // of the bytes; the others are read
  double gathered = 0.0;  // of the bytes read: rows of embeddings by a list of ids
  friend bool operator==(const Cost&, const Cost&) = default;
};

/// propagate to `rows` rows over `edges` edges: per edge an id, a scale and a row of x; per row an
/// offset, a scale and a row of y; with an addend one more row read and one addition an element.
/// gathered_value: bytes of an element of x, 2 for bf16.
Cost propagate_cost(std::int64_t rows, std::int64_t edges, std::int64_t width, bool with_addend,
                    double gathered_value = 4.0);

/// bpr over `triplets` with `user_rows` + `item_rows` distinct rows: each triplet's three rows for
/// the score, then per occurrence the rows that its gradient needs (two for a user, one for an
/// item), an id and a weight; each distinct row's gradient written once.
Cost bpr_cost(std::int64_t triplets, std::int64_t user_rows, std::int64_t item_rows,
              std::int64_t width);

/// in_batch_softmax of `pairs`: each pair's rows read, each pair's gradients written; three products of
/// pairs² · width (logits and both gradients); of each logit a difference, an exponent and a sum.
Cost in_batch_softmax_cost(std::int64_t pairs, std::int64_t width);

/// alignment_uniformity of `pairs`: rows and gradients as above; for each side two products of
/// pairs² · width (exponents, gradient); of each exponent a bias, its power and a sum.
Cost alignment_uniformity_cost(std::int64_t pairs, std::int64_t width);

/// info_nce over `nodes` distinct nodes: as in_batch_softmax, and the gradients read before.
Cost info_nce_cost(std::int64_t nodes, std::int64_t width);

/// sampled_contrast of `pairs` with M `negatives` each: for the cosines, rows of user, positive and
/// negatives read, a weight for each negative written; for the gradient, each cosine's weight and the
/// other row read for either of its rows, and each distinct row written; 2 · width operations for each
/// of these three uses of a cosine. Norms and exponents are left out.
Cost sampled_contrast_cost(std::int64_t pairs, std::int64_t negatives, std::int64_t user_rows,
                           std::int64_t item_rows, std::int64_t width);

/// l2_penalty over `rows` distinct rows: the row and its gradient read, the gradient written.
Cost l2_penalty_cost(std::int64_t rows, std::int64_t width);

/// adam on `elements`: gradient read; parameter and both moments read and written.
Cost adam_cost(std::int64_t elements);
/// adam_catch_up of `elements` by as many steps each, without weight decay: parameter and both moments
/// read and written once.
Cost adam_catch_up_cost(std::int64_t elements, std::int64_t steps);

/// sgd on `elements`: gradient read; parameter, and with momentum the velocity, read and written.
Cost sgd_cost(std::int64_t elements, bool with_momentum);

/// score_topk of `queries` against `items`: both tables read once, the product's 2·Q·I·D
/// operations.
Cost score_topk_cost(std::int64_t queries, std::int64_t items, std::int64_t width);

/// embedding_statistics of (rows, width): the table read once, the Gram matrix's 2·N·D² operations.
Cost embedding_statistics_cost(std::int64_t rows, std::int64_t width);

/// linear_relu_batchnorm in training, both sums with a bias, normalised: all inputs (of both sums,
/// `inputs` columns together) read once; a written and read again, z written. 2 operations an
/// element of each product; of a: two biases, the outer sum and two ReLUs, mean and deviation 4,
/// normalisation 4.
Cost dense_forward_cost(std::int64_t rows, std::int64_t inputs, std::int64_t cols);

/// Its backward pass with every gradient: grad_z and a read twice, since the second time needs sums
/// of the first; inputs read, their gradients written, weights likewise. Two products for each of
/// the forward pass; of a: ∂γ and ∂β 5, ∂a 5, two masks, two biases.
Cost dense_backward_cost(std::int64_t rows, std::int64_t inputs, std::int64_t cols);

/// dropout of (rows, cols): every element written once, and the share `read` of them read and multiplied.
/// Dropped rows need not be read; dropped elements lie in the same cache lines as others.
Cost dropout_cost(std::int64_t elements, double read = 1.0);

/// perturb of `elements`, of which `summed` are added to a sum: values and sum read and written once;
/// a square and its addition, a product and its addition, and in the sum one of each.
Cost perturb_cost(std::int64_t elements, std::int64_t summed);

/// normalize_rows of `elements`, of which `summed` are added to a sum: x read, y written, the sum read
/// and written once; a square and its addition, a product, and in the sum one of each.
Cost normalize_rows_cost(std::int64_t elements, std::int64_t summed);

/// Its backward pass, with `added` elements of an addend: x, the gradient and the addend read, the
/// result written once; two sums of products, the projection, a product, and the addend's two.
Cost normalize_rows_backward_cost(std::int64_t elements, std::int64_t added);

/// sample of `triplets`: the triplets written, and per triplet two offsets and one id read.
Cost sample_cost(std::int64_t triplets);

}  // namespace tern
