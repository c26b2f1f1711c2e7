// Hand-written passes beside oneDNN's: what it leaves to its reference loops or does slowly. Each exists twice, for two
// instruction sets; the functions of namespace ddpm choose. Workspace is the caller's, for code that is compiled twice
// must not contain templates of the standard library: the linker would keep one of the two copies for both.
#pragma once
#include <cstdint>

#include "convolution.h"
#include "softmax.h"

#define DDPM_FOR_EACH_ISA(declarations) \
    namespace avx2 {                    \
    declarations                        \
    }                                   \
    namespace avx512 {                  \
    declarations                        \
    }

namespace ddpm {

constexpr int64_t kRowChunk = 512;   // rows of a column sum that are added in one stretch
constexpr int kImageChunks = 32;     // stretches of the images of a depthwise weight gradient
constexpr int kMostLanes = 16;       // floats in a vector

// How the sums are cut depends on the shape alone, so results do not depend on the number of threads.
DDPM_FOR_EACH_ISA(
    void column_sums(const float* x, int64_t rows, int64_t columns, float* partial, double* total, float* y);
    void depthwise_backward_weights(const Geometry& g, const float* x, const float* dy, float* workspace,
                                    int64_t workspace_per_thread, float* partial, float* dw);
    void softmax_backward_strided(const Stack& s, const float* y, const float* dy, float* dx);)

}  // namespace ddpm
