// Group norm over x [n, length, channels], channels last, with affine map, time conditioning and SiLU in one kernel each
// way. For channel c of group g of one image, with x̂ = (x + offset_c − mean_g) rstd_g:
//
//   z = a_c x̂ + b_c      a_c = gamma_c (1 + scale_c)      b_c = beta_c (1 + scale_c) + shift_c      y = silu(z) or z
//
// Backward, with dz = dy · silu'(z), S1_c = Σ dz, S2_c = Σ dz x̂ over the pixels and m values in a group:
//
//   dx = rstd (a_c dz − M1_g − x̂ M2_g)      M1_g = Σ_{c in g} a_c S1_c / m      M2_g = Σ_{c in g} a_c S2_c / m
//   dgamma = Σ_n (1 + scale) S2      dbeta = Σ_n (1 + scale) S1      dscale = gamma S2 + beta S1      dshift = S1      doffset = Σ dx
//
// A block does `bundle` neighbouring groups of one image. A thread keeps its channels and goes down the pixels. It loads a
// handful of its vectors at once, still packed, and then computes from registers; where the handful is its whole share, x and
// dy are read once, else the second pass mostly meets the second-level cache. Statistics need no pivot: a thread has the mean
// of its values and the sum of their squares about that mean, and two such pairs make one of both, exactly as if the values
// had been seen together,
//
//   mean = mean1 + off n2 / n      squares = squares1 + squares2 + off² n1 n2 / n      off = mean2 − mean1, n = n1 + n2
//
// so that nothing cancels. All sums have a fixed order. Where images and bundles are fewer than a device wants blocks and too
// long for one block's registers, the pixels are cut into slices, and the two passes become two launches.
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
#ifdef __CUDACC__
DEVICE float inverseRoot(float v) {
    float r = rsqrtf(v);
    return r + 0.5f * r * (1.0f - v * r * r);  // a step of Newton's: r is within 2 units in the last place
}
#else
DEVICE float inverseRoot(float v) { return 1.0f / sqrtf(v); }
#endif
DEVICE float siluSlope(float z) {
    float s = sigmoid(z);
    return s * (1.0f + z * (1.0f - s));
}

// Vectors of x that a thread holds at a time, as 64 registers allow: its whole share, or a few where that is more, whose
// running sums take registers too; backward, where dy is beside x, both again. tensor.backend.cuda.Norms knows HELD and
// HELD_PAIRS.
#define ONE_OF_1024 1024, 1  // launch bounds: 64 registers, and no wish for two such blocks beside each other
const unsigned HELD = 8, FEW = 4, HELD_PAIRS = 4, FEW_PAIRS = sizeof(T) / 2;

// V values as they are in memory, two to a word or one.
template <int V> struct Packed {
    static const int EACH = V > 1 && sizeof(T) == 2 ? 2 : 1, WORDS = V / EACH;
    unsigned word[WORDS];
};
template <int V> DEVICE float get(const Packed<V> &p, int j) {
    if constexpr (Packed<V>::EACH == 1) return __uint_as_float(p.word[j]);
    else return j % 2 == 0 ? low(p.word[j / 2]) : high(p.word[j / 2]);
}
template <int V, int S> DEVICE void put(const float (&v)[S], Packed<V> &p, int j) {
#pragma unroll
    for (int i = 0; i < S; i += Packed<V>::EACH)
        if constexpr (Packed<V>::EACH == 1) p.word[j + i] = __float_as_uint(v[i]);
        else p.word[(j + i) / 2] = pack(v[i], v[i + 1]);
}
template <int V> DEVICE void fetch(const T *from, Packed<V> &p) {
    if constexpr (V == 1) p.word[0] = __float_as_uint(widen(*from));
    else if constexpr (Packed<V>::WORDS == 2) {
        CHECK_ALIGNED(from, 8);
        uint2 u = *reinterpret_cast<const uint2 *>(from);
        p.word[0] = u.x; p.word[1] = u.y;
    } else {
        CHECK_ALIGNED(from, 16);
        uint4 u = *reinterpret_cast<const uint4 *>(from);
        p.word[0] = u.x; p.word[1] = u.y; p.word[2] = u.z; p.word[3] = u.w;
    }
}
template <int V> DEVICE void put(const Packed<V> &p, T *to) {
    if constexpr (V == 1) narrow(get(p, 0), *to);
    else if constexpr (Packed<V>::WORDS == 2) {
        CHECK_ALIGNED(to, 8);
        uint2 u = {p.word[0], p.word[1]};
        *reinterpret_cast<uint2 *>(to) = u;
    } else {
        CHECK_ALIGNED(to, 16);
        uint4 u = {p.word[0], p.word[1], p.word[2], p.word[3]};
        *reinterpret_cast<uint4 *>(to) = u;
    }
}
// The first `count` of N vectors that lie `step` values apart; zeros for the others.
template <int V, int N> DEVICE void fetch(const T *from, unsigned step, unsigned count, Packed<V> (&held)[N]) {
#pragma unroll
    for (int k = 0; k < N; k++) {
#pragma unroll
        for (int w = 0; w < Packed<V>::WORDS; w++) held[k].word[w] = 0;
        if (k < count) fetch(from + k * step, held[k]);
    }
}
template <int V, int N> DEVICE void put(const Packed<V> (&held)[N], T *to, unsigned step, unsigned count) {
#pragma unroll
    for (int k = 0; k < N; k++)
        if (k < count) put(held[k], to + k * step);
}
// Bars the compiler from keeping what it computed from v, so that registers stay free.
DEVICE void forget(unsigned &v) { asm volatile("" : "+r"(v)); }
template <int V, int N> DEVICE void forget(Packed<V> (&held)[N]) {
#pragma unroll
    for (int k = 0; k < N; k++)
#pragma unroll
        for (int w = 0; w < Packed<V>::WORDS; w++) forget(held[k].word[w]);
}

// A block's share of one image, and how its threads are laid over it.
struct Bundle {
    unsigned image, group, groups;   // first group and their number
    unsigned channel, width, depth;  // first channel, channels, channels of one group
    unsigned columns, rows;          // threads side by side, each with V channels, and below one another
    unsigned row, column;
    unsigned begin, pixels;          // of this block's slice
    unsigned own;                    // pixels of this thread, `rows` apart
    unsigned step;                   // values from one of them to the next
    unsigned first;                  // value of the bundle's first channel at this thread's first pixel
    bool single;                     // a thread has one vector of a pixel
};
DEVICE unsigned sliceBegin(unsigned z, unsigned length) { return atMost(z * ((length + gridDim.z - 1) / gridDim.z), length); }
template <int V> DEVICE Bundle bundleOf(int length, int channels, int depth, int groups, int bundle) {
    Bundle b;
    b.image = blockIdx.y;
    b.group = blockIdx.x * bundle;
    b.groups = b.group + bundle < groups ? bundle : groups - b.group;
    b.depth = depth;
    b.channel = b.group * b.depth;
    b.width = b.groups * b.depth;
    b.columns = atMost(b.width / V, blockDim.x);
    forget(b.columns);
    b.rows = blockDim.x / b.columns;
    b.row = threadIdx.x / b.columns;
    b.column = threadIdx.x - b.row * b.columns;
    b.begin = gridDim.z == 1 ? 0 : sliceBegin(blockIdx.z, length);
    b.pixels = gridDim.z == 1 ? length : sliceBegin(blockIdx.z + 1, length) - b.begin;
    b.own = b.row < b.rows && b.row < b.pixels ? (b.pixels - b.row + b.rows - 1) / b.rows : 0;
    b.step = b.rows * channels;
    b.first = (b.image * length + b.begin + b.row) * channels + b.channel;
    b.single = b.columns * V == b.width;
    return b;
}

// Whether a thread can hold its whole share in so many vectors.
DEVICE bool fits(const Bundle &b, unsigned most) { return b.single && b.pixels <= most * b.rows; }

// The block's shared memory: what belongs to a group and to a channel, two sums for each thread and channel, parts of these.
struct OfGroup {
    float mean, rstd, slope, rest;  // the last two backward
};
struct OfChannel {
    float b, a, total1, total2;  // b first: it is what some do not read, and a gap in a load is no word of PTX 7
};
struct Shared {
    OfGroup *group;        // [bundle]
    OfChannel *channel;    // [width]
    float *offset;         // [width]
    float *sum1, *sum2;    // [VECTOR · block + width + 32]
    float *part1, *part2;  // [block + width]
};
DEVICE Shared sharedOf(float *memory, int width, int bundle) {
    int threads = static_cast<int>(blockDim.x), sums = VECTOR * threads + width + 32;
    Shared s;
    s.group = reinterpret_cast<OfGroup *>(memory);
    s.channel = reinterpret_cast<OfChannel *>(memory + 4 * bundle);
    s.offset = memory + 4 * (bundle + width);
    s.sum1 = s.offset + width;
    s.sum2 = s.sum1 + sums;
    s.part1 = s.sum2 + sums;
    s.part2 = s.part1 + threads + width;
    return s;
}

// offset_c, a_c and b_c of the bundle.
DEVICE void coefficients(const Bundle &b, const Shared &s, const float *offset, const float *gamma, const float *beta,
                         const float *scale, const float *shift, int channels) {
#pragma unroll 1
    for (unsigned c = threadIdx.x; c < b.width; c += blockDim.x) {
        unsigned at = b.channel + c, conditioned = b.image * channels + at;
        float times = scale ? 1.0f + scale[conditioned] : 1.0f;
        s.offset[c] = offset ? offset[conditioned] : 0.0f;
        s.channel[c].a = gamma ? gamma[at] * times : times;
        s.channel[c].b = (beta ? beta[at] * times : 0.0f) + (shift ? shift[conditioned] : 0.0f);
    }
}

// Whether the mean is taken off each value. A bfloat16 is rounded more coarsely than floats lose when it is taken off products
// and sums instead, which saves an instruction and a register for each value.
const bool CENTRED = sizeof(T) == 4;
DEVICE float centred(float v, float mu) { return CENTRED ? v - mu : v; }

// z = k · centred(x, mu) + plus, what an offset adds being in plus, for S channels of the bundle from c on, and the groups that they are in.
template <int S> struct Linear {
    unsigned group[S];
    float mu[S], k[S], plus[S];
};
template <int S> DEVICE Linear<S> linear(const Bundle &b, const Shared &s, unsigned c) {
    Linear<S> l;
    unsigned g = c / b.depth, past = c - g * b.depth;
#pragma unroll
    for (int j = 0; j < S; j++, past++) {
        if (past == b.depth) {
            past = 0;
            g++;
        }
        l.group[j] = g;
        l.mu[j] = s.group[g].mean;
        l.k[j] = s.channel[c + j].a * s.group[g].rstd;
        l.plus[j] = s.channel[c + j].b + l.k[j] * (CENTRED ? s.offset[c + j] : s.offset[c + j] - l.mu[j]);
    }
    return l;
}

// Mean and sum of squares about it, of `n` values, for each piece of a vector: SIZE channels that lie in one group.
template <int P> struct Moments {
    float n, mean[P], squares[P];
};
// The offsets of these channels, or 0, are part of the values.
template <int V, int SIZE, int N>
DEVICE void add(Packed<V> (&held)[N], const float *offset, unsigned count, Moments<V / SIZE> &m) {
    float more = static_cast<float>(count * SIZE), each = __fdividef(1.0f, more);
    float all = m.n + more, weight = m.n > 0 ? __fdividef(more, all) : 1.0f;
#pragma unroll
    for (int p = 0; p < V / SIZE; p++) {
        float sum = 0, squares = 0, offsets[SIZE] = {};
        if (offset) {
            load<SIZE>(offset + p * SIZE, offsets);
#pragma unroll
            for (int j = 0; j < SIZE; j++) sum += static_cast<float>(count) * offsets[j];
        }
#pragma unroll
        for (int k = 0; k < N; k++)
            if (k < count) {
                float part = 0;
#pragma unroll
                for (int j = 0; j < SIZE; j++) part += get(held[k], p * SIZE + j);
                sum += part;
            }
        float mean = sum * each;
        forget(held);
#pragma unroll
        for (int k = 0; k < N; k++)
            if (k < count) {
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
DEVICE void finish(const Bundle &b, const Shared &s, unsigned g, const Total &t, float m, float *mean, float *rstd, int groups,
                   float eps) {
    float off = __fdividef(t.sum, m), variance = __fdividef(t.squares, m) - off * off;
    if (variance < 0) variance = 0;
    float mu = t.about + off, r = inverseRoot(variance + eps);
    s.group[g].mean = mu;
    s.group[g].rstd = r;
    if (blockIdx.z == 0) {
        mean[b.image * groups + b.group + g] = mu;
        rstd[b.image * groups + b.group + g] = r;
    }
}

// z or silu(z) in place of x.
template <int V, int N>
DEVICE void normalize(const Bundle &b, const Shared &s, unsigned c, unsigned count, int silu, Packed<V> (&held)[N]) {
    const int S = V < 4 ? V : 4;  // channels at a time, for few registers
#pragma unroll
    for (int j = 0; j < V; j += S) {
        Linear<S> l = linear<S>(b, s, c + j);
#pragma unroll
        for (int k = 0; k < N; k++)
            if (k < count) {
                float z[S];
#pragma unroll
                for (int i = 0; i < S; i++) z[i] = centred(get(held[k], j + i), l.mu[i]) * l.k[i] + l.plus[i];
                if (silu) {
#pragma unroll
                    for (int i = 0; i < S; i++) z[i] *= sigmoid(z[i]);
                }
                put(z, held[k], j);
            }
    }
}

// ALL: the phase is WHOLE and every thread holds its whole share.
template <int V, int SIZE, bool ALL>
DEVICE void groupNorm(Bundle b, const T *x, const float *offset, const float *gamma, const float *beta, const float *scale, const float *shift,
                      T *y, float *mean, float *rstd, float *sums, int phase, int length, int channels, int groups,
                      int bundle, float eps, int silu) {
    DYNAMIC_SHARED(float, memory);
    Shared s = sharedOf(memory, bundle * b.depth, bundle);
    if (ALL) b.pixels = length;
    Packed<V> held[HELD];
    if (ALL) fetch(x + (b.first + b.column * V), b.step, b.own, held);
    coefficients(b, s, offset, gamma, beta, scale, shift, channels);

    if (!ALL && phase == APPLY) {
#pragma unroll 1
        for (unsigned g = threadIdx.x; g < b.groups; g += blockDim.x) {
            const float *own = sums + 2ull * b.image * gridDim.z * groups + b.group + g;
            Total t = {own[0], 0, 0};
#pragma unroll 4
            for (unsigned z = 0; z < gridDim.z; z++, own += 2 * groups) {
                unsigned pixels = sliceBegin(z + 1, length) - sliceBegin(z, length);
                add(t, static_cast<float>(pixels * b.depth), own[0], own[groups]);
            }
            finish(b, s, g, t, static_cast<float>(length * b.depth), mean, rstd, groups, eps);
        }
    } else {
        // sum1, sum2 [pieces, lines]: mean and squares of `rows` threads, or warps; part1: how many values they had
        unsigned pieces = b.width / SIZE, rows = b.rows, lines = b.rows + 32 / pieces, warp = threadIdx.x >> 5;
        bool alone = V / SIZE <= 2 && b.groups == 1 && b.single;  // the block has one group: its warps add up first
#pragma unroll 1
        for (unsigned c = b.column * V; c < b.width; c += b.columns * V) {
            Moments<V / SIZE> m = {};
            const float *offsets = offset ? offset + b.image * channels + b.channel + c : nullptr;
            if (ALL) {
                if (b.own > 0) add<V, SIZE>(held, offsets, b.own, m);
            } else
#pragma unroll 1
                for (unsigned done = 0; done < b.own; done += FEW) {
                    unsigned count = atMost(b.own - done, FEW);
                    Packed<V> few[FEW];
                    fetch(x + (b.first + c + done * b.step), b.step, count, few);
                    add<V, SIZE>(few, offsets, count, m);
                }
            if (alone) {
                float n = m.n, centre = m.mean[0], squares = m.squares[0];
                if (V / SIZE == 2) {
                    float off = 0.5f * (m.mean[V / SIZE - 1] - centre);
                    centre += off;
                    squares += m.squares[V / SIZE - 1] + 2 * n * off * off;
                    n *= 2;
                }
                float values = n, mu = warpSum(n * centre);
                n = warpSum(n);
                if (n > 0) mu = __fdividef(mu, n);
                float off = centre - mu;
                squares = warpSum(squares + values * off * off);
                if ((threadIdx.x & 31) == 0) {
                    s.sum1[warp] = mu;
                    s.sum2[warp] = squares;
                    s.part1[warp] = n;
                }
            } else if (b.row < b.rows) {
#pragma unroll
                for (int p = 0; p < V / SIZE; p++) {
                    s.sum1[(c / SIZE + p) * lines + b.row] = m.mean[p];
                    s.sum2[(c / SIZE + p) * lines + b.row] = m.squares[p];
                }
                if (c == 0) s.part1[b.row] = m.n;
            }
        }
        __syncthreads();
        unsigned each = alone ? 1 : b.depth / SIZE;  // pieces of a group
        if (alone) rows = lines = blockDim.x >> 5;

        // A warp adds up a group.
#pragma unroll 1
        for (unsigned g = warp; g < b.groups; g += blockDim.x >> 5) {
            Total t = {s.sum1[g * each * lines], 0, 0};
#pragma unroll 1
            for (unsigned p = g * each; p < (g + 1) * each; p++)
#pragma unroll 1
                for (unsigned row = threadIdx.x & 31; row < rows; row += 32)
                    add(t, s.part1[row], s.sum1[p * lines + row], s.sum2[p * lines + row]);
            t.sum = warpSum(t.sum);
            t.squares = warpSum(t.squares);
            if ((threadIdx.x & 31) == 0) {
                float m = static_cast<float>(b.pixels * b.depth);
                if (!ALL && phase == SUMS) {
                    float off = m > 0 ? __fdividef(t.sum, m) : 0.0f;
                    float *own = sums + 2ull * (b.image * gridDim.z + blockIdx.z) * groups + b.group + g;
                    own[0] = t.about + off;
                    own[groups] = t.squares - t.sum * off;
                } else finish(b, s, g, t, m, mean, rstd, groups, eps);
            }
        }
        if (!ALL && phase == SUMS) return;
    }
    __syncthreads();

    if (ALL) {
        forget(held);
        forget(b.step);
        normalize(b, s, b.column * V, b.own, silu, held);
        put(held, y + (b.first + b.column * V), b.step, b.own);
    } else
#pragma unroll 1
        for (unsigned c = b.column * V; c < b.width; c += b.columns * V)
#pragma unroll 1
            for (unsigned done = 0; done < b.own; done += FEW) {
                unsigned count = atMost(b.own - done, FEW), at = b.first + c + done * b.step;
                Packed<V> few[FEW];
                fetch(x + at, b.step, count, few);
                normalize(b, s, c, count, silu, few);
                put(few, y + at, b.step, count);
            }
}

// Whether every pixel of the block's share can be read and written so many values at a time.
DEVICE bool by(int vector, const T *x, const T *y, int depth, int groups, int bundle) {
    int last = groups % bundle;
    return depth * groups % vector == 0 && bundle * depth % vector == 0 && last * depth % vector == 0 &&
           aligned(x, vector * sizeof(T)) && aligned(y, vector * sizeof(T));
}

KERNEL_UP_TO(ONE_OF_1024, group_norm)(const T *x, const float *offset, const float *gamma, const float *beta, const float *scale,
                   const float *shift, T *y, float *mean, float *rstd, float *sums, int phase, int length, int depth, int groups, int bundle,
                   float eps, int silu) {
    int channels = depth * groups;
#define GROUP_NORM_BY(V, SIZE, ALL)                                                                                     \
    groupNorm<V, SIZE, ALL>(b, x, offset, gamma, beta, scale, shift, y, mean, rstd, sums, phase, length, channels, groups, bundle, \
                            eps, silu)
#define GROUP_NORM(V, SIZE)                                              \
    {                                                                    \
        Bundle b = bundleOf<V>(length, channels, depth, groups, bundle); \
        if (V == VECTOR && SIZE == 4 && phase == WHOLE && fits(b, HELD)) \
            GROUP_NORM_BY(V, SIZE, (V == VECTOR && SIZE == 4));          \
        else GROUP_NORM_BY(V, SIZE, false);                              \
    }
    if (by(VECTOR, x, y, depth, groups, bundle)) {
        if (depth % 4 == 0) GROUP_NORM(VECTOR, 4)
        else GROUP_NORM(VECTOR, 1)
    } else if (VECTOR != 4 && by(4, x, y, depth, groups, bundle)) {
        if (depth % 4 == 0) GROUP_NORM(4, 4)
        else GROUP_NORM(4, 1)
    } else GROUP_NORM(1, 1)
#undef GROUP_NORM_BY
#undef GROUP_NORM
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
#pragma unroll
            for (int i = 0; i < S; i++) {
                d[i] = centred(get(x[k], j + i), l.mu[i]);
                dz[i] = get(dy[k], j + i);
            }
            if (silu) {
#pragma unroll
                for (int i = 0; i < S; i++) dz[i] *= siluSlope(d[i] * l.k[i] + l.plus[i]);
                if (Packed<V>::EACH == 1) put(dz, dy[k], j);
            }
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
#pragma unroll
                for (int i = 0; i < S; i++) {
                    d[i] = centred(get(x[k], j + i), l.mu[i]);
                    v[i] = get(dy[k], j + i);
                }
                if (silu && Packed<V>::EACH == 2) {
#pragma unroll
                    for (int i = 0; i < S; i++) v[i] *= siluSlope(d[i] * l.k[i] + l.plus[i]);
                }
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
DEVICE void groupNormBackward(Bundle b, const T *x, const float *offset, const float *gamma, const float *beta, const float *scale,
                              const float *shift, const float *mean, const float *rstd, const T *dy, const T *before, T *dx,
                              float *doffset, float *partial, float *dscale,
                              float *dshift, float *sums, int phase, int length, int channels, int groups, int bundle,
                              int silu) {
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
        for (unsigned c = g * b.depth + (threadIdx.x & 31); c < (g + 1) * b.depth; c += 32) {
            OfChannel own = s.channel[c];
            float sum2 = r * (own.total2 + (CENTRED ? s.offset[c] : s.offset[c] - mu) * own.total1);
            s.channel[c].total2 = sum2;
            m1 += own.a * own.total1;
            m2 += own.a * sum2;
        }
        m1 = warpSum(m1);
        m2 = warpSum(m2);
        if ((threadIdx.x & 31) == 0) {
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

KERNEL_UP_TO(ONE_OF_1024, group_norm_backward)(const T *x, const float *offset, const float *gamma, const float *beta, const float *scale,
                            const float *shift, const float *mean, const float *rstd, const T *dy, const T *before, T *dx,
                            float *doffset, float *partial, float *dscale,
                            float *dshift, float *sums, int phase, int length, int depth, int groups, int bundle,
                            int silu) {
    int channels = depth * groups;
#define GROUP_NORM_BY(V, ALL)                                                                                          \
    groupNormBackward<V, ALL>(b, x, offset, gamma, beta, scale, shift, mean, rstd, dy, before, dx, doffset, partial, dscale, dshift, sums, phase, \
                              length, channels, groups, bundle, silu)
#define GROUP_NORM(V)                                                                              \
    {                                                                                              \
        Bundle b = bundleOf<V>(length, channels, depth, groups, bundle);                           \
        if (V == VECTOR && phase == WHOLE && fits(b, HELD_PAIRS)) GROUP_NORM_BY(V, (V == VECTOR)); \
        else GROUP_NORM_BY(V, false);                                                              \
    }
    if (by(VECTOR, x, dx, depth, groups, bundle) && aligned(dy, VECTOR * sizeof(T)) && aligned(before, VECTOR * sizeof(T))) GROUP_NORM(VECTOR)
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
