// 3x3 convolutions of stride 1 by Winograd's F(m x m, 3x3): 36 products for 4x4 results of a channel instead of 144, or 16 for
// 2x2 instead of 36. The formulas stand in kernels_winograd.cpp. Halves ask for a processor that multiplies them (isa.h).
#pragma once
#include <cstdint>

#include "convolution.h"

namespace ddpm {

void winograd(Type type, const Geometry& g, const void* x, const void* w, const void* bias, void* y,
              PackedFilters& packed, int64_t version);
void winograd_backward_data(Type type, const Geometry& g, const void* w, const void* dy, void* dx,
                            PackedFilters& packed, int64_t version);
void winograd_backward_weights(Type type, const Geometry& g, const void* x, const void* dy, void* dw, void* dbias);

}  // namespace ddpm
