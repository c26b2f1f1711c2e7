// Convolutions with few channels, as products, against plain loops in double; see kernel_test.cpp.
#include "device.h"

#define KERNEL(name) void declared_##name
typedef void T;
#include "kernels.h"
#undef KERNEL

typedef std::vector<double> Doubles;

static const Convolution shapes[] = {
    // n, h, w, c, k, p, q, r, s, stride, top, left, flipped
    {2, 13, 7, 3, 16, 13, 7, 3, 3, 1, 1, 1, 0}, {1, 13, 7, 1, 8, 13, 7, 7, 7, 1, 3, 3, 0}, {2, 13, 8, 3, 8, 7, 4, 3, 3, 2, 0, 0, 0},
    {1, 6, 12, 7, 8, 6, 9, 1, 9, 1, 0, 2, 1},   {3, 5, 5, 2, 8, 7, 6, 2, 4, 1, 2, 2, 1},  {1, 1, 1, 5, 8, 3, 3, 3, 3, 1, 2, 2, 0},
    {40, 9, 11, 3, 8, 9, 11, 3, 3, 1, 1, 1, 1}, {1, 4, 4, 7, 8, 2, 2, 1, 1, 2, 0, 0, 0}};

CASE(images_unfolded) {
    for (const Convolution &d : shapes) {
        int taps = d.r * d.s, ones = taps * d.c, length = (ones + 8) / 8 * 8, pixels = d.n * d.p * d.q;
        Doubles x = normal(d.n * d.h * d.w * d.c, 120), columns(pixels * length);
        for (int i = 0; i < pixels; i++) {
            int n = i / (d.p * d.q), p = i / d.q % d.p, q = i % d.q;
            for (int t = 0; t < taps; t++)
                for (int c = 0; c < d.c; c++) {
                    int tap = d.flipped ? taps - 1 - t : t;
                    int h = p * d.stride + tap / d.s - d.top, w = q * d.stride + tap % d.s - d.left;
                    if (h >= 0 && w >= 0 && h < d.h && w < d.w) columns[i * length + t * d.c + c] = x[((n * d.h + h) * d.w + w) * d.c + c];
                }
            columns[i * length + ones] = 1;
        }
        Array X(x), to(Doubles(columns.size(), 9));
        launch("unfold", flat(columns.size()), X.at(), to.at(), d, length);
        agree(to.get(), columns, 0, "columns");
    }
}

CASE(taps_folded) {
    for (const Convolution &d : shapes) {
        if (d.stride != 1) continue;
        // here the few channels are those of y
        Convolution g = {d.n, d.h, d.w, d.k, d.c, d.p, d.q, d.r, d.s, 1, d.top, d.left, 0};
        int plane = g.n * g.h * g.w;
        Doubles taps = normal(g.r * g.s * g.k * plane, 121, true), bias = normal(g.k, 122), z = normal(g.n * g.p * g.q * g.k, 123);
        for (int what : {0, 1, 2, 3}) {
            Doubles y(z.size());
            for (size_t i = 0; i < y.size(); i++) {
                int k = i % g.k, q = i / g.k % g.q, p = i / g.k / g.q % g.p, n = i / g.k / g.q / g.p;
                y[i] = (what & 1 ? bias[k] : 0) + (what & 2 ? z[i] : 0);
                for (int r = 0; r < g.r; r++)
                    for (int s = 0; s < g.s; s++) {
                        int h = p + r - g.top, w = q + s - g.left;
                        if (h >= 0 && w >= 0 && h < g.h && w < g.w)
                            y[i] += taps[((r * g.s + s) * g.k + k) * plane + (n * g.h + h) * g.w + w];
                    }
            }
            Array from(taps, true), B(bias), Z(z), to(y.size());
            const void *none = nullptr;
            launch("fold", flat(y.size()), from.at(), what & 1 ? B.at() : none, what & 2 ? Z.at() : none, to.at(), g);
            agree(to.get(), y, tolerance(), "y");
        }
    }
}

CASE(filters_packed) {
    for (int turned : {0, 1})
        for (int c : {1, 3, 7}) {
            int wide = 40, taps = 9, length = (taps * c + 8) / 8 * 8;
            Doubles w = normal(wide * taps * c, 124), bias = normal(wide, 125), f(wide * length), unbiased;
            for (int i = 0; i < wide; i++) {
                for (int t = 0; t < taps; t++)
                    for (int j = 0; j < c; j++) f[i * length + t * c + j] = turned ? w[(j * taps + t) * wide + i] : w[(i * taps + t) * c + j];
            }
            unbiased = f;
            for (int i = 0; i < wide; i++) f[i * length + taps * c] = bias[i];
            Array W(w), B(bias), F(Doubles(f.size(), 9)), slopes(f, true), DW(w.size()), DB(wide);
            void *none = nullptr;
            launch("pack_filters", flat(f.size()), W.at(), B.at(), F.at(), wide, taps, c, length, turned);
            agree(F.get(), f, 0, "with bias");
            launch("pack_filters", flat(f.size()), W.at(), none, F.at(), wide, taps, c, length, turned);
            agree(F.get(), unbiased, 0, "without bias");
            launch("unpack_filters", flat(f.size()), slopes.at(), DW.at(), DB.at(), wide, taps, c, length, turned);
            agree(DW.get(), w, 0, "dw");
            agree(DB.get(), bias, 0, "dbias");
            launch("unpack_filters", flat(f.size()), slopes.at(), DW.at(), none, wide, taps, c, length, turned);
            agree(DW.get(), w, 0, "dw alone");
        }
}
