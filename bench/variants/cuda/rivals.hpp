#pragma once

#include "bench/support/case.hpp"

namespace tern::bench {

// The cases of this library, one a file.

/// The strategies of bench/variants/cuda/propagate_*.cuh.
void add_propagate_kernels(Cases& cases);
/// The product by each algorithm of cuSPARSE, preprocessed.
void add_propagate_cusparse(Cases& cases);
/// A product by cuBLAS, a mask, and a segmented sort by CUB, over matrices of all scores.
void add_score_topk_cublas(Cases& cases);
/// Scores by Thrust, losses and gradients by reductions of CUB.
void add_bpr_cub(Cases& cases);
/// The B×B matrix by cuBLAS, its rows by a softmax, its products with both sides by cuBLAS.
void add_in_batch_softmax_cublas(Cases& cases);
/// One loop of Thrust over the table, and axpy of cuBLAS.
void add_optimizer_rivals(Cases& cases);
/// The Gram matrix by cuBLAS in f32.
void add_embedding_statistics_cublas(Cases& cases);

}  // namespace tern::bench
