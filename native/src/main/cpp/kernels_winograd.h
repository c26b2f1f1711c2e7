// The kernels behind winograd.h. Those for halves ask for AVX512_BF16.
#pragma once
#include "convolution.h"
#include "value.h"

namespace ddpm {

DDPM_FOR_EACH_VARIANT(
    int winograd_tile(const Geometry& g);                       // results of a line that are made together: 2 or 4
    int64_t winograd_workspace(const Geometry& g, int tile);    // in floats, for the passes below
    int64_t winograd_filter_size(const Geometry& g, int tile);  // in floats
    void winograd_filters(const Geometry& g, int tile, bool turned, const Value* w, float* u);
    void winograd(const Geometry& g, int tile, const Value* x, const float* u, const Value* bias, Value* y,
                  float* workspace);
    void winograd_backward_weights(const Geometry& g, int tile, const Value* x, const Value* dy, Value* dw,
                                   float* workspace);)

}  // namespace ddpm
