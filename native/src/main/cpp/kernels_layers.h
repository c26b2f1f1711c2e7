// Hand-written passes beside oneDNN's: what it leaves to its reference loops or does slowly. Workspace is the caller's, for
// code that is compiled several times must not contain templates of the standard library: the linker would keep one of the
// copies for all.
#pragma once
#include <cstdint>

#include "convolution.h"
#include "softmax.h"
#include "value.h"

namespace ddpm {

constexpr int64_t kRowChunk = 512;   // rows of a column sum that are added in one stretch
constexpr int64_t kRowStrip = 1024;  // neighbouring sums that are kept in cache while rows are added up
constexpr int kImageChunks = 32;     // stretches of the images of a depthwise weight gradient
constexpr int kMostLanes = 16;       // floats in a vector

// How the sums are cut depends on the shape alone, so results do not depend on the number of threads.
DDPM_FOR_EACH_VARIANT(
    int64_t column_sums_workspace(int64_t rows, int64_t columns);
    void column_sums(const Value* x, int64_t rows, int64_t columns, Value* y, float* workspace);
    void depthwise_backward_weights(const Geometry& g, const Value* x, const Value* dy, float* workspace,
                                    int64_t workspace_per_thread, float* partial, Value* dw);
    void softmax_backward_strided(const Stack& s, const Value* y, const Value* dy, Value* dx);)

namespace bf16 {
int64_t pixel_weights_workspace(const Geometry& g);
void pixel_weights(const Geometry& g, const Bf16* x, const Bf16* dy, Bf16* dw, Bf16* dbias, float* workspace);
}  // namespace bf16

}  // namespace ddpm
