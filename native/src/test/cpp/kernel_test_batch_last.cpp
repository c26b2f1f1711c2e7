// Images with their batch innermost and the sum of the products of their rows against plain loops in double; see kernel_test.cpp.
#include "device.h"

#define KERNEL(name) void declared_##name
typedef void T;
#include "kernels.h"
#undef KERNEL

typedef std::vector<double> Doubles;

CASE(batch_innermost) {
    struct Size {
        int n, h, w, c, top, left;
    };
    for (Size d : {Size{1, 1, 1, 8, 0, 0}, {4, 2, 3, 8, 1, 1}, {128, 1, 2, 40, 1, 0}, {132, 3, 1, 32, 0, 2}, {260, 2, 2, 72, 1, 1}}) {
        int lines = d.h + 2 * d.top, wide = d.w + 2 * d.left;
        Doubles x = normal(d.n * d.h * d.w * d.c, 130), y(static_cast<size_t>(lines) * d.c * wide * d.n);
        for (int n = 0; n < d.n; n++)
            for (int h = 0; h < d.h; h++)
                for (int w = 0; w < d.w; w++)
                    for (int c = 0; c < d.c; c++)
                        y[(((h + d.top) * d.c + c) * wide + w + d.left) * d.n + n] = x[((n * d.h + h) * d.w + w) * d.c + c];
        Array X(x), Y(y.size());
        unsigned blocks = lines * wide * ((d.c + 31) / 32), stacks = (d.n + 127) / 128;
        launch("batch_last", {blocks, stacks, 256, 1, 0}, X.at(), Y.at(), d.n, d.h, d.w, d.c, d.top, d.left);
        agree(Y.get(), y, 0, "batch innermost");
    }
}

CASE(parts_of_filters) {
    struct Size {
        int k, r, s, c, p;
    };
    for (Size d : {Size{1, 1, 1, 1, 1}, {3, 2, 3, 5, 4}, {40, 3, 3, 72, 32}, {7, 1, 2, 12, 17}})
        for (int shift : {0, 1}) {
            Doubles parts = normal(d.s * d.p * d.k * d.r * d.c, 131), dw(d.k * d.r * d.s * d.c);
            for (int s = 0; s < d.s; s++)
                for (int p = 0; p < d.p; p++)
                    for (int k = 0; k < d.k; k++)
                        for (int r = 0; r < d.r; r++)
                            for (int c = 0; c < d.c; c++)
                                dw[((k * d.r + r) * d.s + s) * d.c + c] += parts[(((s * d.p + p) * d.r + r) * d.c + c) * d.k + k];
            Array P(parts, true), W(dw.size(), false, shift);
            launch("add_parts", {(d.k + 31u) / 32, (d.c + 31u) / 32, 32, 8, 0, unsigned(d.r * d.s)}, P.at(), W.at(), d.k, d.r, d.s, d.c, d.p);
            agree(W.get(), dw, tolerance(), "summed over the rows");
        }
}
