// The kernels of layers and updates against plain loops in double; see kernel_test.cpp.
#include <algorithm>
#include "device.h"

#define KERNEL(name) void declared_##name
typedef void T;
#include "kernels.h"
#undef KERNEL

typedef std::vector<double> Doubles;

// ---- group norm, formulas of norm.cu ----------------------------------------------------------------------------------

struct NormCase {
    int n, length, channels, groups, bundle, block;
    unsigned slices = 1;
    bool meeting = false;
};
static double silu(double z) { return z / (1 + exp(-z)); }
static double slope(double z) {
    double s = 1 / (1 + exp(-z));
    return s * (1 + z * (1 - s));
}

static void norm(const NormCase &c, bool affine, bool conditioned, bool activated, bool moved, bool dropped) {
    const double eps = 1e-5;
    int depth = c.channels / c.groups, all = c.n * c.length * c.channels, width = c.bundle * depth;
    Doubles x = normal(all, 20), dy = normal(all, 21);
    for (double &v : x) v = stored(v * 0.5 + 3);  // a mean far from 0
    Doubles gamma = normal(c.channels, 22, true), beta = normal(c.channels, 23, true);
    Doubles scale = normal(c.n * c.channels, 24, true), shift = normal(c.n * c.channels, 25, true);
    Doubles y(all), dx(all), mean(c.n * c.groups), rstd(c.n * c.groups), dgamma(c.channels), dbeta(c.channels);
    Doubles dscale(c.n * c.channels), dshift(c.n * c.channels), doffset(c.n * c.channels), whole(c.n * c.channels);
    Doubles offset = normal(c.n * c.channels, 38, true), before = normal(all, 39), more = normal(all, 44);
    // m: 1 / 0.75 for three quarters of the values, else 0; drawn from place 4 + 8 on
    Step step = {};
    step.draws = 4;
    Records<Step> now({step});
    Doubles m(all, 1);
    Mask mask = {0, 0, nullptr, 0xffffffffu, 1};
    if (dropped) {
        mask = {99, 8, static_cast<const Step *>(now.at()), 0xbfffffffu, 1 / 0.75f};
        Array drawn(all);
        launch("draw", flat(all), 3, 0.75, 99ull, now.at(), 8ull, drawn.at(), all);
        m = drawn.get();
        for (double &v : m) v = v == 0 ? 0 : 1 / 0.75;
    }
    int V = halves ? 8 : 4;
    auto value = [&](int i, int n, int k) { return moved ? x[i] + offset[n * c.channels + k] : x[i]; };
    for (int n = 0; n < c.n; n++)
        for (int g = 0; g < c.groups; g++) {
            auto over = [&](auto f) {
                for (int l = 0; l < c.length; l++)
                    for (int k = g * depth; k < (g + 1) * depth; k++) f((n * c.length + l) * c.channels + k, k);
            };
            double values = double(c.length) * depth, mu = 0, variance = 0, sum = 0, product = 0;
            over([&](int i, int k) { mu += value(i, n, k) / values; });
            over([&](int i, int k) { variance += (value(i, n, k) - mu) * (value(i, n, k) - mu) / values; });
            double r = 1 / sqrt(variance + eps);
            mean[n * c.groups + g] = mu;
            rstd[n * c.groups + g] = r;
            over([&](int i, int k) {
                double hat = (value(i, n, k) - mu) * r, h = affine ? hat * gamma[k] + beta[k] : hat;
                double times = conditioned ? 1 + scale[n * c.channels + k] : 1;
                double z = h * times + (conditioned ? shift[n * c.channels + k] : 0);
                y[i] = m[i] * (activated ? silu(z) : z);
                double dz = m[i] * (activated ? dy[i] * slope(z) : dy[i]), dh = dz * times;
                dscale[n * c.channels + k] += dz * h;
                dshift[n * c.channels + k] += dz;
                dgamma[k] += dh * hat;
                dbeta[k] += dh;
                dx[i] = affine ? dh * gamma[k] : dh;
                sum += dx[i];
                product += dx[i] * hat;
            });
            over([&](int i, int k) {
                dx[i] = r * (dx[i] - sum / values - (value(i, n, k) - mu) * r * product / values);
                doffset[n * c.channels + k] += dx[i];
                if (moved) dx[i] += before[i] + (affine ? more[i] : 0);
                whole[n * c.channels + k] += dx[i];
            });
        }
    Array DY(dy), Y(all), DX(all), M(mean.size(), true), R(rstd.size(), true), P(2 * c.n * c.channels, true);
    Array G(gamma, true), B(beta, true), S(scale, true), H(shift, true), DG(c.channels, true), DB(c.channels, true);
    Array DS(scale.size(), true), DH(scale.size(), true), O(offset, true), BE(before), MO(more), DO(offset.size(), true), LEFT(c.slices * offset.size(), true);
    void *none = nullptr, *g = affine ? G.at() : none, *b = affine ? B.at() : none, *s = conditioned ? S.at() : none;
    void *h = conditioned ? H.at() : none;
    void *o = moved ? O.at() : none;
    int split = moved && c.channels % V == 0 && c.channels > V ? V : 0;  // channels from there on in an array of their own
    Doubles one, other;
    for (int i = 0; i < all; i++) (i % c.channels < split ? one : other).push_back(x[i]);
    Array X(split ? one : x), X2(other);
    void *x2 = split ? X2.at() : none;
    bool parted = split && conditioned;  // dx, too, in two arrays
    Array DX2(other.size());
    Launch l = {unsigned((c.groups + c.bundle - 1) / c.bundle), c.slices, unsigned(c.block), 1, 4u * (std::max((2 * V + 1) * c.block, 2 * width) + 12 * width + 64)};
    l.gz = unsigned(c.n);
    Array sums(2 * c.n * c.slices * c.channels, true);
    std::vector<int> phases = c.slices == 1 ? std::vector<int>{WHOLE} : std::vector<int>{SUMS, APPLY};
    Array meetings(Doubles(1 + c.n * l.gx), true);  // zeros
    void *between = c.slices == 1 ? none : sums.at();
    auto forward = [&](const char *name, auto how) {  // the phase, or meetings
        launch(name, l, X.at(), x2, split, o, g, b, s, h, Y.at(), M.at(), R.at(), between, how, c.length, depth, c.groups, c.bundle,
               float(eps), int(activated), mask);
    };
    if (c.meeting) forward("group_norm_meeting", meetings.at());
    else for (int phase : phases) forward("group_norm", phase);
    agree(M.get(), mean, 1e-6, "mean");
    agree(R.get(), rstd, 1e-6, "rstd");
    agree(Y.get(), y, tolerance(2e-6), "y");
    M.put(mean);
    R.put(rstd);
    auto backwardBy = [&](const char *name, void *doff, auto how) {
        launch(name, l, X.at(), x2, split, o, g, b, s, h, M.at(), R.at(), DY.at(), moved ? BE.at() : none,
               moved && affine ? MO.at() : none, DX.at(), parted ? DX2.at() : none, doff, LEFT.at(), affine ? P.at() : none,
               conditioned ? DS.at() : none, conditioned ? DH.at() : none, between, how, c.length, depth, c.groups, c.bundle,
               int(activated), mask);
    };
    auto backward = [&](void *doff) {
        if (c.meeting) backwardBy("group_norm_backward_meeting", doff, meetings.at());
        else for (int phase : phases) backwardBy("group_norm_backward", doff, phase);
        Doubles sums(offset.size()), slices = LEFT.get();
        for (size_t i = 0; i < slices.size(); i++) sums[i / c.channels / c.slices * c.channels + i % c.channels] += slices[i];
        return sums;
    };
    // sums that nearly cancel, but for what came before, which a bfloat16 rounds
    if (moved) agree(backward(none), whole, halves ? 8e-3 : 2e-5, "sums of dx");
    Doubles left = backward(moved ? DO.at() : none);
    if (depth > 1) agree(left, doffset, 2e-5, "sums of dx by itself");
    if (depth > 1 && moved && c.slices == 1) agree(DO.get(), doffset, 2e-5, "doffset");
    Doubles got = DX.get();
    if (parted) {  // x_i is the next of the one part or of the other, and so is dx_i
        Doubles first = got, second = DX2.get();
        for (int i = 0, l = 0, r = 0; i < all; i++) got[i] = i % c.channels < split ? first[l++] : second[r++];
    }
    agree(got, dx, tolerance(3e-6), "dx");
    for (double count : meetings.get()) expect(count == 0, "those who meet leave zeros");
    const double bound = halves ? 2e-5 : 3e-6;  // of values whose mean is taken off the sum
    if (affine) {
        Sums parameters = {};
        parameters.each[0] = {static_cast<float *>(P.at()), DG.at(), static_cast<float *>(DB.at()), 2 * c.channels, c.n, 2 * c.channels, c.channels, 0, 0};
        parameters.count = 1;
        launch("final_sums", Launch{unsigned(2 * c.channels + 31) / 32, 1, 32, 8, 0}, parameters);
        agree(DG.get(), dgamma, bound, "dgamma");
        agree(DB.get(), dbeta, bound, "dbeta");
    }
    if (conditioned) {
        agree(DS.get(), dscale, bound, "dscale");
        agree(DH.get(), dshift, bound, "dshift");
    }
}

CASE(group_norm_of_every_kind) {
    const NormCase shapes[] = {
        {2, 91, 33, 11, 11, 64}, {2, 91, 33, 11, 4, 64}, {3, 16, 28, 4, 4, 32}, {3, 16, 28, 4, 1, 96}, {1, 49, 64, 32, 16, 256},
        {2, 30, 3, 1, 1, 32},    {2, 30, 3, 3, 2, 32},   {2, 1, 28, 1, 1, 32},  {1, 10, 600, 1, 1, 64}, {1, 9, 6, 2, 2, 64},
        {1, 150, 64, 16, 8, 512}, {2, 91, 28, 1, 1, 64, 3}, {1, 10, 24, 3, 2, 32, 7}, {2, 5, 16, 2, 1, 32, 4},
        {2, 91, 28, 1, 1, 64, 3, true}, {1, 10, 24, 3, 2, 32, 7, true}, {2, 5, 16, 2, 1, 32, 4, true}, {3, 31, 33, 11, 4, 64, 2, true},
        {1, 3, 1200, 1, 1, 64}};
    for (const NormCase &c : shapes)
        for (int kind = 0; kind < 32; kind++) norm(c, kind & 1, kind & 2, kind & 4, kind & 8, kind & 16);
}

// A share in registers, in part or whole: each number of a thread's vectors, up to more than it can hold; threads and rows to
// spare; one group, and groups of 1, 2, 4, 8 and 12 channels.
CASE(group_norm_from_registers) {
    const NormCase shapes[] = {
        {1, 61, 32, 8, 8, 512}, {2, 61, 32, 8, 8, 256}, {2, 61, 32, 8, 8, 128}, {1, 61, 32, 8, 8, 96},  {2, 61, 32, 8, 8, 64},
        {1, 61, 32, 8, 8, 32},  {2, 64, 32, 8, 8, 64},  {1, 65, 32, 8, 8, 64},  {2, 33, 32, 32, 32, 64}, {2, 33, 64, 32, 16, 64},
        {2, 33, 64, 8, 2, 64},  {1, 17, 64, 8, 4, 256}, {2, 50, 72, 6, 2, 96},  {1, 50, 96, 8, 4, 128},  {2, 37, 48, 1, 1, 96},
        {2, 49, 112, 1, 1, 224}, {1, 49, 224, 1, 1, 1024}, {1, 196, 56, 1, 1, 1024}, {1, 100, 28, 1, 1, 256}, {2, 70, 48, 4, 3, 192},
        {2, 1, 32, 8, 8, 32},   {1, 1024, 16, 4, 4, 512}, {2, 90, 112, 1, 1, 128, 3}, {1, 60, 64, 8, 4, 64, 4},
        {2, 90, 112, 1, 1, 448, 3, true}, {3, 60, 64, 8, 4, 64, 4, true}, {2, 61, 32, 8, 8, 64, 4, true}, {2, 61, 32, 8, 2, 32, 2, true},
        {1, 5, 32, 8, 8, 64, 8, true}};
    for (const NormCase &c : shapes)
        for (int kind = 0; kind < 32; kind++) norm(c, kind & 1, kind & 2, kind & 4, kind & 8, kind & 16);
}

// ---- attention --------------------------------------------------------------------------------------------------------

static void softmax(int columns, int shift) {
    int rows = 5;
    float scale = 0.3f;
    Doubles s = normal(rows * columns, 40, true), dp = normal(rows * columns, 41, true), p(s.size()), ds(s.size()), logSum(rows), dots(rows);
    for (double &v : s) v = stored(v * 20, true);
    for (int i = 0; i < rows; i++) {
        double most = -INFINITY, sum = 0, dot = 0;
        for (int j = 0; j < columns; j++) most = std::fmax(most, double(scale) * s[i * columns + j]);
        for (int j = 0; j < columns; j++) sum += exp(double(scale) * s[i * columns + j] - most);
        logSum[i] = most + log(sum);
        for (int j = 0; j < columns; j++) p[i * columns + j] = exp(double(scale) * s[i * columns + j] - logSum[i]);
        for (int j = 0; j < columns; j++) dot += stored(p[i * columns + j]) * dp[i * columns + j];
        for (int j = 0; j < columns; j++)
            ds[i * columns + j] = double(scale) * stored(p[i * columns + j]) * (dp[i * columns + j] - dot);
    }
    Array S(s, true, shift), P(s.size(), false, shift), L(rows, true), Q(s.size()), DP(dp, true, shift), DS(s.size(), false, shift);
    for (unsigned grid : {1u, 2u, 5u}) {
        Launch l = {grid, 1, 256, 1, 0};
        P.put(Doubles(p.size()));
        launch("softmax_rows", l, S.at(), P.at(), L.at(), rows, columns, scale);
        agree(P.get(), p, tolerance(3e-6), "softmax");
        agree(L.get(), logSum, 1e-6, "logSum");
        P.put(p);
        launch("softmax_rows_backward", l, P.at(), DP.at(), DS.at(), rows, columns, scale);
        if (columns > 1) agree(DS.get(), ds, tolerance(3e-6), "ds");
    }
    L.put(logSum);
    launch("probabilities", flat(rows * columns), S.at(), L.at(), Q.at(), rows, columns, scale);
    agree(Q.get(), p, tolerance(5e-6), "probabilities");
    if (!halves) {
        launch("softmax_rows_backward", Launch{2, 1, 256, 1, 0}, P.at(), DP.at(), DP.at(), rows, columns, scale);
        if (columns > 1) agree(DP.get(), ds, 3e-6, "ds in place");
        launch("softmax_rows", Launch{2, 1, 256, 1, 0}, S.at(), S.at(), L.at(), rows, columns, scale);
        agree(S.get(), p, 3e-6, "softmax in place");
    }
    Doubles a = normal(rows * columns, 42), b = normal(rows * columns, 43);
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) dots[i] += a[i * columns + j] * b[i * columns + j];
    Array A(a), B(b), Y(rows, true);
    launch("row_dot", warps(rows), A.at(), B.at(), Y.at(), rows, columns);
    agree(Y.get(), dots, 2e-6, "row_dot");
}

CASE(attention_softmax) {
    for (int columns : {1, 31, 33, 64, 100, 128, 132, 200, 256, 257, 260, 700, 1000, 1024, 1025, 1028})
        for (int shift : {0, 1}) softmax(columns, shift);
}

static void linear(int n, int length, int heads, int d, int shift) {
    int width = heads * d;
    float scale = float(1 / sqrt(d));
    Doubles qkv = normal(n * length * 3 * width, 50), qHat(n * length * width), kHat(qHat.size()), logSum(n * width);
    Doubles dq = normal(qHat.size(), 51), dk = normal(qHat.size(), 52), dot = normal(n * width, 53, true), expected(qkv.size(), 7);
    auto in = [&](int part, int i, int l, int e) { return ((i * length + l) * 3 + part) * width + e; };
    auto packed = [&](int i, int l, int e) { return (i * length + l) * width + e; };
    for (int i = 0; i < n; i++) {
        for (int l = 0; l < length; l++)
            for (int h = 0; h < heads; h++) {
                double sum = 0, product = 0;
                for (int e = h * d; e < (h + 1) * d; e++) sum += exp(qkv[in(0, i, l, e)]);
                for (int e = h * d; e < (h + 1) * d; e++) {
                    qHat[packed(i, l, e)] = stored(scale * exp(qkv[in(0, i, l, e)]) / sum);
                    product += qHat[packed(i, l, e)] * dq[packed(i, l, e)];
                }
                for (int e = h * d; e < (h + 1) * d; e++)
                    expected[in(0, i, l, e)] = qHat[packed(i, l, e)] * (dq[packed(i, l, e)] - product / scale);
            }
        for (int e = 0; e < width; e++) {
            double sum = 0;
            for (int l = 0; l < length; l++) sum += exp(qkv[in(1, i, l, e)]);
            logSum[i * width + e] = log(sum);
            for (int l = 0; l < length; l++) {
                kHat[packed(i, l, e)] = stored(exp(qkv[in(1, i, l, e)]) / sum);
                expected[in(1, i, l, e)] = kHat[packed(i, l, e)] * (dk[packed(i, l, e)] - dot[i * width + e]);
            }
        }
    }
    Array Q(qkv, false, shift), QH(qHat.size(), false, shift), KH(qHat.size()), L(logSum.size(), true), DQ(dq), DK(dk);
    Array D(dot, true), G(Doubles(qkv.size(), 7), false, shift);
    for (Launch l : {warps(n * length * heads), Launch{1, 1, 256, 1, 0}}) {
        QH.put(Doubles(qHat.size()));
        launch("query_softmax", l, Q.at(), QH.at(), n, length, heads, d, scale);
        agree(QH.get(), qHat, tolerance(), "query softmax");
    }
    launch("key_log_sum", Launch{unsigned(width + 31) / 32, unsigned(n), 256, 1, 0}, Q.at(), L.at(), n, length, width);
    agree(L.get(), logSum, 1e-6, "logSum");
    launch("key_softmax", flat(qHat.size()), Q.at(), L.at(), KH.at(), n, length, width);
    agree(KH.get(), kHat, tolerance(2e-6), "key softmax");
    QH.put(qHat);
    KH.put(kHat);
    for (Launch l : {warps(n * length * heads), Launch{1, 1, 256, 1, 0}}) {
        G.put(Doubles(qkv.size(), 7));
        launch("query_softmax_backward", l, QH.at(), DQ.at(), G.at(), n, length, heads, d, scale);
        launch("key_softmax_backward", flat(qHat.size()), KH.at(), DK.at(), D.at(), G.at(), n, length, width);
        agree(G.get(), expected, tolerance(2e-6), "dq and dk, and dv left alone");
    }
}

CASE(linear_attention) {
    const int sizes[][4] = {{1, 1, 1, 5},  {2, 49, 4, 32}, {2, 13, 3, 5},  {1, 20, 1, 70},  {2, 9, 2, 8},  {1, 300, 2, 33}, {2, 40, 3, 64},
                            {1, 300, 1, 24}, {1, 5, 2, 128}, {1, 70, 1, 256}, {1, 3, 1, 264}, {3, 1, 2, 16}};  // n, length, heads, d
    for (auto &size : sizes)
        for (int shift : {0, 1}) linear(size[0], size[1], size[2], size[3], shift);
}

// Keys of any size, growing along the image, −∞ among them.
CASE(sums_of_keys) {
    for (int length : {1, 127, 300})
        for (int width : {8, 33, 64}) {
            Doubles qkv = normal(length * 3 * width, 54), logSum(width);
            for (int e = 0; e < width; e++) {
                double most = -INFINITY;
                for (int l = 0; l < length; l++) {
                    double &k = qkv[(l * 3 + 1) * width + e];
                    k = l > 0 && (l + e) % 3 == 0 ? -INFINITY : stored(k * 50 + l);
                    most = std::fmax(most, k);
                }
                for (int l = 0; l < length; l++) logSum[e] += exp(qkv[(l * 3 + 1) * width + e] - most);
                logSum[e] = most + log(logSum[e]);
            }
            Array Q(qkv), L(width, true);
            launch("key_log_sum", Launch{unsigned(width + 31) / 32, 1, 256, 1, 0}, Q.at(), L.at(), 1, length, width);
            agree(L.get(), logSum, 1e-6, "logSum");
        }
}

CASE(matrices_of_several_heads) {
    const int sizes[][5] = {{2, 4, 0, 4, 32}, {3, 5, 1, 3, 7}, {1, 2, 1, 1, 9}, {2, 3, 1, 2, 8}, {1, 2, 0, 2, 64}};  // n, heads, first, count, d
    for (auto &size : sizes)
        for (int shift : {0, 1}) {
        int n = size[0], heads = size[1], first = size[2], count = size[3], d = size[4], w = count * d;
        Doubles full = normal(n * w * w, 55), blocks(n * heads * d * d, 7), kept(full.size());
        for (int i = 0; i < n; i++)
            for (int h = 0; h < count; h++)
                for (int r = 0; r < d; r++)
                    for (int c = 0; c < d; c++) {
                        int at = (i * w + h * d + r) * w + h * d + c;
                        blocks[((i * heads + first + h) * d + r) * d + c] = kept[at] = full[at];
                    }
        Array F(full, false, shift), B(Doubles(blocks.size(), 7), false, shift), G(full, false, shift);
        launch("diagonal_blocks", flat(full.size()), F.at(), B.at(), n, heads, first, count, d);
        agree(F.get(), kept, 0, "what mixes two heads is gone");
        agree(B.get(), blocks, 0, "the blocks, the other heads left alone");
        launch("block_diagonal", flat(full.size()), B.at(), G.at(), n, heads, first, count, d);
        agree(G.get(), kept, 0, "the blocks put together");
    }
}

// ---- updates ----------------------------------------------------------------------------------------------------------

struct Parameters {
    std::vector<int> sizes = {1, 33, 2548, 10000};
    std::vector<Doubles> w, dw, m, v, average;
    std::vector<Array *> W, DW, M, V, A;
    std::vector<Update> table;
    std::vector<Piece> pieces;
    Records<Update> *entries;
    Records<Piece> *parts;
    explicit Parameters(bool averages) {
        for (size_t i = 0; i < sizes.size(); i++) {
            w.push_back(normal(sizes[i], 60 + i, true));
            dw.push_back(normal(sizes[i], 70 + i, true));
            m.push_back(normal(sizes[i], 80 + i, true));
            v.push_back(between(0.1, 2, sizes[i], 90 + i));
            average.push_back(normal(sizes[i], 100 + i, true));
            W.push_back(new Array(w[i], true));
            DW.push_back(new Array(dw[i], Array::Type{i % 2 ? CUDA_BF16 : F32}));
            dw[i] = DW[i]->get();
            M.push_back(new Array(m[i], true));
            V.push_back(new Array(v[i], true));
            A.push_back(new Array(average[i], true));
            auto floats = [](Array *a) { return static_cast<float *>(a->at()); };
            table.push_back({floats(W[i]), DW[i]->at(), floats(M[i]), floats(V[i]), averages ? floats(A[i]) : nullptr, sizes[i],
                             long(i % 2)});
            for (int first = 0; first < sizes[i]; first += PIECE) pieces.push_back({int(i), first});
        }
        entries = new Records<Update>(table);
        parts = new Records<Piece>(pieces);
    }
    ~Parameters() {
        for (auto list : {&W, &DW, &M, &V, &A})
            for (Array *a : *list) delete a;
        delete entries;
        delete parts;
    }
    Launch launch() const { return {unsigned(pieces.size()), 1, 256, 1, 0}; }
};

CASE(adam_and_average) {
    const double variants[][4] = {{0, 0, 1, 1}, {0.01, 0, 1, 0.5}, {0.01, 1, 1000, 0.25}};
    for (auto &variant : variants)
        for (bool averages : {false, true}) {
            Parameters p(averages);
            double rate = 1e-2, b1 = 0.9, b2 = 0.999, eps = 1e-8, decay = 0.995;
            double coupled = variant[1] ? 0 : variant[0], decoupled = variant[1] ? variant[0] : 0;
            double c1 = 1 / (1 - pow(b1, variant[2])), c2 = 1 / (1 - pow(b2, variant[2]));
            Step zero = {};
            Records<Step> step({zero});
            launch("set_step", Launch{1, 1, 1, 1, 0}, step.at(), 0ull, float(rate), float(c1), float(c2), float(variant[3]), float(decay), -1ll);
            launch("adam", p.launch(), p.entries->at(), p.parts->at(), step.at(), float(b1), float(b2), float(eps), float(coupled), float(decoupled));
            for (size_t t = 0; t < p.sizes.size(); t++) {
                for (int i = 0; i < p.sizes[t]; i++) {
                    double &w = p.w[t][i], g = p.dw[t][i] * variant[3] + coupled * w;
                    double &m = p.m[t][i] = b1 * p.m[t][i] + (1 - b1) * g, &v = p.v[t][i] = b2 * p.v[t][i] + (1 - b2) * g * g;
                    w -= rate * (m * c1 / (sqrt(v * c2) + eps) + decoupled * w);
                    if (averages) p.average[t][i] = decay * p.average[t][i] + (1 - decay) * w;
                }
                agree(p.W[t]->get(), p.w[t], 1e-6, "w");
                agree(p.M[t]->get(), p.m[t], 1e-6, "m");
                agree(p.V[t]->get(), p.v[t], 1e-6, "v");
                agree(p.A[t]->get(), p.average[t], 1e-6, "average");
            }
            if (averages) {
                launch("average", p.launch(), p.entries->at(), p.parts->at(), step.at());
                for (size_t t = 0; t < p.sizes.size(); t++) {
                    for (int i = 0; i < p.sizes[t]; i++) p.average[t][i] = decay * p.average[t][i] + (1 - decay) * p.w[t][i];
                    agree(p.A[t]->get(), p.average[t], 1e-6, "average");
                }
            }
        }
}

CASE(norm_of_the_gradient_and_the_skipped_update) {
    Parameters p(true);
    double expected = 0;
    for (auto &dw : p.dw)
        for (double g : dw) expected += g * g;
    Records<double> partial(Doubles(p.pieces.size()));
    Step zero = {};
    Records<Step> step({zero});
    Array loss(Doubles(1, 0.5), true);
    auto finish = [&](double limit, void *of, long long known = -1) {
        launch("set_step", Launch{1, 1, 1, 1, 0}, step.at(), 8ull, 0.1f, 1.f, 1.f, 9.f, 0.9f, known);
        launch("squares", p.launch(), p.entries->at(), p.parts->at(), partial.at());
        launch("squares_finish", Launch{1, 1, 256, 1, 0}, partial.at(), int(p.pieces.size()), step.at(), limit, of);
        return step.get()[0];
    };
    Step s = finish(0, nullptr);
    agree({s.squares}, {expected}, 1e-12, "squares");
    expect(s.scale == 1 && s.finite == 1 && s.skipped == 0 && s.draws == 8, "no limit");
    s = finish(1e9, loss.at());
    expect(s.scale == 1 && s.finite == 1, "a limit that is not reached");
    s = finish(2, loss.at());
    agree({s.scale}, {2 / sqrt(expected)}, 1e-7, "the factor of clipping");
    loss.put({NAN});
    expect(finish(2, loss.at()).finite == 0, "a loss that is not finite");
    loss.put({0.5});
    p.dw[2][2000] = INFINITY;
    p.DW[2]->put(p.dw[2]);
    s = finish(2, loss.at());
    expect(s.finite == 0 && s.skipped == 2, "a gradient that is not finite");
    launch("adam", p.launch(), p.entries->at(), p.parts->at(), step.at(), 0.9f, 0.999f, 1e-8f, 0.f, 0.f);
    launch("average", p.launch(), p.entries->at(), p.parts->at(), step.at());
    for (size_t t = 0; t < p.sizes.size(); t++) {
        agree(p.W[t]->get(), p.w[t], 0, "w stays");
        agree(p.M[t]->get(), p.m[t], 0, "m stays");
        agree(p.A[t]->get(), p.average[t], 0, "the average stays");
    }
    p.DW[2]->put(Doubles(p.sizes[2]));
    s = finish(2, loss.at(), 1);
    expect(s.finite == 0 && s.skipped == 2, "begun before the host has heard of the second");
    s = finish(2, loss.at(), 2);
    expect(s.finite == 1 && s.skipped == 2, "begun after that");
}
