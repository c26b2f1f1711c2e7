#include "passes.h"

#include <omp.h>

#include <algorithm>

#include "isa.h"
#include "kernels_layers.h"

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

void column_sums(const float* x, int64_t rows, int64_t columns, float* y) {
    int64_t chunks = (rows + kRowChunk - 1) / kRowChunk;
    float* parts[2];
    workspace({2 * columns, chunks * columns}, parts);
    double* total = reinterpret_cast<double*>(parts[0]);
    auto run = isa() == Isa::avx512 ? avx512::column_sums : avx2::column_sums;
    run(x, rows, columns, parts[1], total, y);
}

void depthwise_backward_weights(const Geometry& g, const float* x, const float* dy, float* dw) {
    int64_t row = (int64_t(g.q - 1) * g.stride + g.s) * kMostLanes;           // of x, with its zeros
    int64_t image = (int64_t(g.p) * g.q + int64_t(g.r) * g.s) * kMostLanes;  // of dy, and the sums
    int64_t blocks = (g.c + 7) / 8;
    float* parts[2];
    workspace({omp_get_max_threads() * (row + image), kImageChunks * blocks * g.r * g.s * kMostLanes}, parts);
    auto run = isa() == Isa::avx512 ? avx512::depthwise_backward_weights : avx2::depthwise_backward_weights;
    run(g, x, dy, parts[0], row + image, parts[1], dw);
}

void softmax_backward_strided(const Stack& s, const float* y, const float* dy, float* dx) {
    auto run = isa() == Isa::avx512 ? avx512::softmax_backward_strided : avx2::softmax_backward_strided;
    run(s, y, dy, dx);
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
