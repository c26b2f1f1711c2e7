// Sums and maxima over any axes, in one or two stages without atomics: the order of summation is a function of shape and
// launch. Threads add in double, so that the length of a row does not matter; every value is read once.
#include "common.h"
#include "axes.h"
#include "kernels.h"

// The values that a block takes of each output: [begin, end).
struct Stretch {
    unsigned begin, end;
};
DEVICE Stretch stretch(int count, int slices) {
    unsigned length = (static_cast<unsigned>(count) + slices - 1) / slices, begin = blockIdx.y * length;
    Stretch s = {begin, begin + length < count ? begin + length : count};
    return s;
}

DEVICE void put(float value, unsigned o, void *y, int yFloat, float *partial, int outputs, int slices) {
    if (slices > 1) partial[blockIdx.y * static_cast<unsigned>(outputs) + o] = value;
    else if (yFloat) static_cast<float *>(y)[o] = value;
    else narrow(value, static_cast<T *>(y)[o]);
}

KERNEL(reduce_rows)(const T *x, void *y, float *partial, int outputs, int count, int slices, int maximum, int yFloat,
                    Axes kept, Axes reduced) {
    Stretch s = stretch(count, slices);
    const T *row = x + place(kept, blockIdx.x);
    float result;
    if (maximum) {
        result = LEAST;
        for (unsigned r = s.begin + threadIdx.x; r < s.end; r += blockDim.x)
            result = larger(result, widen(row[place(reduced, r)]));
        result = blockMax(result);
    } else {
        double sum = 0;
        for (unsigned r = s.begin + threadIdx.x; r < s.end; r += blockDim.x) sum += widen(row[place(reduced, r)]);
        result = static_cast<float>(blockSum(sum));
    }
    if (threadIdx.x == 0) put(result, blockIdx.x, y, yFloat, partial, outputs, slices);
}

KERNEL(reduce_columns)(const T *x, void *y, float *partial, int outputs, int count, int slices, int maximum, int yFloat,
                       Axes kept, Axes reduced) {
    __shared__ double part[8][32];
    Stretch s = stretch(count, slices);
    unsigned o = blockIdx.x * 32 + threadIdx.x;
    double result = maximum ? static_cast<double>(LEAST) : 0;
    if (o < outputs) {
        const T *column = x + place(kept, o);
        if (maximum) {
            float most = LEAST;
            for (unsigned r = s.begin + threadIdx.y; r < s.end; r += 8)
                most = larger(most, widen(column[place(reduced, r)]));
            result = most;
        } else
            for (unsigned r = s.begin + threadIdx.y; r < s.end; r += 8) result += widen(column[place(reduced, r)]);
    }
    part[threadIdx.y][threadIdx.x] = result;
    __syncthreads();
    if (threadIdx.y == 0 && o < outputs) {
        for (int j = 1; j < 8; j++)
            result = maximum ? larger(static_cast<float>(result), static_cast<float>(part[j][threadIdx.x]))
                             : result + part[j][threadIdx.x];
        put(static_cast<float>(result), o, y, yFloat, partial, outputs, slices);
    }
}

// Few values for each output, whose innermost axis stays: a thread adds up VECTOR neighbours.
KERNEL(reduce_few)(const T *x, void *y, int outputs, int count, int maximum, int yFloat, Axes kept, Axes reduced) {
    bool runs = kept.first[0] == 1 && (kept.rank == 1 || kept.size[0] % VECTOR == 0) && runsAligned(x, kept.first, kept.rank) &&
                stepsAligned(reduced.first, reduced.rank);
    unsigned vectors = runs ? outputs / VECTOR : 0;
    FLAT(i, 0, vectors) {
        const T *from = x + place(kept, i * VECTOR);
        float result[VECTOR], v[VECTOR];
        load<VECTOR>(from, result);
        for (unsigned r = 1; r < count; r++) {
            load<VECTOR>(from + place(reduced, r), v);
#pragma unroll
            for (int j = 0; j < VECTOR; j++) result[j] = maximum ? larger(result[j], v[j]) : result[j] + v[j];
        }
#pragma unroll
        for (int j = 0; j < VECTOR; j++) put(result[j], i * VECTOR + j, y, yFloat, nullptr, outputs, 1);
    }
    FLAT(o, vectors * VECTOR, outputs) {
        const T *from = x + place(kept, o);
        float result = widen(from[0]);
        for (unsigned r = 1; r < count; r++) {
            float v = widen(from[place(reduced, r)]);
            result = maximum ? larger(result, v) : result + v;
        }
        put(result, o, y, yFloat, nullptr, outputs, 1);
    }
}

const int LINES = 256;        // threads of a block that sums columns
const int BATCH_OF_ROWS = 8;  // that a thread adds up in float

template <int V>
DEVICE void columnSums(const T *x, void *y, float *partial, int columns, int count, int row, int image, int slices, int yFloat) {
    DYNAMIC_SHARED(double, part);  // [lines, side · V]
    unsigned first = blockIdx.x * LINES, side = columns / V - first;
    if (side > LINES) side = LINES;
    unsigned lines = LINES / side, line = threadIdx.x / side, at = threadIdx.x - line * side;
    Stretch s = stretch(count, slices);
    double sum[V] = {};
    if (line < lines) {
        const T *from = x + static_cast<unsigned long long>(blockIdx.z) * image + (first + at) * V;
        for (unsigned r = s.begin + line; r < s.end; r += BATCH_OF_ROWS * lines) {
            float v[BATCH_OF_ROWS][V];
#pragma unroll
            for (int k = 0; k < BATCH_OF_ROWS; k++) {  // a branch would wait for the values that it loads and widens
                unsigned at = r + k * lines;
                load<V>(from + static_cast<unsigned long long>(at < s.end ? at : r) * row, v[k]);
#pragma unroll
                for (int j = 0; j < V; j++) v[k][j] = at < s.end ? v[k][j] : 0.0f;
            }
#pragma unroll
            for (int j = 0; j < V; j++)
                sum[j] += static_cast<double>(((v[0][j] + v[1][j]) + (v[2][j] + v[3][j])) + ((v[4][j] + v[5][j]) + (v[6][j] + v[7][j])));
        }
#pragma unroll
        for (int j = 0; j < V; j++) part[(line * side + at) * V + j] = sum[j];
    }
    __syncthreads();
    for (unsigned c = threadIdx.x; c < side * V; c += LINES) {
        double total = 0;
        for (unsigned k = 0; k < lines; k++) total += part[k * side * V + c];
        put(static_cast<float>(total), blockIdx.z * columns + first * V + c, y, yFloat, partial, gridDim.z * columns, slices);
    }
}

KERNEL(column_sums)(const T *x, void *y, float *partial, int columns, int count, int row, int image, int vector, int slices,
                    int yFloat) {
    if (vector == VECTOR) columnSums<VECTOR>(x, y, partial, columns, count, row, image, slices, yFloat);
    else if (vector == 4) columnSums<4>(x, y, partial, columns, count, row, image, slices, yFloat);
    else columnSums<1>(x, y, partial, columns, count, row, image, slices, yFloat);
}

// The slices first, first + step, … of output o; many loads are under way at once.
DEVICE void addSlices(const float *partial, unsigned o, unsigned outputs, unsigned slices, unsigned first, unsigned step, int maximum,
                      double &sum, float &most) {
    for (unsigned s = first; s < slices; s += FEW_SLICES * step) {
        float v[FEW_SLICES];
#pragma unroll
        for (int k = 0; k < FEW_SLICES; k++)
            v[k] = s + k * step < slices ? partial[(s + k * step) * outputs + o] : maximum ? LEAST : 0.0f;
#pragma unroll
        for (int k = 0; k < FEW_SLICES; k++) {
            sum += v[k];
            most = larger(most, v[k]);
        }
    }
}

KERNEL(reduce_finish)(const float *partial, void *y, int outputs, int slices, int maximum, int yFloat) {
    __shared__ double part[32][9];  // an odd number of columns, so that a column lies in different banks
    double sum = 0;
    float most = LEAST;
    if (slices <= FEW_SLICES) {  // a thread for each output
        unsigned o = flatThread();
        if (o >= outputs) return;
        addSlices(partial, o, outputs, slices, 0, 1, maximum, sum, most);
        put(maximum ? most : static_cast<float>(sum), o, y, yFloat, nullptr, outputs, 1);
        return;
    }
    // Eight outputs side by side and 32 lines of threads, then a warp for each output.
    unsigned column = threadIdx.x % 8, line = threadIdx.x / 8, o = blockIdx.x * 8 + column;
    if (o < outputs) addSlices(partial, o, outputs, slices, line, 32, maximum, sum, most);
    part[line][column] = maximum ? most : sum;
    __syncthreads();
    unsigned warp = threadIdx.x >> 5;
    sum = part[lane()][warp];
    float result = maximum ? warpMax(static_cast<float>(sum)) : static_cast<float>(warpSum(sum));
    o = blockIdx.x * 8 + warp;
    if (lane() == 0 && o < outputs) put(result, o, y, yFloat, nullptr, outputs, 1);
}

// 32 outputs side by side, 8 lines of threads for the slices of each, of which a thread loads a batch before it adds.
KERNEL(final_sums)(Sums sums) {
    const unsigned LINES_OF_SLICES = 8, BATCH_OF_SLICES = 16;
    __shared__ double part[LINES_OF_SLICES][32];
    const SumOfOne &own = ownOf(sums);
    unsigned o = (blockIdx.x - own.first) * 32 + threadIdx.x, outputs = own.outputs, slices = own.slices, row = own.row;
    double sum = 0;
    if (o < outputs) {
        const float *from = own.partial + o;
        for (unsigned s = threadIdx.y; s < slices; s += BATCH_OF_SLICES * LINES_OF_SLICES) {
            float v[BATCH_OF_SLICES];
#pragma unroll
            for (unsigned k = 0; k < BATCH_OF_SLICES; k++) {  // a branch would wait for each
                unsigned at = s + k * LINES_OF_SLICES;
                v[k] = from[static_cast<unsigned long long>(at < slices ? at : s) * row];
                v[k] = at < slices ? v[k] : 0.0f;
            }
#pragma unroll
            for (unsigned k = 0; k < BATCH_OF_SLICES; k++) sum += v[k];
        }
    }
    part[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y != 0 || o >= outputs) return;
    for (unsigned line = 1; line < LINES_OF_SLICES; line++) sum += part[line][threadIdx.x];
    float result = static_cast<float>(sum);
    if (o >= own.split) own.rest[o - own.split] = result;
    else if (own.half) narrow(result, static_cast<bf16 *>(own.y)[o]);
    else static_cast<float *>(own.y)[o] = result;
}
