// Small passes over a row-major matrix [rows, columns].
#pragma once
#include <cstdint>

namespace ddpm {

// y [columns] = Σ over the rows, in an order that depends on the shape alone.
void column_sums(const float* x, int64_t rows, int64_t columns, float* y);

// y [columns, rows] = xᵀ.
void transpose(const float* x, int64_t rows, int64_t columns, float* y);

}  // namespace ddpm
