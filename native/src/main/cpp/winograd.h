// 3x3 convolutions of stride 1, in floats, by Winograd's F(2x2, 3x3): 16 products for every 2x2 results of a channel
// instead of 36. The formulas stand in kernels_winograd.cpp.
#pragma once
#include <cstdint>

#include "convolution.h"

namespace ddpm {

void winograd(const Geometry& g, const float* x, const float* w, const float* bias, float* y, PackedFilters& packed,
              int64_t version);
void winograd_backward_data(const Geometry& g, const float* w, const float* dy, float* dx, PackedFilters& packed,
                            int64_t version);
void winograd_backward_weights(const Geometry& g, const float* x, const float* dy, float* dw, float* dbias);

}  // namespace ddpm
