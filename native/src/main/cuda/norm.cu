// Group norm forward; the formulas and how threads are laid over an image stand in norm.h.
#include "norm.h"

// Mean and sum of squares about it, of `n` values, for each piece of a vector: SIZE channels that lie in one group.
template <int P> struct Moments {
    float n, mean[P], squares[P];
};
// The offsets of these channels are part of the values.
template <int V, int SIZE, int N>
DEVICE void add(Packed<V> (&held)[N], const float *offset, unsigned count, Moments<V / SIZE> &m) {
    float more = static_cast<float>(count * SIZE), each = __fdividef(1.0f, more);
    float all = m.n + more, weight = m.n > 0 ? __fdividef(more, all) : 1.0f;
#pragma unroll
    for (int p = 0; p < V / SIZE; p++) {
        float sum = 0, squares = 0, offsets[SIZE];
        load<SIZE>(offset + p * SIZE, offsets);
#pragma unroll
        for (int j = 0; j < SIZE; j++) sum += static_cast<float>(count) * offsets[j];
#pragma unroll
        for (int k = 0; k < N; k++) {
            if (k >= count) break;
            float part = get(held[k], p * SIZE);
#pragma unroll
            for (int j = 1; j < SIZE; j++) part += get(held[k], p * SIZE + j);
            sum += part;
        }
        float mean = sum * each;
        forget(held);
#pragma unroll
        for (int k = 0; k < N; k++) {
            if (k >= count) break;
            float part = 0;
#pragma unroll
            for (int j = 0; j < SIZE; j++) {
                float d = get(held[k], p * SIZE + j) - (mean - offsets[j]);
                part += d * d;
            }
            squares += part;
        }
        float off = mean - m.mean[p];
        m.squares[p] += squares + off * off * (m.n * weight);
        m.mean[p] += off * weight;
    }
    m.n = all;
}

// Many such pairs are added up at once, about the mean of one of them.
struct Total {
    float about, sum, squares;
};
DEVICE void add(Total &t, float n, float mean, float squares) {
    float off = mean - t.about, moved = n * off;
    t.sum += moved;
    t.squares += squares + moved * off;
}
// A warp does this for group g of the bundle; unit: what z is multiplied by.
DEVICE void finish(const Bundle &b, const Shared &s, unsigned g, const Total &t, float m, float *mean, float *rstd, int groups,
                   float eps, float unit) {
    float off = __fdividef(t.sum, m), variance = __fdividef(t.squares, m) - off * off;
    if (variance < 0) variance = 0;
    float mu = t.about + off, r = inverseRoot(variance + eps);
#pragma unroll 1
    for (unsigned c = g * b.depth + lane(); c < (g + 1) * b.depth; c += 32) settle(s, c, mu, r, unit);
    if (b.slice == 0 && lane() == 0) {
        mean[b.image * groups + b.group + g] = mu;
        rstd[b.image * groups + b.group + g] = r;
    }
}

// z or UNIT / unit times silu(z) in place of x.
template <int V, bool SILU, int N>
DEVICE void normalize(const Shared &s, unsigned c, unsigned count, float unit, Packed<V> (&held)[N]) {
    const int S = V < 4 ? V : 4;  // channels at a time, for few registers
#pragma unroll
    for (int j = 0; j < V; j += S) {
        Linear<S> l = linear<S>(s, c + j);
#pragma unroll
        for (int k = 0; k < N; k++) {
            if (k >= count) break;
            float z[S];
#pragma unroll
            for (int i = 0; i < S; i++) {
                z[i] = centred(get(held[k], j + i), l.mu[i]) * l.rise[i] + l.plus[i];
                if (SILU) z[i] = siluOf(z[i], unit);
            }
            put(z, held[k], j);
        }
    }
}
// y in place of x, of which the first vector begins with value `at` of the array.
template <int V, int N>
DEVICE void normalize(const Bundle &b, const Shared &s, unsigned c, unsigned at, unsigned count, int silu, const Mask &mask,
                      Packed<V> (&held)[N]) {
    if (silu) normalize<V, true>(s, c, count, __fdividef(UNIT, mask.kept), held);
    else normalize<V, false>(s, c, count, 1, held);
    if (drops(mask)) drop(mask, at, b.step, count, held);
}

// Statistics of all groups of the bundle from those of the slices, by a warp for each.
DEVICE void addSlices(const Bundle &b, const Shared &s, const float *sums, int length, float *mean, float *rstd, int groups, float eps,
                      float unit) {
#pragma unroll 1
    for (unsigned g = threadIdx.x >> 5; g < b.groups; g += blockDim.x >> 5) {
        const float *own = sums + 2ull * b.image * gridDim.y * groups + b.group + g;
        Total t = {__ldcg(own), 0, 0};
#pragma unroll 4
        for (unsigned slice = 0; slice < gridDim.y; slice++, own += 2 * groups) {
            unsigned pixels = sliceBegin(slice + 1, length) - sliceBegin(slice, length);
            add(t, static_cast<float>(pixels * b.depth), __ldcg(own), __ldcg(own + groups));
        }
        finish(b, s, g, t, static_cast<float>(length * b.depth), mean, rstd, groups, eps, unit);
    }
}

// ALL: every thread holds its whole share, and the phase is WHOLE. MEETS: so it is, and in the middle the blocks of all slices meet.
template <int V, int SIZE, bool ALL, bool MEETS>
DEVICE void groupNorm(Bundle b, const T *x, const T *x2, int split, const float *offset, const float *gamma, const float *beta,
                      const float *scale, const float *shift, T *y, float *mean, float *rstd, float *sums, unsigned *meetings,
                      int phase, int length, int channels, int groups, int bundle, float eps, int silu, const Mask &mask) {
    DYNAMIC_SHARED(float, memory);
    Shared s = sharedOf(memory, b.width);
    const float unit = silu ? UNIT : mask.kept;
    Packed<V> held[HELD];
    if (ALL) {
        Way<const T> from = wayOf(b, b.column * V, x, x2, split, length, channels);
        fetch(from.first, from.step, b.own, held);
    }
    coefficients(b, s, offset, gamma, beta, scale, shift, channels);
    __syncthreads();

    unsigned warp = threadIdx.x >> 5;
    if (!ALL && !MEETS && phase == APPLY) addSlices(b, s, sums, length, mean, rstd, groups, eps, unit);
    else {
        // means, squares [pieces, lines] of `rows` threads, or warps; values: how many they had
        unsigned pieces = b.width / SIZE, rows = b.rows, lines = b.rows + 32 / pieces;
        float *means = s.sums, *squares = means + pieces * lines, *values = squares + pieces * lines;
        bool alone = V / SIZE <= 2 && b.groups == 1 && b.single;  // the block has one group: its warps add up first
#pragma unroll 1
        for (unsigned c = b.column * V; c < b.width; c += b.columns * V) {
            Moments<V / SIZE> m = {};
            Way<const T> from = wayOf(b, c, x, x2, split, length, channels);
            if (ALL) {
                if (b.own > 0) add<V, SIZE>(held, s.moved + c, b.own, m);
            } else
#pragma unroll 1
                for (unsigned done = 0; done < b.own; done += FEW) {
                    unsigned count = atMost(b.own - done, FEW);
                    Packed<V> few[FEW];
                    fetch(from.first + done * from.step, from.step, count, few);
                    add<V, SIZE>(few, s.moved + c, count, m);
                }
            if (alone) {
                float n = m.n, centre = m.mean[0], about = m.squares[0];
                if (V / SIZE == 2) {
                    float off = 0.5f * (m.mean[V / SIZE - 1] - centre);
                    centre += off;
                    about += m.squares[V / SIZE - 1] + 2 * n * off * off;
                    n *= 2;
                }
                float all = warpSum(n), mu = warpSum(n * centre);
                if (all > 0) mu = __fdividef(mu, all);
                float off = centre - mu;
                about = warpSum(about + n * off * off);
                if (lane() == 0) {
                    means[warp] = mu;
                    squares[warp] = about;
                    values[warp] = all;
                }
            } else if (b.row < b.rows) {
#pragma unroll
                for (int p = 0; p < V / SIZE; p++) {
                    means[(c / SIZE + p) * lines + b.row] = m.mean[p];
                    squares[(c / SIZE + p) * lines + b.row] = m.squares[p];
                }
                if (c == 0) values[b.row] = m.n;
            }
        }
        __syncthreads();
        unsigned each = alone ? 1 : b.depth / SIZE;  // pieces of a group
        if (alone) rows = lines = blockDim.x >> 5;

        // A warp adds up a group.
#pragma unroll 1
        for (unsigned g = warp; g < b.groups; g += blockDim.x >> 5) {
            Total t = {means[g * each * lines], 0, 0};
#pragma unroll 1
            for (unsigned p = g * each; p < (g + 1) * each; p++)
#pragma unroll 1
                for (unsigned row = lane(); row < rows; row += 32)
                    add(t, values[row], means[p * lines + row], squares[p * lines + row]);
            t.sum = warpSum(t.sum);
            t.squares = warpSum(t.squares);
            float m = static_cast<float>(b.pixels * b.depth);
            if (!MEETS && (ALL || phase == WHOLE)) finish(b, s, g, t, m, mean, rstd, groups, eps, unit);
            else if (lane() == 0) {
                float off = m > 0 ? __fdividef(t.sum, m) : 0.0f;
                float *own = sums + 2ull * (b.image * gridDim.y + b.slice) * groups + b.group + g;
                own[0] = t.about + off;
                own[groups] = t.squares - t.sum * off;
            }
        }
        if (!ALL && !MEETS && phase == SUMS) return;
        if (MEETS) {
            meet(b, meetings, bundle);
            addSlices(b, s, sums, length, mean, rstd, groups, eps, unit);
        }
    }
    __syncthreads();
    if (MEETS) depart(b, meetings, bundle);

    if (ALL) {
        forget(held);
        forget(b.row);
        place(b, length, channels);
        normalize(b, s, b.column * V, b.first + b.column * V, b.own, silu, mask, held);
        put(held, y + (b.first + b.column * V), b.step, b.own);
    } else
#pragma unroll 1
        for (unsigned c = b.column * V; c < b.width; c += b.columns * V) {
            Way<const T> from = wayOf(b, c, x, x2, split, length, channels);
#pragma unroll 1
            for (unsigned rest = b.own, count; rest > 0; rest -= count) {  // backwards
                count = atMost(rest, FEW);
                unsigned done = rest - count, at = b.first + c + done * b.step;
                Packed<V> few[FEW];
                fetch(from.first + done * from.step, from.step, count, few);
                normalize(b, s, c, at, count, silu, mask, few);
                put(few, y + at, b.step, count);
            }
        }
}

template <bool MEETS>
DEVICE void groupNorm(const T *x, const T *x2, int split, const float *offset, const float *gamma, const float *beta,
                      const float *scale, const float *shift, T *y, float *mean, float *rstd, float *sums, unsigned *meetings,
                      int phase, int length, int depth, int groups, int bundle, float eps, int silu, const Mask &mask) {
    int channels = depth * groups;
#define GROUP_NORM_BY(V, SIZE, ALL)                                                                                        \
    groupNorm<V, SIZE, ALL, MEETS>(b, x, x2, split, offset, gamma, beta, scale, shift, y, mean, rstd, sums, meetings, phase, \
                                   length, channels, groups, bundle, eps, silu, mask)
#define GROUP_NORM(V, SIZE)                                                                        \
    {                                                                                              \
        Bundle b = bundleOf<V, MEETS>(phase, meetings, length, channels, depth, groups, bundle);   \
        if (V == VECTOR && SIZE == 4 && (MEETS || phase == WHOLE) && fits(b, HELD))                \
            GROUP_NORM_BY(V, SIZE, (V == VECTOR && SIZE == 4));                                    \
        else GROUP_NORM_BY(V, SIZE, false);                                                        \
    }
    bool vectors = by(VECTOR, x, y, depth, groups, bundle), fours = depth % 4 == 0;
    if (vectors && fours) GROUP_NORM(VECTOR, 4)
    else if (MEETS) GROUP_NORM(1, 1)  // nobody asks for it
    else if (vectors) GROUP_NORM(VECTOR, 1)
    else if (VECTOR != 4 && by(4, x, y, depth, groups, bundle)) {
        if (fours) GROUP_NORM(4, 4)
        else GROUP_NORM(4, 1)
    } else GROUP_NORM(1, 1)
#undef GROUP_NORM_BY
#undef GROUP_NORM
}
KERNEL_UP_TO(ONE_OF_1024, group_norm)(const T *x, const T *x2, int split, const float *offset, const float *gamma,
                                      const float *beta, const float *scale, const float *shift, T *y, float *mean, float *rstd,
                                      float *sums, int phase, int length, int depth, int groups, int bundle, float eps, int silu,
                                      Mask mask) {
    groupNorm<false>(x, x2, split, offset, gamma, beta, scale, shift, y, mean, rstd, sums, nullptr, phase, length, depth, groups,
                     bundle, eps, silu, mask);
}
// A kernel of its own: what meeting takes of the registers, norms without it would not have.
KERNEL_UP_TO(ONE_OF_1024, group_norm_meeting)(const T *x, const T *x2, int split, const float *offset, const float *gamma,
                                              const float *beta, const float *scale, const float *shift, T *y, float *mean,
                                              float *rstd, float *sums, unsigned *meetings, int length, int depth, int groups,
                                              int bundle, float eps, int silu, Mask mask) {
    groupNorm<true>(x, x2, split, offset, gamma, beta, scale, shift, y, mean, rstd, sums, meetings, WHOLE, length, depth, groups,
                    bundle, eps, silu, mask);
}
