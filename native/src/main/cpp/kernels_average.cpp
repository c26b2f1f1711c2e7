// The average of all parameters in one sweep, shared out as in kernels_update.cpp.
#include <omp.h>

#include "kernels.h"
#include "kernels_math.h"

namespace ddpm {
namespace VARIANT {
namespace {

constexpr int64_t kPiece = 1 << 13;

void average_piece(float decay, float* average, const float* w, int64_t n) {
    float rest = 1.0f - decay;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) average[i] = decay * average[i] + rest * w[i];
}

}  // namespace

void exponential_average(float decay, float* const* average, const float* const* w, const int64_t* sizes, int count) {
#pragma omp parallel
    {
        int64_t piece = 0, threads = omp_get_num_threads(), mine = omp_get_thread_num();
        for (int t = 0; t < count; t++)
            for (int64_t i = 0; i < sizes[t]; i += kPiece)
                if (piece++ % threads == mine)
                    average_piece(decay, average[t] + i, w[t] + i, at_most(kPiece, sizes[t] - i));
    }
}

}  // namespace VARIANT
}  // namespace ddpm
