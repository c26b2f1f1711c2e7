// Group norm backward, as norm.h has it: the sums S1 and S2 of each channel, what they make of a group, and dx.
#include "norm.h"

// d = centred(x, mu), and v as it is held, for S channels from j on; v times silu' where that is wanted.
template <int V, int S>
DEVICE void unpack(const Linear<S> &l, const Packed<V> &x, const Packed<V> &held, int j, bool slope, float (&d)[S], float (&v)[S]) {
#pragma unroll
    for (int i = 0; i < S; i++) {
        d[i] = centred(get(x, j + i), l.mu[i]);
        v[i] = get(held, j + i);
    }
    if (slope) {
#pragma unroll
        for (int i = 0; i < S; i++) v[i] *= siluSlope(d[i] * l.k[i] + l.plus[i]);
    }
}

// The two sums of each channel, of dz and of dz · centred(x, mu), for S channels from c + j on. dz takes the place of dy where
// that loses no bits; as a bfloat16 it would be rounded, and is computed twice.
template <int V, int S, int N>
DEVICE void activate(const Bundle &b, const Shared &s, unsigned c, int j, unsigned count, int silu, const Packed<V> (&x)[N],
                     Packed<V> (&dy)[N], float *sum1, float *sum2) {
    Linear<S> l = linear<S>(b, s, c + j);
#pragma unroll
    for (int k = 0; k < N; k++)
        if (k < count) {
            float d[S], dz[S];
            unpack(l, x[k], dy[k], j, silu, d, dz);
            if (silu && Packed<V>::EACH == 1) put(dz, dy[k], j);
#pragma unroll
            for (int i = 0; i < S; i++) {
                sum1[i] += dz[i];
                sum2[i] += dz[i] * d[i];
            }
        }
}

// dx = k dz + slope · centred(x, mu) + rest in place of what `activate` left.
template <int V, int N>
DEVICE void differentiate(const Bundle &b, const Shared &s, unsigned c, unsigned count, int silu, const Packed<V> (&x)[N],
                          Packed<V> (&dy)[N]) {
    const int S = V < 2 ? V : 2;
#pragma unroll
    for (int j = 0; j < V; j += S) {
        Linear<S> l = linear<S>(b, s, c + j);
        float slope[S], rest[S];
#pragma unroll
        for (int i = 0; i < S; i++) {
            slope[i] = s.group[l.group[i]].slope;
            rest[i] = s.group[l.group[i]].rest + slope[i] * s.offset[c + j + i];
        }
#pragma unroll
        for (int k = 0; k < N; k++)
            if (k < count) {
                float d[S], v[S];
                unpack(l, x[k], dy[k], j, silu && Packed<V>::EACH == 2, d, v);
#pragma unroll
                for (int i = 0; i < S; i++) v[i] = l.k[i] * v[i] + (slope[i] * d[i] + rest[i]);
                put(v, dy[k], j);
            }
    }
}

// Where the sums of a thread's channels lie: [rows, width], or for V = 8 [2, rows, width / 2], the quads at even places before
// those at odd ones, so that neighbouring threads write neighbouring quads; the 16 keep the halves out of each other's banks.
template <int V> DEVICE unsigned halfOf(const Bundle &b) { return b.rows * (b.width / 2) + 16; }
template <int V> DEVICE unsigned place(const Bundle &b, unsigned c) {
    if (V < 8) return b.row * b.width + c;
    return (c & 4 ? halfOf<V>(b) : 0) + b.row * (b.width / 2) + (c >> 3) * 4;
}

// total1 and total2 of every channel: first threads side by side add up every so many rows, then one each what these have.
template <int V> DEVICE void addRows(const Bundle &b, const Shared &s) {
    unsigned parts = b.width < blockDim.x ? blockDim.x / b.width : 1, half = b.width / 2;
#pragma unroll 1
    for (unsigned i = threadIdx.x; i < parts * b.width; i += blockDim.x) {
        unsigned part = i / b.width, at = i - part * b.width, step = V < 8 ? b.width : half;
        if (V == 8 && at >= half) at += halfOf<V>(b) - half;
        float sum1 = 0, sum2 = 0;
#pragma unroll 2
        for (unsigned row = part; row < b.rows; row += parts) {
            sum1 += s.sum1[at + row * step];
            sum2 += s.sum2[at + row * step];
        }
        s.part1[i] = sum1;
        s.part2[i] = sum2;
    }
    __syncthreads();
#pragma unroll 1
    for (unsigned i = threadIdx.x; i < 2 * b.width; i += blockDim.x) {
        unsigned at = i < b.width ? i : i - b.width, c = at;
        const float *part = (i < b.width ? s.part1 : s.part2) + at;
        float sum = 0;
#pragma unroll 2
        for (unsigned j = 0; j < parts; j++) sum += part[j * b.width];
        if (V == 8) {
            unsigned within = at < half ? at : at - half;
            c = (within >> 2) * 8 + (at < half ? 0 : 4) + (within & 3);
        }
        if (i < b.width) s.channel[c].total1 = sum;
        else s.channel[c].total2 = sum;
    }
    __syncthreads();
}

// Between the two launches: total1 and total2 of every channel, sums [n, slices, 2, channels].
DEVICE void writeSums(const Bundle &b, const Shared &s, float *sums, int channels) {
#pragma unroll 1
    for (unsigned c = threadIdx.x; c < b.width; c += blockDim.x) {
        float *own = sums + 2ull * (b.image * gridDim.z + blockIdx.z) * channels + b.channel + c;
        own[0] = s.channel[c].total1;
        own[channels] = s.channel[c].total2;
    }
}
DEVICE void readSums(const Bundle &b, const Shared &s, const float *sums, int channels) {
#pragma unroll 1
    for (unsigned c = threadIdx.x; c < b.width; c += blockDim.x) {
        const float *all = sums + 2ull * b.image * gridDim.z * channels + b.channel + c;
        float sum1 = 0, sum2 = 0;
#pragma unroll 4
        for (unsigned slice = 0; slice < gridDim.z; slice++, all += 2 * channels) {
            sum1 += all[0];
            sum2 += all[channels];
        }
        s.channel[c].total1 = sum1;
        s.channel[c].total2 = sum2;
    }
    __syncthreads();
}

template <int V, bool ALL>
DEVICE void groupNormBackward(Bundle b, const T *x, const float *offset, const float *gamma, const float *beta,
                              const float *scale, const float *shift, const float *mean, const float *rstd, const T *dy,
                              const T *before, T *dx, float *doffset, float *partial, float *dscale, float *dshift,
                              float *sums, int phase, int length, int channels, int groups, int bundle, int silu) {
    const int QUAD = V < 4 ? V : 4, S = Packed<V>::EACH;  // channels whose sums are stored at once; that are computed at once
    DYNAMIC_SHARED(float, memory);
    Shared s = sharedOf(memory, bundle * b.depth, bundle);
    if (ALL) b.pixels = length;
    Packed<V> held[HELD_PAIRS], beside[HELD_PAIRS];
    if (ALL) {
        fetch(x + (b.first + b.column * V), b.step, b.own, held);
        fetch(dy + (b.first + b.column * V), b.step, b.own, beside);
    }
#pragma unroll 1
    for (unsigned g = threadIdx.x; g < b.groups; g += blockDim.x) {
        s.group[g].mean = mean[b.image * groups + b.group + g];
        s.group[g].rstd = rstd[b.image * groups + b.group + g];
    }
    coefficients(b, s, offset, gamma, beta, scale, shift, channels);
    __syncthreads();

    if (ALL) {
#pragma unroll
        for (int j = 0; j < V; j += QUAD) {
            float sum1[QUAD] = {}, sum2[QUAD] = {};
#pragma unroll
            for (int i = 0; i < QUAD; i += S)
                activate<V, S>(b, s, b.column * V, j + i, b.own, silu, held, beside, sum1 + i, sum2 + i);
            if (b.row >= b.rows) continue;
            store<QUAD>(sum1, s.sum1 + place<V>(b, b.column * V + j));
            store<QUAD>(sum2, s.sum2 + place<V>(b, b.column * V + j));
        }
    } else if (phase != APPLY && b.row < b.rows)
#pragma unroll 1
        for (unsigned c = b.column * V; c < b.width; c += b.columns * V) {
            float sum1[V] = {}, sum2[V] = {};
#pragma unroll 1
            for (unsigned done = 0; done < b.own; done += FEW_PAIRS) {
                unsigned count = atMost(b.own - done, FEW_PAIRS), at = b.first + c + done * b.step;
                Packed<V> few[FEW_PAIRS], beside[FEW_PAIRS];
                fetch(x + at, b.step, count, few);
                fetch(dy + at, b.step, count, beside);
#pragma unroll
                for (int j = 0; j < V; j += S) activate<V, S>(b, s, c, j, count, silu, few, beside, sum1 + j, sum2 + j);
            }
#pragma unroll
            for (int j = 0; j < V; j += QUAD) {
                store<QUAD>(sum1 + j, s.sum1 + place<V>(b, c + j));
                store<QUAD>(sum2 + j, s.sum2 + place<V>(b, c + j));
            }
        }
    if (!ALL && phase == APPLY) readSums(b, s, sums, channels);
    else {
        __syncthreads();
        addRows<V>(b, s);
    }
    if (!ALL && phase == SUMS) {
        writeSums(b, s, sums, channels);
        return;
    }

    // A warp adds up a group.
#pragma unroll 1
    for (unsigned g = threadIdx.x >> 5; g < b.groups; g += blockDim.x >> 5) {
        float m1 = 0, m2 = 0, mu = s.group[g].mean, r = s.group[g].rstd;
#pragma unroll 1
        for (unsigned c = g * b.depth + lane(); c < (g + 1) * b.depth; c += 32) {
            OfChannel own = s.channel[c];
            float sum2 = r * (own.total2 + (CENTRED ? s.offset[c] : s.offset[c] - mu) * own.total1);
            s.channel[c].total2 = sum2;
            m1 += own.a * own.total1;
            m2 += own.a * sum2;
        }
        m1 = warpSum(m1);
        m2 = warpSum(m2);
        if (lane() == 0) {
            float m = static_cast<float>(length * b.depth), slope = -r * r * __fdividef(m2, m);
            s.group[g].slope = slope;
            s.group[g].rest = -r * __fdividef(m1, m) - (CENTRED ? 0.0f : slope * mu);
        }
    }
    __syncthreads();

    if (ALL) {
        forget(held);
        forget(beside);  // and the bundle, too
        b = bundleOf<V>(length, channels, b.depth, groups, bundle);
        differentiate(b, s, b.column * V, b.own, silu, held, beside);
        if (doffset)
#pragma unroll
            for (int j = 0; j < V; j += QUAD) {
                float sum[QUAD] = {};
#pragma unroll
                for (int k = 0; k < HELD_PAIRS; k++)
#pragma unroll
                    for (int i = 0; i < QUAD; i++)
                        if (k < b.own) sum[i] += get(beside[k], j + i);
                if (b.row < b.rows) store<QUAD>(sum, s.sum1 + place<V>(b, b.column * V + j));
            }
        if (before) {
            fetch(before + (b.first + b.column * V), b.step, b.own, held);
#pragma unroll
            for (int k = 0; k < HELD_PAIRS; k++)
#pragma unroll
                for (int j = 0; j < V; j += S) {
                    float sum[S];
#pragma unroll
                    for (int i = 0; i < S; i++) sum[i] = get(beside[k], j + i) + get(held[k], j + i);
                    put(sum, beside[k], j);
                }
        }
        put(beside, dx + (b.first + b.column * V), b.step, b.own);
    } else if (b.row < b.rows)
#pragma unroll 1
        for (unsigned c = b.column * V; c < b.width; c += b.columns * V)
#pragma unroll 1
            for (unsigned done = 0; done < b.own; done += FEW_PAIRS) {
                unsigned count = atMost(b.own - done, FEW_PAIRS), at = b.first + c + done * b.step;
                Packed<V> few[FEW_PAIRS], beside[FEW_PAIRS];
                fetch(x + at, b.step, count, few);
                fetch(dy + at, b.step, count, beside);
#pragma unroll
                for (int j = 0; j < V; j += S)
                    if (Packed<V>::EACH == 1) {
                        float sum1[S] = {}, sum2[S] = {};  // not wanted again
                        activate<V, S>(b, s, c, j, count, silu, few, beside, sum1, sum2);
                    }
                differentiate(b, s, c, count, silu, few, beside);
                put(beside, dx + at, b.step, count);
            }

    if (blockIdx.z != 0) return;
#pragma unroll 1
    for (unsigned c = threadIdx.x; c < b.width; c += blockDim.x) {
        unsigned at = b.channel + c;
        float sum1 = s.channel[c].total1, sum2 = s.channel[c].total2;
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
    if (!ALL || !doffset) return;
    __syncthreads();
    addRows<V>(b, s);
#pragma unroll 1
    for (unsigned c = threadIdx.x; c < b.width; c += blockDim.x)
        doffset[static_cast<unsigned long long>(b.image) * channels + b.channel + c] = s.channel[c].total1;
}

KERNEL_UP_TO(ONE_OF_1024, group_norm_backward)(const T *x, const float *offset, const float *gamma, const float *beta,
                            const float *scale, const float *shift, const float *mean, const float *rstd, const T *dy,
                            const T *before, T *dx, float *doffset, float *partial, float *dscale, float *dshift, float *sums,
                            int phase, int length, int depth, int groups, int bundle, int silu) {
    int channels = depth * groups;
#define GROUP_NORM_BY(V, ALL)                                                                                             \
    groupNormBackward<V, ALL>(b, x, offset, gamma, beta, scale, shift, mean, rstd, dy, before, dx, doffset, partial, dscale, \
                              dshift, sums, phase, length, channels, groups, bundle, silu)
#define GROUP_NORM(V)                                                                              \
    {                                                                                              \
        Bundle b = bundleOf<V>(length, channels, depth, groups, bundle);                           \
        if (V == VECTOR && phase == WHOLE && fits(b, HELD_PAIRS)) GROUP_NORM_BY(V, (V == VECTOR)); \
        else GROUP_NORM_BY(V, false);                                                              \
    }
    if (by(VECTOR, x, dx, depth, groups, bundle) && aligned(dy, VECTOR * sizeof(T)) && aligned(before, VECTOR * sizeof(T)))
        GROUP_NORM(VECTOR)
    else if (VECTOR != 4 && by(4, x, dx, depth, groups, bundle) && aligned(dy, 4 * sizeof(T))) GROUP_NORM(4)
    else GROUP_NORM(1)
#undef GROUP_NORM
#undef GROUP_NORM_BY
}

KERNEL_UP_TO(1024, group_norm_parameters)(const float *partial, float *dgamma, float *dbeta, int n, int channels) {
    __shared__ double part[32][33];
    unsigned c = blockIdx.x * 32 + threadIdx.x, columns = 2 * channels;
    double sum = 0;
    if (c < columns) {
#pragma unroll 4
        for (int i = threadIdx.y; i < n; i += 32) sum += partial[static_cast<unsigned long long>(i) * columns + c];
    }
    part[threadIdx.x][threadIdx.y] = sum;
    __syncthreads();
    c = blockIdx.x * 32 + threadIdx.y;  // a warp adds up a column
    sum = warpSum(part[threadIdx.y][threadIdx.x]);
    if (threadIdx.x != 0 || c >= columns) return;
    if (c < channels) dgamma[c] = static_cast<float>(sum);
    else dbeta[c - channels] = static_cast<float>(sum);
}
