#include "columns.h"

#include <algorithm>
#include <vector>

namespace ddpm {

constexpr int64_t kChunk = 512;  // rows added by one thread in a stretch
constexpr int64_t kTile = 16;    // a 64-byte line of floats

void column_sums(const float* x, int64_t rows, int64_t columns, float* y) {
    int64_t chunks = (rows + kChunk - 1) / kChunk;
    std::vector<float> partial(chunks * columns);
#pragma omp parallel for schedule(static)
    for (int64_t chunk = 0; chunk < chunks; chunk++) {
        float* sum = partial.data() + chunk * columns;
        for (int64_t i = chunk * kChunk; i < std::min(rows, (chunk + 1) * kChunk); i++)
            for (int64_t j = 0; j < columns; j++) sum[j] += x[i * columns + j];
    }
    std::vector<double> total(columns);
    for (int64_t chunk = 0; chunk < chunks; chunk++)
        for (int64_t j = 0; j < columns; j++) total[j] += partial[chunk * columns + j];
    for (int64_t j = 0; j < columns; j++) y[j] = static_cast<float>(total[j]);
}

void transpose(const float* x, int64_t rows, int64_t columns, float* y) {
#pragma omp parallel for schedule(static) if (rows * columns > 1 << 16)
    for (int64_t i0 = 0; i0 < rows; i0 += kTile)
        for (int64_t j0 = 0; j0 < columns; j0 += kTile)
            for (int64_t j = j0; j < std::min(columns, j0 + kTile); j++)
                for (int64_t i = i0; i < std::min(rows, i0 + kTile); i++) y[j * rows + i] = x[i * columns + j];
}

}  // namespace ddpm
