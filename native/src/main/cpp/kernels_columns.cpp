#include <omp.h>

#include "kernels_rows.h"

namespace ddpm {
namespace VARIANT {

int64_t column_sums_workspace(int64_t rows, int64_t columns) {
    return (rows + kRowChunk - 1) / kRowChunk * columns + omp_get_max_threads() * rows_width(columns);
}

void column_sums(const Value* x, int64_t rows, int64_t columns, Value* y, float* workspace) {
    int64_t chunks = (rows + kRowChunk - 1) / kRowChunk, width = rows_width(columns);
    float *parts = workspace, *sums = parts + chunks * columns;
#pragma omp parallel for schedule(static) if (rows * columns > kSerial)
    for (int64_t chunk = 0; chunk < chunks; chunk++) {
        float* sum = sums + omp_get_thread_num() * width;
        int64_t first = chunk * kRowChunk, count = at_most(kRowChunk, rows - first);
        clear(sum, width);
        add_rows(x + first * columns, count * columns, width, sum);
        for (int64_t j = 0; j < columns; j++)
            parts[chunk * columns + j] = static_cast<float>(fold(sum, width, columns, j, 1));
    }
    for (int64_t j = 0; j < columns; j++) y[j] = static_cast<float>(fold(parts, chunks * columns, columns, j, 1));
}

// dx = y · (dy − Σ y·dy), the sum along the middle axis; neighbours along the inner axis side by side.
void softmax_backward_strided(const Stack& s, const Value* y, const Value* dy, Value* dx) {
    constexpr int64_t width = 64;
    int64_t strips = (s.inner + width - 1) / width;
#pragma omp parallel for schedule(static)
    for (int64_t task = 0; task < s.outer * strips; task++) {
        int64_t first = task % strips * width;
        int64_t count = s.inner - first < width ? s.inner - first : width;
        int64_t base = task / strips * s.length * s.inner + first;
        float dot[width] = {};
        for (int64_t i = 0; i < s.length; i++) {
            const Value *yi = y + base + i * s.inner, *dyi = dy + base + i * s.inner;
            for (int64_t j = 0; j < count; j++) dot[j] += yi[j] * dyi[j];
        }
        for (int64_t i = 0; i < s.length; i++) {
            const Value *yi = y + base + i * s.inner, *dyi = dy + base + i * s.inner;
            Value* dxi = dx + base + i * s.inner;
#pragma omp simd
            for (int64_t j = 0; j < count; j++) dxi[j] = yi[j] * (dyi[j] - dot[j]);
        }
    }
}

}  // namespace VARIANT
}  // namespace ddpm
