// Rounds floats to bfloat16 and back; exists for bfloat16 only.
#include "kernels.h"

namespace ddpm {
namespace VARIANT {

void narrow(const float* x, Bf16* y, int64_t n) {
#pragma omp parallel for simd schedule(static) if (n > kSerial)
    for (int64_t i = 0; i < n; i++) y[i] = x[i];
}

void widen(const Bf16* x, float* y, int64_t n) {
#pragma omp parallel for simd schedule(static) if (n > kSerial)
    for (int64_t i = 0; i < n; i++) y[i] = x[i];
}

}  // namespace VARIANT
}  // namespace ddpm
