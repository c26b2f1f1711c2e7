// Group norm over x [n, length, channels], channels last, with affine map, time conditioning and SiLU in one kernel each
// way. For channel c of group g of one image, with x̂ = (x − mean_g) rstd_g:
//
//   z = a_c x̂ + b_c      a_c = gamma_c (1 + scale_c)      b_c = beta_c (1 + scale_c) + shift_c      y = silu(z) or z
//
// Backward, with dz = dy · silu'(z), S1_c = Σ dz, S2_c = Σ dz x̂ over the pixels and m values in a group:
//
//   dx = rstd (a_c dz − M1_g − x̂ M2_g)      M1_g = Σ_{c in g} a_c S1_c / m      M2_g = Σ_{c in g} a_c S2_c / m
//   dgamma = Σ_n (1 + scale) S2      dbeta = Σ_n (1 + scale) S1      dscale = gamma S2 + beta S1      dshift = S1
//
// A block does `bundle` neighbouring groups of one image, so that a warp reads 128 bytes or more of each pixel. A thread
// keeps its channels and goes down the pixels; statistics are one pass, taken about a pivot near the mean so that nothing
// cancels; the second pass mostly meets the second-level cache. Where images and bundles are fewer than a device wants
// blocks, the pixels are cut into slices, and the two passes become two launches.
#include "common.h"
#include "kernels.h"

#if defined(__CUDACC__) && defined(KERNELS_BF16)
DEVICE float sigmoid(float z) {  // an instruction each, far more exact than what is stored
    float e, s;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(e) : "f"(-1.44269504f * z));
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(s) : "f"(1.0f + e));
    return s;
}
#else
DEVICE float sigmoid(float z) { return __fdividef(1.0f, 1.0f + expf(-z)); }  // the quotient within 2 units in the last place
#endif
DEVICE float siluSlope(float z) {
    float s = sigmoid(z);
    return s * (1.0f + z * (1.0f - s));
}

// A block's share of one image, and how its threads are laid over it.
struct Bundle {
    unsigned image, group, groups;   // first group and their number
    unsigned channel, width, depth;  // first channel, channels, channels of one group
    unsigned columns, rows;          // threads side by side, each with V channels, and below one another
    unsigned lines;                  // rows, or one more: odd, so that neither channels nor rows meet in a bank
    unsigned row, column;
    unsigned begin, end;             // pixels of this block's slice
    unsigned long long first;        // first element
};
template <int V> DEVICE Bundle bundleOf(int length, int channels, int groups, int bundle) {
    Bundle b;
    b.image = blockIdx.y;
    b.group = blockIdx.x * bundle;
    b.groups = b.group + bundle < groups ? bundle : groups - b.group;
    b.depth = channels / groups;
    b.channel = b.group * b.depth;
    b.width = b.groups * b.depth;
    b.columns = b.width / V < blockDim.x ? b.width / V : blockDim.x;
    b.rows = blockDim.x / b.columns;
    b.lines = b.rows | 1;
    b.row = threadIdx.x / b.columns;
    b.column = threadIdx.x - b.row * b.columns;
    unsigned slice = (length + gridDim.z - 1) / gridDim.z;
    b.begin = blockIdx.z * slice < length ? blockIdx.z * slice : length;
    b.end = b.begin + slice < length ? b.begin + slice : length;
    b.first = static_cast<unsigned long long>(b.image) * length * channels + b.channel;
    return b;
}

// The block's shared memory: two sums for each row and channel, then what belongs to a channel and to a group.
struct Shared {
    float *sum1, *sum2;  // [width, lines]
    float *a, *b, *total1, *total2;  // [width]
    float *mean, *rstd, *m1, *m2;    // [bundle]
};
DEVICE Shared sharedOf(float *memory, int width, int bundle) {
    int sums = VECTOR * static_cast<int>(blockDim.x) + width;
    Shared s;
    s.sum1 = memory;
    s.sum2 = s.sum1 + sums;
    s.a = s.sum2 + sums;
    s.b = s.a + width;
    s.total1 = s.b + width;
    s.total2 = s.total1 + width;
    s.mean = s.total2 + width;
    s.rstd = s.mean + bundle;
    s.m1 = s.rstd + bundle;
    s.m2 = s.m1 + bundle;
    return s;
}

// a_c and b_c of the bundle.
DEVICE void coefficients(const Bundle &b, const Shared &s, const float *gamma, const float *beta, const float *scale,
                         const float *shift, int channels) {
    for (unsigned c = threadIdx.x; c < b.width; c += blockDim.x) {
        unsigned at = b.channel + c, conditioned = b.image * channels + at;
        float times = scale ? 1.0f + scale[conditioned] : 1.0f;
        s.a[c] = gamma ? gamma[at] * times : times;
        s.b[c] = (beta ? beta[at] * times : 0.0f) + (shift ? shift[conditioned] : 0.0f);
    }
}

// Whether the mean is taken off each value. A bfloat16 is rounded more coarsely than floats lose when it is taken off products
// and sums instead, which saves an instruction and a register for each value.
const bool CENTRED = sizeof(T) == 4;
DEVICE float centred(float v, float mu) { return CENTRED ? v - mu : v; }

// z = k · centred(x, mu) + plus for a channel of the bundle.
DEVICE void linear(const Bundle &b, const Shared &s, unsigned c, float &mu, float &k, float &plus) {
    unsigned g = c / b.depth;
    mu = s.mean[g];
    k = s.a[c] * s.rstd[g];
    plus = CENTRED ? s.b[c] : s.b[c] - mu * k;
}

// total1 and total2 of every channel: a warp adds up its rows.
DEVICE void addRows(const Bundle &b, const Shared &s) {
    for (unsigned c = threadIdx.x >> 5; c < b.width; c += blockDim.x >> 5) {
        float sum1 = 0, sum2 = 0;
        for (unsigned row = threadIdx.x & 31; row < b.rows; row += 32) {
            sum1 += s.sum1[c * b.lines + row];
            sum2 += s.sum2[c * b.lines + row];
        }
        sum1 = warpSum(sum1);
        sum2 = warpSum(sum2);
        if ((threadIdx.x & 31) == 0) {
            s.total1[c] = sum1;
            s.total2[c] = sum2;
        }
    }
    __syncthreads();
}

// Between the two launches: total1 and total2 of every channel, sums [n, slices, 2, channels].
DEVICE void writeSums(const Bundle &b, const Shared &s, float *sums, int channels) {
    for (unsigned c = threadIdx.x; c < b.width; c += blockDim.x) {
        float *own = sums + 2ull * (b.image * gridDim.z + blockIdx.z) * channels + b.channel + c;
        own[0] = s.total1[c];
        own[channels] = s.total2[c];
    }
}
DEVICE void readSums(const Bundle &b, const Shared &s, const float *sums, int channels) {
    for (unsigned c = threadIdx.x; c < b.width; c += blockDim.x) {
        const float *all = sums + 2ull * b.image * gridDim.z * channels + b.channel + c;
        float sum1 = 0, sum2 = 0;
#pragma unroll 4
        for (unsigned slice = 0; slice < gridDim.z; slice++, all += 2 * channels) {
            sum1 += all[0];
            sum2 += all[channels];
        }
        s.total1[c] = sum1;
        s.total2[c] = sum2;
    }
    __syncthreads();
}

template <int V>
DEVICE void groupNorm(const T *x, const float *gamma, const float *beta, const float *scale, const float *shift, T *y,
                      float *mean, float *rstd, float *sums, int phase, int length, int channels, int groups, int bundle, float eps,
                      int silu) {
    DYNAMIC_SHARED(float, memory);
    Bundle b = bundleOf<V>(length, channels, groups, bundle);
    Shared s = sharedOf(memory, b.width, bundle);
    const T *from = x + b.first;

    // The pivot of a group: the mean of eight of its values.
    for (unsigned g = threadIdx.x; g < b.groups; g += blockDim.x) {
        float pivot = 0;
#pragma unroll
        for (unsigned i = 0; i < 8; i++)
            pivot += widen(from[static_cast<unsigned long long>(i * length / 8) * channels + g * b.depth + i * b.depth / 8]);
        s.m1[g] = pivot * 0.125f;
    }
    coefficients(b, s, gamma, beta, scale, shift, channels);
    __syncthreads();

    if (phase != APPLY && b.row < b.rows)
        for (unsigned c = b.column * V; c < b.width; c += b.columns * V) {
            float pivot[V], sum[V], square[V];
#pragma unroll
            for (int j = 0; j < V; j++) {
                pivot[j] = s.m1[(c + j) / b.depth];
                sum[j] = square[j] = 0;
            }
#pragma unroll 4
            for (unsigned l = b.begin + b.row; l < b.end; l += b.rows) {
                float v[V];
                load<V>(from + static_cast<unsigned long long>(l) * channels + c, v);
#pragma unroll
                for (int j = 0; j < V; j++) {
                    float d = v[j] - pivot[j];
                    sum[j] += d;
                    square[j] += d * d;
                }
            }
#pragma unroll
            for (int j = 0; j < V; j++) {
                s.sum1[(c + j) * b.lines + b.row] = sum[j];
                s.sum2[(c + j) * b.lines + b.row] = square[j];
            }
        }
    __syncthreads();
    if (phase == APPLY) readSums(b, s, sums, channels);
    else addRows(b, s);
    if (phase == SUMS) {
        writeSums(b, s, sums, channels);
        return;
    }

    // A warp adds up a group.
    for (unsigned g = threadIdx.x >> 5; g < b.groups; g += blockDim.x >> 5) {
        double sum = 0, square = 0;
        for (unsigned c = g * b.depth + (threadIdx.x & 31); c < (g + 1) * b.depth; c += 32) {
            sum += s.total1[c];
            square += s.total2[c];
        }
        sum = warpSum(sum);
        square = warpSum(square);
        if ((threadIdx.x & 31) == 0) {
            double m = static_cast<double>(length) * b.depth, off = sum / m, variance = square / m - off * off;
            if (variance < 0) variance = 0;
            s.mean[g] = static_cast<float>(s.m1[g] + off);
            s.rstd[g] = static_cast<float>(1 / sqrt(variance + eps));
            if (blockIdx.z == 0) {
                mean[b.image * groups + b.group + g] = s.mean[g];
                rstd[b.image * groups + b.group + g] = s.rstd[g];
            }
        }
    }
    __syncthreads();

    T *to = y + b.first;
    if (b.row < b.rows)
        for (unsigned c = b.column * V; c < b.width; c += b.columns * V) {
            float mu[V], k[V], plus[V];
#pragma unroll
            for (int j = 0; j < V; j++) linear(b, s, c + j, mu[j], k[j], plus[j]);
#pragma unroll 2
            for (unsigned l = b.begin + b.row; l < b.end; l += b.rows) {
                float v[V];
                unsigned long long at = static_cast<unsigned long long>(l) * channels + c;
                load<V>(from + at, v);
#pragma unroll
                for (int j = 0; j < V; j++) {
                    float z = centred(v[j], mu[j]) * k[j] + plus[j];
                    v[j] = silu ? z * sigmoid(z) : z;
                }
                store<V>(v, to + at);
            }
        }
}

// Whether every pixel of the block's share can be read and written so many values at a time.
DEVICE bool by(int vector, const T *x, const T *y, int channels, int groups, int bundle) {
    int depth = channels / groups, last = groups % bundle;
    return channels % vector == 0 && bundle * depth % vector == 0 && last * depth % vector == 0 &&
           aligned(x, vector * sizeof(T)) && aligned(y, vector * sizeof(T));
}

KERNEL_UP_TO(1024, group_norm)(const T *x, const float *gamma, const float *beta, const float *scale, const float *shift, T *y,
                   float *mean, float *rstd, float *sums, int phase, int length, int channels, int groups, int bundle,
                   float eps, int silu) {
    if (by(VECTOR, x, y, channels, groups, bundle))
        groupNorm<VECTOR>(x, gamma, beta, scale, shift, y, mean, rstd, sums, phase, length, channels, groups, bundle, eps,
                          silu);
    else if (VECTOR != 4 && by(4, x, y, channels, groups, bundle))
        groupNorm<4>(x, gamma, beta, scale, shift, y, mean, rstd, sums, phase, length, channels, groups, bundle, eps,
                          silu);
    else groupNorm<1>(x, gamma, beta, scale, shift, y, mean, rstd, sums, phase, length, channels, groups, bundle, eps,
                          silu);
}

template <int V>
DEVICE void groupNormBackward(const T *x, const float *gamma, const float *beta, const float *scale, const float *shift,
                              const float *mean, const float *rstd, const T *dy, T *dx, float *partial, float *dscale,
                              float *dshift, float *sums, int phase, int length, int channels, int groups, int bundle,
                              int silu) {
    DYNAMIC_SHARED(float, memory);
    Bundle b = bundleOf<V>(length, channels, groups, bundle);
    Shared s = sharedOf(memory, b.width, bundle);
    const T *from = x + b.first, *gradient = dy + b.first;

    for (unsigned g = threadIdx.x; g < b.groups; g += blockDim.x) {
        s.mean[g] = mean[b.image * groups + b.group + g];
        s.rstd[g] = rstd[b.image * groups + b.group + g];
    }
    coefficients(b, s, gamma, beta, scale, shift, channels);
    __syncthreads();

    if (phase != APPLY && b.row < b.rows)
        for (unsigned c = b.column * V; c < b.width; c += b.columns * V) {
            float mu[V], k[V], plus[V], sum1[V], sum2[V];
#pragma unroll
            for (int j = 0; j < V; j++) {
                linear(b, s, c + j, mu[j], k[j], plus[j]);
                sum1[j] = sum2[j] = 0;
            }
#pragma unroll 2
            for (unsigned l = b.begin + b.row; l < b.end; l += b.rows) {
                float v[V], dz[V];
                unsigned long long at = static_cast<unsigned long long>(l) * channels + c;
                load<V>(from + at, v);
                load<V>(gradient + at, dz);
#pragma unroll
                for (int j = 0; j < V; j++) {
                    float d = centred(v[j], mu[j]);
                    if (silu) dz[j] *= siluSlope(d * k[j] + plus[j]);
                    sum1[j] += dz[j];
                    sum2[j] += dz[j] * d;
                }
            }
#pragma unroll
            for (int j = 0; j < V; j++) {
                s.sum1[(c + j) * b.lines + b.row] = sum1[j];
                s.sum2[(c + j) * b.lines + b.row] = sum2[j];
            }
        }
    __syncthreads();
    if (phase == APPLY) readSums(b, s, sums, channels);
    else addRows(b, s);
    if (phase == SUMS) {
        writeSums(b, s, sums, channels);
        return;
    }

    for (unsigned c = threadIdx.x; c < b.width; c += blockDim.x) {
        unsigned g = c / b.depth, at = b.channel + c;
        float sum1 = s.total1[c], sum2 = s.rstd[g] * (CENTRED ? s.total2[c] : s.total2[c] - s.mean[g] * sum1);
        s.total2[c] = sum2;
        if (blockIdx.z != 0) continue;
        unsigned long long conditioned = static_cast<unsigned long long>(b.image) * channels + at;
        if (partial) {
            float times = scale ? 1.0f + scale[conditioned] : 1.0f;
            float *own = partial + 2ull * b.image * channels + at;
            own[0] = times * sum2;
            own[channels] = times * sum1;
        }
        if (dscale) dscale[conditioned] = gamma ? gamma[at] * sum2 + beta[at] * sum1 : sum2;
        if (dshift) dshift[conditioned] = sum1;
    }
    __syncthreads();

    for (unsigned g = threadIdx.x >> 5; g < b.groups; g += blockDim.x >> 5) {
        double m1 = 0, m2 = 0;
        for (unsigned c = g * b.depth + (threadIdx.x & 31); c < (g + 1) * b.depth; c += 32) {
            m1 += s.a[c] * s.total1[c];
            m2 += s.a[c] * s.total2[c];
        }
        m1 = warpSum(m1);
        m2 = warpSum(m2);
        if ((threadIdx.x & 31) == 0) {
            double m = static_cast<double>(length) * b.depth;
            s.m1[g] = static_cast<float>(m1 / m);
            s.m2[g] = static_cast<float>(m2 / m);
        }
    }
    __syncthreads();

    T *to = dx + b.first;
    if (b.row < b.rows)
        for (unsigned c = b.column * V; c < b.width; c += b.columns * V) {
            // dx = k dz + slope · centred(x, mu) + rest
            float mu[V], k[V], plus[V], slope[V], rest[V];
#pragma unroll
            for (int j = 0; j < V; j++) {
                unsigned g = (c + j) / b.depth;
                linear(b, s, c + j, mu[j], k[j], plus[j]);
                slope[j] = -s.rstd[g] * s.rstd[g] * s.m2[g];
                rest[j] = -s.rstd[g] * s.m1[g] - (CENTRED ? 0.0f : slope[j] * mu[j]);
            }
#pragma unroll 1
            for (unsigned l = b.begin + b.row; l < b.end; l += b.rows) {
                float v[V], dz[V];
                unsigned long long at = static_cast<unsigned long long>(l) * channels + c;
                load<V>(from + at, v);
                load<V>(gradient + at, dz);
#pragma unroll
                for (int j = 0; j < V; j++) {
                    float d = centred(v[j], mu[j]);
                    if (silu) dz[j] *= siluSlope(d * k[j] + plus[j]);
                    v[j] = k[j] * dz[j] + (slope[j] * d + rest[j]);
                }
                store<V>(v, to + at);
            }
        }
}

KERNEL_UP_TO(1024, group_norm_backward)(const T *x, const float *gamma, const float *beta, const float *scale, const float *shift,
                            const float *mean, const float *rstd, const T *dy, T *dx, float *partial, float *dscale,
                            float *dshift, float *sums, int phase, int length, int channels, int groups, int bundle,
                            int silu) {
    if (by(VECTOR, x, dx, channels, groups, bundle) && aligned(dy, VECTOR * sizeof(T)))
        groupNormBackward<VECTOR>(x, gamma, beta, scale, shift, mean, rstd, dy, dx, partial, dscale, dshift, sums, phase,
                                  length, channels, groups, bundle, silu);
    else if (VECTOR != 4 && by(4, x, dx, channels, groups, bundle) && aligned(dy, 4 * sizeof(T)))
        groupNormBackward<4>(x, gamma, beta, scale, shift, mean, rstd, dy, dx, partial, dscale, dshift, sums, phase,
                             length, channels, groups, bundle, silu);
    else
        groupNormBackward<1>(x, gamma, beta, scale, shift, mean, rstd, dy, dx, partial, dscale, dshift, sums, phase,
                             length, channels, groups, bundle, silu);
}

KERNEL(group_norm_parameters)(const float *partial, float *dgamma, float *dbeta, int n, int channels) {
    __shared__ double part[8][32];
    unsigned c = blockIdx.x * 32 + threadIdx.x, columns = 2 * channels;
    double sum = 0;
    if (c < columns) {
#pragma unroll 4
        for (int i = threadIdx.y; i < n; i += 8) sum += partial[static_cast<unsigned long long>(i) * columns + c];
    }
    part[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y != 0 || c >= columns) return;
    for (int j = 1; j < 8; j++) sum += part[j][threadIdx.x];
    if (c < channels) dgamma[c] = static_cast<float>(sum);
    else dbeta[c - channels] = static_cast<float>(sum);
}
