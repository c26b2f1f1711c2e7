#include "kernels_layers.h"

namespace ddpm {
namespace VARIANT {

void column_sums(const Value* x, int64_t rows, int64_t columns, float* partial, double* total, Value* y) {
    int64_t chunks = (rows + kRowChunk - 1) / kRowChunk;
#pragma omp parallel for schedule(static)
    for (int64_t chunk = 0; chunk < chunks; chunk++) {
        float* sum = partial + chunk * columns;
        int64_t end = (chunk + 1) * kRowChunk < rows ? (chunk + 1) * kRowChunk : rows;
        for (int64_t j = 0; j < columns; j++) sum[j] = 0;
        for (int64_t i = chunk * kRowChunk; i < end; i++)
#pragma omp simd
            for (int64_t j = 0; j < columns; j++) sum[j] += x[i * columns + j];
    }
    for (int64_t j = 0; j < columns; j++) total[j] = 0;
    for (int64_t chunk = 0; chunk < chunks; chunk++)
        for (int64_t j = 0; j < columns; j++) total[j] += partial[chunk * columns + j];
    for (int64_t j = 0; j < columns; j++) y[j] = static_cast<float>(total[j]);
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
