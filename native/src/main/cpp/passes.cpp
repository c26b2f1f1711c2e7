#include "passes.h"

#include <omp.h>

#include <algorithm>

#include "variants.h"

namespace ddpm {

// One after the other in one block, each aligned.
static void workspace(std::initializer_list<int64_t> sizes, float** parts) {
    int64_t total = 0;
    for (int64_t size : sizes) total += (size + 15) / 16 * 16;
    float* next = static_cast<float*>(scratch().at_least(total * sizeof(float)));
    for (int64_t size : sizes) {
        *parts++ = next;
        next += (size + 15) / 16 * 16;
    }
}

void column_sums(Type type, const void* x, int64_t rows, int64_t columns, void* y) {
    bool half = type == Type::bf16;
    void* workspace = scratch().at_least(CALL_FOR(half, column_sums_workspace, rows, columns) * sizeof(float));
    CALL_FOR(half, column_sums, Address{x}, rows, columns, Address{y}, static_cast<float*>(workspace));
}

void depthwise_backward_weights(Type type, const Geometry& g, const void* x, const void* dy, void* dw) {
    int64_t row = (int64_t(g.q - 1) * g.stride + g.s) * kMostLanes;          // of x, with its zeros
    int64_t image = (int64_t(g.p) * g.q + int64_t(g.r) * g.s) * kMostLanes;  // of dy, and the sums
    int64_t blocks = (g.c + 7) / 8, each = row + image;
    float* parts[2];
    workspace({omp_get_max_threads() * each, kImageChunks * blocks * g.r * g.s * kMostLanes}, parts);
    CALL_FOR(type == Type::bf16, depthwise_backward_weights, g, Address{x}, Address{dy}, parts[0], each, parts[1],
             Address{dw});
}

void pixel_weights(const Geometry& g, const void* x, const void* dy, void* dw, void* dbias) {
    void* workspace = scratch().at_least(bf16::pixel_weights_workspace(g) * sizeof(float));
    bf16::pixel_weights(g, Address{x}, Address{dy}, Address{dw}, Address{dbias}, static_cast<float*>(workspace));
}

void softmax_backward_strided(Type type, const Stack& s, const void* y, const void* dy, void* dx) {
    CALL_FOR(type == Type::bf16, softmax_backward_strided, s, Address{y}, Address{dy}, Address{dx});
}

void repeat_row(const float* row, int64_t rows, int64_t columns, float* y) {
#pragma omp parallel for schedule(static) if (rows * columns > 1 << 14)
    for (int64_t i = 0; i < rows; i++) std::copy(row, row + columns, y + i * columns);
}

void transpose(const float* x, int64_t rows, int64_t columns, float* y) {
    constexpr int64_t tile = 16;  // a 64-byte line of floats
#pragma omp parallel for schedule(static) if (rows * columns > 1 << 16)
    for (int64_t i0 = 0; i0 < rows; i0 += tile)
        for (int64_t j0 = 0; j0 < columns; j0 += tile)
            for (int64_t j = j0; j < std::min(columns, j0 + tile); j++)
                for (int64_t i = i0; i < std::min(rows, i0 + tile); i++) y[j * rows + i] = x[i * columns + j];
}

}  // namespace ddpm
