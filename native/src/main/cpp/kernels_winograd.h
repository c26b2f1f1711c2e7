// The kernels behind winograd.h, for floats.
#pragma once
#include "convolution.h"
#include "value.h"

namespace ddpm {

constexpr int64_t kWinogradCached = int64_t(1) << 21;  // floats of V and M at a time: 8 MiB

DDPM_FOR_EACH_FLOAT_VARIANT(
    int64_t winograd_workspace(const Geometry& g);
    int64_t winograd_filter_size(const Geometry& g);
    void winograd_filters(const Geometry& g, bool turned, const float* w, float* u);
    void winograd(const Geometry& g, const float* x, const float* u, const float* bias, float* y, float* workspace);
    void winograd_backward_weights(const Geometry& g, const float* x, const float* dy, float* dw, float* workspace);)

}  // namespace ddpm
