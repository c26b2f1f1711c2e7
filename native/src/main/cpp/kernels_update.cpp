// One sweep over all parameters, which are floats, or their gradients. Tensors are cut into pieces of fixed length that go round
// the threads in turn, so one fork serves hundreds of small tensors. Memory-bound: Adam reads four arrays and writes three.
#include <omp.h>

#include "kernels.h"
#include "kernels_math.h"

namespace ddpm {
namespace VARIANT {
namespace {

constexpr int64_t kPiece = 1 << 13;

// The numbers of the step are copied first: read through the reference they might be what a store has just changed, and the
// loop would not be vectorised.
void adam_piece(const AdamStep& step, float* w, const Value* dw, float* m, float* v, int64_t n) {
    const AdamStep p = step;
    float from1 = 1.0f - p.beta1, from2 = 1.0f - p.beta2;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        float g = dw[i] * p.gradient_scale + p.coupled * w[i];
        m[i] = p.beta1 * m[i] + from1 * g;
        v[i] = p.beta2 * v[i] + from2 * g * g;
        float change = m[i] * p.correction1 / (sqrt(v[i] * p.correction2) + p.eps);
        w[i] -= p.rate * (change + p.decoupled * w[i]);
    }
}

double square_piece(const Value* x, int64_t n) {
    double lane[8] = {};
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
#pragma omp simd
        for (int j = 0; j < 8; j++) lane[j] += static_cast<double>(x[i + j]) * static_cast<double>(x[i + j]);
    double sum = 0;
    for (; i < n; i++) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    for (int j = 0; j < 8; j++) sum += lane[j];
    return sum;
}

}  // namespace

void adam(const AdamStep& p, float* const* w, const Value* const* dw, float* const* m, float* const* v,
          const int64_t* sizes, int count) {
#pragma omp parallel
    {
        int64_t piece = 0, threads = omp_get_num_threads(), mine = omp_get_thread_num();
        for (int t = 0; t < count; t++)
            for (int64_t i = 0; i < sizes[t]; i += kPiece)
                if (piece++ % threads == mine)
                    adam_piece(p, w[t] + i, dw[t] + i, m[t] + i, v[t] + i, at_most(kPiece, sizes[t] - i));
    }
}

double sum_of_squares(const Value* const* x, const int64_t* sizes, int count, double* partial) {
    int64_t pieces = 0;
    for (int t = 0; t < count; t++) pieces += (sizes[t] + kSquareChunk - 1) / kSquareChunk;
#pragma omp parallel
    {
        int64_t piece = 0, threads = omp_get_num_threads(), mine = omp_get_thread_num();
        for (int t = 0; t < count; t++)
            for (int64_t i = 0; i < sizes[t]; i += kSquareChunk, piece++)
                if (piece % threads == mine) partial[piece] = square_piece(x[t] + i, at_most(kSquareChunk, sizes[t] - i));
    }
    double total = 0;
    for (int64_t i = 0; i < pieces; i++) total += partial[i];
    return total;
}

}  // namespace VARIANT
}  // namespace ddpm
