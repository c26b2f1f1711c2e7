// Small passes over a row-major matrix [rows, columns], and the weight gradient of a depthwise convolution.
#pragma once
#include <cstdint>

#include "convolution.h"
#include "softmax.h"

namespace ddpm {

// y [columns] = Σ over the rows.
void column_sums(Type type, const void* x, int64_t rows, int64_t columns, void* y);

// y [rows, columns] = row, again and again.
void repeat_row(const float* row, int64_t rows, int64_t columns, float* y);

// y [columns, rows] = xᵀ.
void transpose(const float* x, int64_t rows, int64_t columns, float* y);

// dw [C,R,S,1] of a convolution in which each channel has one filter. (oneDNN's jit takes 24 ms for 7x7 at 128x28x28x28.)
void depthwise_backward_weights(Type type, const Geometry& g, const void* x, const void* dy, void* dw);

// dw [K,1,1,C] and, unless null, dbias [K] of a 1x1 convolution of stride 1 between at least 16 channels, in halves that the
// processor multiplies. (oneDNN's product of matrices takes up to 1.65 times as long where channels are few.)
void pixel_weights(const Geometry& g, const void* x, const void* dy, void* dw, void* dbias);

// Softmax backward with inner > 1. (oneDNN has its reference loop only: 100 ms for 128x784x28.)
void softmax_backward_strided(Type type, const Stack& s, const void* y, const void* dy, void* dx);

}  // namespace ddpm
