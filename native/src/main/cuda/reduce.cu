// Sums and maxima over any axes, in one or two stages without atomics: the order of summation is a function of shape and
// launch. Threads add in double, so that the length of a row does not matter; every value is read once.
#include "common.h"
#include "axes.h"
#include "kernels.h"

#define LOWEST __uint_as_float(0xff800000u)  // −∞

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
        result = LOWEST;
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
    double result = maximum ? static_cast<double>(LOWEST) : 0;
    if (o < outputs) {
        const T *column = x + place(kept, o);
        if (maximum) {
            float most = LOWEST;
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

KERNEL(reduce_finish)(const float *partial, void *y, int outputs, int slices, int maximum, int yFloat) {
    FLAT(o, 0, outputs) {
        double sum = 0;
        float most = LOWEST;
        for (int s = 0; s < slices; s++) {
            float value = partial[static_cast<unsigned>(s) * outputs + o];
            sum += value;
            most = larger(most, value);
        }
        put(maximum ? most : static_cast<float>(sum), o, y, yFloat, nullptr, outputs, 1);
    }
}
