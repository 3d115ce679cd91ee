#pragma once

#include "bench/support/case.hpp"

namespace tern::bench {

// The cases of this library, one a file.

/// The strategies of bench/variants/cuda/propagate_*.cuh.
void add_propagate_kernels(Cases& cases);
/// cuSPARSE's product, each algorithm, preprocessed.
void add_propagate_cusparse(Cases& cases);
/// cuBLAS's product, a mask, and CUB's segmented sort, over matrices of all scores.
void add_score_topk_cublas(Cases& cases);
/// Scores by Thrust, losses and gradients by CUB's reductions.
void add_bpr_cub(Cases& cases);
/// One loop of Thrust's over the table, and cuBLAS's axpy.
void add_optimizer_rivals(Cases& cases);
/// The Gram matrix by cuBLAS in f32.
void add_embedding_statistics_cublas(Cases& cases);

}  // namespace tern::bench
