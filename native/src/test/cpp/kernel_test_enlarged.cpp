// The parts of the convolution of an enlarged image against plain loops in double; see kernel_test.cpp.
#include "device.h"

#define KERNEL(name) void declared_##name
typedef void T;
#include "kernels.h"
#undef KERNEL

typedef std::vector<double> Doubles;

static double dot(const Doubles &a, const Doubles &b) {
    double sum = 0;
    for (size_t i = 0; i < a.size(); i++) sum += a[i] * b[i];
    return sum;
}

// <A x, y> = <x, Aᵀ y>, up to the rounding of what the device stores.
static void transposed(const Doubles &ax, const Doubles &y, const Doubles &x, const Doubles &aty, const char *what) {
    double scale = sqrt(dot(ax, ax) * dot(y, y)) + sqrt(dot(x, x) * dot(aty, aty));
    expect(fabs(dot(ax, y) - dot(x, aty)) <= tolerance() * scale, what);
}

CASE(summed_taps) {
    for (auto size : {std::pair<int, int>{1, 1}, {3, 8}, {5, 28}, {33, 3}, {7, 64}})
        for (int shift : {0, 1}) {
            int k = size.first, c = size.second;
            Doubles w = normal(k * 9 * c, 120), dsummed = normal(k * 16 * c, 121), summed(dsummed.size()), dw(w.size());
            for (int place = 0; place < 4; place++)
                for (int i = 0; i < k; i++)
                    for (int r = 0; r < 3; r++)
                        for (int s = 0; s < 3; s++)
                            for (int j = 0; j < c; j++) {
                                int a = place / 2, b = place % 2;
                                // tap r at 2i + a lies on row floor((2i + a + r − 1) / 2), the first of which is i + a − 1
                                int row = (a + r + 1) / 2 - a, column = (b + s + 1) / 2 - b;
                                int large = (i * 9 + r * 3 + s) * c + j;
                                int small = ((place * k + i) * 4 + row * 2 + column) * c + j;
                                summed[small] += w[large];
                                dw[large] += dsummed[small];
                            }
            Array W(w, false, shift), F(summed.size(), false, shift), DF(dsummed, false, shift), DW(w.size(), false, shift);
            launch("sum_taps", flat(k * c), W.at(), F.at(), k, c);
            agree(F.get(), summed, tolerance(), "summed");
            launch("spread_taps", flat(k * c), DF.at(), DW.at(), k, c);
            agree(DW.get(), dw, tolerance(), "spread");
            transposed(F.get(), dsummed, w, DW.get(), "spreading is the transpose of summing");
        }
}

CASE(woven_strands) {
    struct Size {
        int n, h, w, k;
    };
    for (Size d : {Size{1, 1, 1, 1}, {2, 3, 5, 8}, {1, 8, 9, 28}, {3, 2, 4, 5}, {2, 9, 8, 64}})
        for (int shift : {0, 1}) {
            size_t pixels = 4 * d.n * d.h * d.w, places = 4 * d.n * (d.h + 1) * (d.w + 1);
            Doubles strands = normal(places * d.k, 122), bias = normal(d.k, 123), z = normal(pixels * d.k, 124);
            Doubles dy = normal(pixels * d.k, 125), y(dy.size()), withBias, withBoth, dstrands(strands.size());
            for (int n = 0; n < d.n; n++)
                for (int p = 0; p < 2 * d.h; p++)
                    for (int q = 0; q < 2 * d.w; q++)
                        for (int i = 0; i < d.k; i++) {
                            int a = p % 2, b = q % 2;
                            int from = ((n * (d.h + 1) + p / 2 + a) * (d.w + 1) + q / 2 + b) * 4 * d.k + (2 * a + b) * d.k + i;
                            int to = ((n * 2 * d.h + p) * 2 * d.w + q) * d.k + i;
                            y[to] = strands[from];
                            dstrands[from] = dy[to];
                        }
            withBias = y;
            for (size_t i = 0; i < y.size(); i++) withBias[i] += bias[i % d.k];
            withBoth = withBias;
            for (size_t i = 0; i < y.size(); i++) withBoth[i] += z[i];
            Array S(strands, false, shift), B(bias, false, shift), Z(z, false, shift), Y(y.size(), false, shift);
            Array DY(dy, false, shift), DS(strands.size(), false, shift);
            void *none = nullptr;
            launch("weave", flat(y.size()), S.at(), B.at(), Z.at(), Y.at(), d.n, d.h, d.w, d.k);
            agree(Y.get(), withBoth, tolerance(), "woven, with bias and z");
            launch("weave", flat(y.size()), S.at(), B.at(), none, Y.at(), d.n, d.h, d.w, d.k);
            agree(Y.get(), withBias, tolerance(), "woven, with bias");
            launch("weave", flat(y.size()), S.at(), none, none, Y.at(), d.n, d.h, d.w, d.k);
            agree(Y.get(), y, 0, "woven");
            launch("unweave", flat(strands.size()), DY.at(), DS.at(), d.n, d.h, d.w, d.k);
            agree(DS.get(), dstrands, 0, "unwoven");
            transposed(Y.get(), dy, strands, DS.get(), "unweave is the transpose of weave");
        }
}
