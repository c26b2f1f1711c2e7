// Group norm backward, as norm.h has it: the sums S1 and S2 of each channel, what they make of a group, and dx.
#include "norm.h"

// Channels that are computed at once: one or two such quads are a vector.
template <int V> const int QUAD = V < 4 ? V : 4;

// Σ dz and Σ dz · centred(x, mu) of each of a quad's channels, from c + j on. As a float dz takes the place of dy; as a bfloat16
// it would be rounded, and is computed twice. With SiLU it is UNIT dz.
template <int V, bool SILU, int N, int S>
DEVICE void activate(const Shared &s, unsigned c, int j, unsigned count, const Packed<V> (&x)[N], Packed<V> (&dy)[N],
                     float (&sum1)[S], float (&sum2)[S]) {
    Linear<S> l = linear<S>(s, c + j);
#pragma unroll
    for (int k = 0; k < N; k++) {
        if (k >= count) break;
        float dz[S];
#pragma unroll
        for (int i = 0; i < S; i++) {
            float d = centred(get(x[k], j + i), l.mu[i]);
            dz[i] = get(dy[k], j + i);
            if (SILU) dz[i] *= siluSlope(d * l.rise[i] + l.plus[i]);
            sum1[i] += dz[i];
            sum2[i] += dz[i] * d;
        }
        if (SILU && Packed<V>::EACH == 1) put(dz, dy[k], j);
    }
}
template <int V, int N, int S>
DEVICE void activate(const Shared &s, unsigned c, int j, unsigned count, int silu, const Packed<V> (&x)[N], Packed<V> (&dy)[N],
                     float (&sum1)[S], float (&sum2)[S]) {
    if (silu) activate<V, true>(s, c, j, count, x, dy, sum1, sum2);
    else activate<V, false>(s, c, j, count, x, dy, sum1, sum2);
}

// What other uses of x have contributed to its gradient, as far as it is in registers.
template <int V, int N> struct Before {
    Packed<V> first[N], second[N];
};
// dx = k dz + slope · centred(x, mu) + rest in place of x, from what `activate` left, and what came before; and the sum of each
// channel, with that or without.
template <int V, bool SILU, int N, int S>
DEVICE void differentiate(const Shared &s, unsigned c, int j, unsigned count, Packed<V> (&x)[N], const Packed<V> (&dy)[N],
                          const Before<V, N> *before, bool all, float (&sum)[S]) {
    Linear<S> l = linear<S>(s, c + j);
    float factor[S], slope[S], rest[S];
    load<S>(s.k + c + j, factor);
    load<S>(s.slope + c + j, slope);
    load<S>(s.rest + c + j, rest);
#pragma unroll
    for (int k = 0; k < N; k++) {
        if (k >= count) break;
        float v[S];
#pragma unroll
        for (int i = 0; i < S; i++) {
            float d = centred(get(x[k], j + i), l.mu[i]);
            v[i] = get(dy[k], j + i);
            if (SILU && Packed<V>::EACH == 2) v[i] *= siluSlope(d * l.rise[i] + l.plus[i]);
            v[i] = factor[i] * v[i] + (slope[i] * d + rest[i]);
            float own = v[i];
            if (before) v[i] += get(before->first[k], j + i) + get(before->second[k], j + i);
            sum[i] += all ? v[i] : own;
        }
        put(v, x[k], j);
    }
}
template <int V, int N, int S>
DEVICE void differentiate(const Shared &s, unsigned c, int j, unsigned count, int silu, Packed<V> (&x)[N], const Packed<V> (&dy)[N],
                          const Before<V, N> *before, bool all, float (&sum)[S]) {
    if (silu) differentiate<V, true>(s, c, j, count, x, dy, before, all, sum);
    else differentiate<V, false>(s, c, j, count, x, dy, before, all, sum);
}

// What came before, from value `at` on, is added to dx, which has been rounded: two vectors at a time, for few registers.
template <int V, int N>
DEVICE void addBefore(const T *before, const T *more, unsigned at, unsigned step, unsigned count, Packed<V> (&dx)[N]) {
    if (!before) return;
#pragma unroll
    for (int k = 0; k < N; k += 2) {
        if (k >= count) break;
        Packed<V> first[2], second[2];
        fetch(before + at + k * step, step, count - k, first);
        if (more) fetch(more + at + k * step, step, count - k, second);
#pragma unroll
        for (int i = 0; i < 2; i++)
            if (more) add(first[i], second[i], dx[k + i]);
            else add(first[i], dx[k + i]);
    }
}

// Σ dx as it is now, of a quad of channels.
template <int V, int N, int S> DEVICE void sumOf(const Packed<V> (&dx)[N], unsigned count, int j, float (&sum)[S]) {
#pragma unroll
    for (int k = 0; k < N; k++) {
        if (k >= count) break;
#pragma unroll
        for (int i = 0; i < S; i++) sum[i] += get(dx[k], j + i);
    }
}

// Threads' sums lie in lists, one for each sum and quad of a vector: [rows, b.width / V, S], a row further apart than they are
// long, out of each other's banks.
template <int V> DEVICE float *listOf(const Bundle &b, const Shared &s, unsigned sum, unsigned j) {
    return s.sums + (sum * (V / QUAD<V>) + j / QUAD<V>) * (b.rows + 1) * (b.width / V) * QUAD<V>;
}
// `at`: which of the list's quads; threads to spare meet those between two lists.
template <int V, int S> DEVICE void put(const Bundle &b, const Shared &s, unsigned sum, unsigned j, unsigned at, const float (&v)[S]) {
    store<S>(v, listOf<V>(b, s, sum, j) + at * S);
}

// The rows of every list are added up in place: row `part` becomes the sum of every apart-th from it on, and `total` adds up
// these parts. Of LISTS rows of threads each takes another list.
template <int LISTS> DEVICE unsigned parts(const Bundle &b) { return b.rows < 2 * LISTS ? 1 : atMost(b.rows / LISTS, 16); }
template <int V, int SUMS> DEVICE void addRows(const Bundle &b, const Shared &s) {
    const int S = QUAD<V>, LISTS = SUMS * V / S;
    unsigned apart = parts<LISTS>(b), quads = b.width / V;
    if (b.row < b.rows)
#pragma unroll 1
        for (unsigned i = b.row; i < apart * LISTS; i += b.rows)
#pragma unroll 1
            for (unsigned q = b.column; q < quads; q += b.columns) {
                float *to = listOf<V>(b, s, 0, i % LISTS * S) + (i / LISTS * quads + q) * S, *from = to, sum[S] = {};
#pragma unroll 2
                for (unsigned row = i / LISTS; row < b.rows; row += apart, from += apart * quads * S) {
                    float more[S];
                    load<S>(from, more);
#pragma unroll
                    for (int j = 0; j < S; j++) sum[j] += more[j];
                }
                store<S>(sum, to);
            }
    __syncthreads();
}
template <int V, int SUMS> DEVICE float total(const Bundle &b, const Shared &s, unsigned sum, unsigned c) {
    const int S = QUAD<V>;
    const float *part = listOf<V>(b, s, sum, c % V) + c / V * S + c % S;
    float all = 0;
#pragma unroll 4
    for (unsigned i = 0; i < parts<SUMS * V / S>(b); i++, part += b.width / V * S) all += *part;
    return all;
}

// Between the two launches: total1 and total2 of every channel, sums [n, slices, 2, channels].
DEVICE void writeSums(const Bundle &b, const Shared &s, float *sums, int channels) {
#pragma unroll 1
    for (unsigned c = threadIdx.x; c < b.width; c += blockDim.x) {
        float *own = sums + 2ull * (b.image * gridDim.y + b.slice) * channels + b.channel + c;
        own[0] = s.total1[c];
        own[channels] = s.total2[c];
    }
}
DEVICE void readSums(const Bundle &b, const Shared &s, const float *sums, int channels) {
#pragma unroll 1
    for (unsigned c = threadIdx.x; c < b.width; c += blockDim.x) {
        const float *all = sums + 2ull * b.image * gridDim.y * channels + b.channel + c;
        float sum1 = 0, sum2 = 0;
#pragma unroll 4
        for (unsigned slice = 0; slice < gridDim.y; slice++, all += 2 * channels) {
            sum1 += __ldcg(all);
            sum2 += __ldcg(all + channels);
        }
        s.total1[c] = sum1;
        s.total2[c] = sum2;
    }
    __syncthreads();
}

template <int V, bool ALL, bool MEETS>
DEVICE void groupNormBackward(Bundle b, const T *x, const T *x2, int split, const float *offset, const float *gamma,
                              const float *beta, const float *scale, const float *shift, const float *mean, const float *rstd, const T *dy,
                              const T *before, const T *more, T *dx, T *dx2, float *doffset, float *left, float *partial,
                              float *dscale, float *dshift, float *sums, unsigned *meetings, int phase, int length, int channels,
                              int groups, int bundle, int silu, const Mask &mask) {
    const int S = QUAD<V>;
    DYNAMIC_SHARED(float, memory);
    Shared s = sharedOf(memory, b.width);
    Packed<V> held[HELD_PAIRS], beside[HELD_PAIRS];
    if (ALL) {
        Way<const T> from = wayOf(b, b.column * V, x, x2, split, length, channels);
        fetch(from.first, from.step, b.own, held);
        fetch(dy + (b.first + b.column * V), b.step, b.own, beside);
    }
    coefficients(b, s, offset, gamma, beta, scale, shift, channels);
    const float unit = silu ? UNIT : 1.0f, back = mask.kept * (silu ? 1.0f / UNIT : 1.0f);
#pragma unroll 1
    for (unsigned c = threadIdx.x; c < b.width; c += blockDim.x) {
        unsigned g = b.image * groups + b.group + c / b.depth;
        s.rstd[c] = rstd[g];
        s.k[c] = back * settle(s, c, mean[g], s.rstd[c], unit);
    }
    if (ALL && drops(mask)) drop(mask, b.first + b.column * V, b.step, b.own, beside);
    __syncthreads();

    if (ALL) {
#pragma unroll
        for (int j = 0; j < V; j += S) {
            float sum1[S] = {}, sum2[S] = {};
            activate(s, b.column * V, j, b.own, silu, held, beside, sum1, sum2);
            put<V>(b, s, 0, j, threadIdx.x, sum1);
            put<V>(b, s, 1, j, threadIdx.x, sum2);
        }
    } else if ((MEETS || phase != APPLY) && b.row < b.rows)
#pragma unroll 1
        for (unsigned c = b.column * V; c < b.width; c += b.columns * V) {
            float sum1[V / S][S] = {}, sum2[V / S][S] = {};
            Way<const T> from = wayOf(b, c, x, x2, split, length, channels);
#pragma unroll 1
            for (unsigned done = 0; done < b.own; done += FEW_PAIRS) {
                unsigned count = atMost(b.own - done, FEW_PAIRS), at = b.first + c + done * b.step;
                Packed<V> few[FEW_PAIRS], beside[FEW_PAIRS];
                fetch(from.first + done * from.step, from.step, count, few);
                fetch(dy + at, b.step, count, beside);
                if (drops(mask)) drop(mask, at, b.step, count, beside);
#pragma unroll
                for (int j = 0; j < V; j += S) activate(s, c, j, count, silu, few, beside, sum1[j / S], sum2[j / S]);
            }
#pragma unroll
            for (int j = 0; j < V; j += S) {
                put<V>(b, s, 0, j, b.row * (b.width / V) + c / V, sum1[j / S]);
                put<V>(b, s, 1, j, b.row * (b.width / V) + c / V, sum2[j / S]);
            }
        }
    if (!ALL && !MEETS && phase == APPLY) readSums(b, s, sums, channels);
    else {
        __syncthreads();
        addRows<V, 2>(b, s);
#pragma unroll 1
        for (unsigned i = threadIdx.x; i < 2 * b.width; i += blockDim.x)
            s.total1[i] = i < b.width ? total<V, 2>(b, s, 0, i) : total<V, 2>(b, s, 1, i - b.width);  // and total2
        __syncthreads();
    }
    if (MEETS || (!ALL && phase == SUMS)) writeSums(b, s, sums, channels);
    if (!ALL && !MEETS && phase == SUMS) return;
    if (MEETS) {
        meet(b, meetings, bundle);
        readSums(b, s, sums, channels);
        depart(b, meetings, bundle);
    }

    // A warp adds up a group.
#pragma unroll 1
    for (unsigned g = threadIdx.x >> 5; g < b.groups; g += blockDim.x >> 5) {
        unsigned begin = g * b.depth + lane(), end = (g + 1) * b.depth;
        float m1 = 0, m2 = 0, m = static_cast<float>(length * b.depth);
#pragma unroll 1
        for (unsigned c = begin; c < end; c += 32) {
            float sum2 = s.rstd[c] * (s.total2[c] + s.moved[c] * s.total1[c]);
            s.total2[c] = sum2;
            m1 += s.k[c] * s.total1[c];
            m2 += s.k[c] * sum2;
        }
        m1 = __fdividef(warpSum(m1), m);
        m2 = __fdividef(warpSum(m2), m);
#pragma unroll 1
        for (unsigned c = begin; c < end; c += 32) {
            s.slope[c] = -s.rstd[c] * m2;
            s.rest[c] = s.slope[c] * s.moved[c] - m1;
        }
    }
    __syncthreads();

    if (ALL) {
        forget(held);
        forget(beside);
        forget(b.row);
        place(b, length, channels);
#pragma unroll
        for (int j = 0; j < V; j += S) {
            float sum[S] = {};
            const Before<V, HELD_PAIRS> *none = nullptr;
            differentiate(s, b.column * V, j, b.own, silu, held, beside, none, false, sum);
            if (doffset || !before) put<V>(b, s, 0, j, threadIdx.x, sum);
        }
        addBefore(before, more, b.first + b.column * V, b.step, b.own, held);
        if (!doffset && before)
#pragma unroll
            for (int j = 0; j < V; j += S) {
                float sum[S] = {};
                sumOf(held, b.own, j, sum);
                put<V>(b, s, 0, j, threadIdx.x, sum);
            }
        Way<T> to = wayOf(b, b.column * V, dx, dx2, split, length, channels);
        put(held, to.first, to.step, b.own);
    } else if (b.row < b.rows)
#pragma unroll 1
        for (unsigned c = b.column * V; c < b.width; c += b.columns * V) {
            float sum[V / S][S] = {};
            Way<const T> from = wayOf(b, c, x, x2, split, length, channels);
            Way<T> to = wayOf(b, c, dx, dx2, split, length, channels);
#pragma unroll 1
            for (unsigned rest = b.own, count; rest > 0; rest -= count) {  // backwards
                count = atMost(rest, FEW_PAIRS);
                unsigned done = rest - count, at = b.first + c + done * b.step;
                Packed<V> few[FEW_PAIRS], beside[FEW_PAIRS];
                fetch(from.first + done * from.step, from.step, count, few);
                fetch(dy + at, b.step, count, beside);
                if (drops(mask)) drop(mask, at, b.step, count, beside);
                Before<V, FEW_PAIRS> added = {};
                if (before) fetch(before + at, b.step, count, added.first);
                if (more) fetch(more + at, b.step, count, added.second);
#pragma unroll
                for (int j = 0; j < V; j += S) {
                    float sum1[S] = {}, sum2[S] = {};  // not wanted again
                    if (Packed<V>::EACH == 1) activate(s, c, j, count, silu, few, beside, sum1, sum2);
                    differentiate(s, c, j, count, silu, few, beside, &added, !doffset, sum[j / S]);
                }
                put(few, to.first + done * to.step, to.step, count);
            }
#pragma unroll
            for (int j = 0; j < V; j += S) put<V>(b, s, 0, j, b.row * (b.width / V) + c / V, sum[j / S]);
        }

#pragma unroll 1
    for (unsigned c = threadIdx.x; b.slice == 0 && c < b.width; c += blockDim.x) {
        unsigned at = b.channel + c;
        float sum1 = back * s.total1[c], sum2 = back * s.total2[c];
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
    addRows<V, 1>(b, s);
#pragma unroll 1
    for (unsigned c = threadIdx.x; c < b.width; c += blockDim.x) {
        unsigned long long at = static_cast<unsigned long long>(b.image * gridDim.y + b.slice) * channels + b.channel + c;
        float sum = total<V, 1>(b, s, 0, c);
        left[at] = sum;
        if (doffset && gridDim.y == 1) doffset[at] = sum;
    }
}

template <bool MEETS>
DEVICE void groupNormBackward(const T *x, const T *x2, int split, const float *offset, const float *gamma, const float *beta,
                              const float *scale, const float *shift, const float *mean, const float *rstd, const T *dy,
                              const T *before, const T *more, T *dx, T *dx2, float *doffset, float *left, float *partial,
                              float *dscale, float *dshift, float *sums, unsigned *meetings, int phase, int length, int depth,
                              int groups, int bundle, int silu, const Mask &mask) {
    int channels = depth * groups;
#define GROUP_NORM_BY(V, ALL)                                                                                                      \
    groupNormBackward<V, ALL, MEETS>(b, x, x2, split, offset, gamma, beta, scale, shift, mean, rstd, dy, before, more, dx, dx2,      \
                                     doffset, left, partial, dscale, dshift, sums, meetings, phase, length, channels, groups, bundle, \
                                     silu, mask)
#define GROUP_NORM(V)                                                                                            \
    {                                                                                                            \
        Bundle b = bundleOf<V, MEETS>(phase, meetings, length, channels, depth, groups, bundle);                 \
        if (V == VECTOR && (MEETS || phase == WHOLE) && fits(b, HELD_PAIRS)) GROUP_NORM_BY(V, (V == VECTOR));    \
        else GROUP_NORM_BY(V, false);                                                                            \
    }
    auto reads = [&](int vector) {
        int bytes = vector * sizeof(T);
        return by(vector, x, dx, depth, groups, bundle) && aligned(dy, bytes) && aligned(before, bytes) && aligned(more, bytes);
    };
    if (reads(VECTOR)) GROUP_NORM(VECTOR)
    else if (!MEETS && VECTOR != 4 && reads(4)) GROUP_NORM(4)
    else GROUP_NORM(1)
#undef GROUP_NORM
#undef GROUP_NORM_BY
}
KERNEL_UP_TO(ONE_OF_1024, group_norm_backward)(const T *x, const T *x2, int split, const float *offset, const float *gamma,
                                               const float *beta, const float *scale, const float *shift, const float *mean,
                                               const float *rstd, const T *dy, const T *before, const T *more, T *dx, T *dx2,
                                               float *doffset, float *left, float *partial, float *dscale, float *dshift,
                                               float *sums, int phase, int length, int depth, int groups, int bundle, int silu,
                                               Mask mask) {
    groupNormBackward<false>(x, x2, split, offset, gamma, beta, scale, shift, mean, rstd, dy, before, more, dx, dx2, doffset, left,
                             partial, dscale, dshift, sums, nullptr, phase, length, depth, groups, bundle, silu, mask);
}
KERNEL_UP_TO(ONE_OF_1024, group_norm_backward_meeting)(const T *x, const T *x2, int split, const float *offset, const float *gamma,
                                                       const float *beta, const float *scale, const float *shift,
                                                       const float *mean, const float *rstd, const T *dy, const T *before,
                                                       const T *more, T *dx, T *dx2, float *doffset, float *left, float *partial,
                                                       float *dscale, float *dshift, float *sums, unsigned *meetings, int length,
                                                       int depth, int groups, int bundle, int silu, Mask mask) {
    groupNormBackward<true>(x, x2, split, offset, gamma, beta, scale, shift, mean, rstd, dy, before, more, dx, dx2, doffset, left,
                            partial, dscale, dshift, sums, meetings, WHOLE, length, depth, groups, bundle, silu, mask);
}
