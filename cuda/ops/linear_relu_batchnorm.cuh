#pragma once

// All of a dense layer beside its products, z = BN(f(f(inner) + outer)), as the other ops have it
// in one file: split by pass. In passes (one read or write of N×C floats; N = 1M, C = 64: 256 MB,
// 60 µs at 4.3 TB/s), beyond what products read of their factors and write of their sum:
//
//                                      forward                       backward
//   one sum, normalised     3: statistics read,           5: sums read 2, gradient reads 2,
//                              output reads, writes z        writes ∂
//   two sums, normalised    5: statistics read 2,         6: the same, two ∂ written
//                              write a; output as above
//   one sum, ReLU alone     2: output reads, writes z     3: gradient reads 2, writes ∂
//   two sums, ReLU alone    4: read 2, write a and z      4: the same, two ∂ written
//   linear, one sum         0: bias by epilogue           1: grad_z read where a bias wants it
//
// A form without normalisation counts as above in evaluation too; normalised ones take 2 or 3
// there. What is left out on purpose: cuBLASLt's ReLU epilogue on the inner sum would save the form
// of two sums one pass of five (the outer product adding to it), but max(x, 0), as its
// documentation has it, does not say that NaN stays NaN, which is promised here. Gradients of
// biases come with the pass that makes ∂, so that BGRADA would save nothing. Nor is the mask of the
// inner ReLU an array: it is the sign bit of a.
//
// Every pass is bound by memory: some ten flops for each 4 bytes. Loads and stores are plain, since
// a matrix that fits the L2 cache is found there by the next pass.

#include "cuda/ops/dense_backward.cuh"
#include "cuda/ops/dense_forward.cuh"
