// The depthwise convolution against plain loops in double; see kernel_test.cpp.
#include "device.h"

#define KERNEL(name) void declared_##name
typedef void T;
#include "kernels.h"
#undef KERNEL

typedef std::vector<double> Doubles;

CASE(depthwise_convolution) {
    const Convolution shapes[] = {
        // n, h, w, c, k, p, q, r, s, stride, top, left
        {2, 13, 7, 28, 28, 13, 7, 7, 7, 1, 3, 3, 0},  {1, 13, 7, 33, 33, 13, 7, 3, 3, 1, 1, 1, 0},
        {1, 13, 7, 3, 6, 13, 7, 3, 3, 1, 1, 1, 0},    {2, 13, 8, 40, 40, 7, 4, 3, 3, 2, 1, 1, 0},
        {1, 6, 12, 5, 10, 6, 12, 1, 9, 1, 0, 4, 0},   {1, 5, 5, 4, 4, 4, 6, 2, 2, 1, 0, 1, 0},
        {2, 14, 14, 18, 18, 14, 14, 7, 7, 1, 3, 3, 0}, {1, 28, 28, 5, 5, 28, 28, 7, 7, 1, 3, 3, 0},
        {1, 9, 15, 35, 35, 8, 14, 3, 3, 1, 0, 1, 0},   {3, 1, 1, 4, 4, 1, 1, 7, 7, 1, 3, 3, 0}};
    for (const Convolution &d : shapes) {
        int taps = d.r * d.s, times = d.k / d.c;
        bool usual = d.stride == 1 && times == 1 && d.r == d.s && (d.r == 3 || d.r == 7);
        Doubles x = normal(d.n * d.h * d.w * d.c, 110), f = normal(d.k * taps, 111), dy = normal(d.n * d.p * d.q * d.k, 112);
        Doubles y(dy.size()), dx(x.size()), df(f.size());
        for (int n = 0; n < d.n; n++)
            for (int p = 0; p < d.p; p++)
                for (int q = 0; q < d.q; q++)
                    for (int i = 0; i < d.k; i++)
                        for (int r = 0; r < d.r; r++)
                            for (int s = 0; s < d.s; s++) {
                                int h = p * d.stride + r - d.top, w = q * d.stride + s - d.left;
                                if (h < 0 || w < 0 || h >= d.h || w >= d.w) continue;
                                int from = ((n * d.h + h) * d.w + w) * d.c + i / times, to = ((n * d.p + p) * d.q + q) * d.k + i;
                                int tap = i * taps + r * d.s + s;
                                y[to] += x[from] * f[tap];
                                dx[from] += dy[to] * f[tap];
                                df[tap] += dy[to] * x[from];
                            }
        Array X(x), F(f), DY(dy), Y(y.size()), DX(x.size()), DF(f.size());
        unsigned k = (d.k + 31) / 32, c = (d.c + 31) / 32;
        for (unsigned rows : {1u, 3u}) {
            launch("depthwise", Launch{k, rows, 32, 8, unsigned(132 * taps)}, X.at(), F.at(), Y.at(), d);
            agree(Y.get(), y, tolerance(), "y");
            launch("depthwise_data", Launch{c, rows, 32, 8, unsigned(132 * taps * times)}, F.at(), DY.at(), DX.at(), d);
            agree(DX.get(), dx, tolerance(), "dx");
            if (d.stride == 1 && d.c == d.k) {
                Convolution back = {d.n, d.p, d.q, d.k, d.c, d.h, d.w, d.r, d.s, 1, d.r - 1 - d.top, d.s - 1 - d.left, 1};
                launch("depthwise", Launch{c, rows, 32, 8, unsigned(132 * taps)}, DY.at(), F.at(), DX.at(), back);
                agree(DX.get(), dx, tolerance(), "dx by the flipped filters");
            }
            Array partial(rows * df.size(), true);
            launch("depthwise_weights", Launch{k, unsigned(usual ? (d.r + 1) / 2 : d.r), 32, 8, 0, rows}, X.at(), DY.at(), partial.at(), d, int(rows));
            launch("reduce_finish", Launch{unsigned(df.size() + 255) / 256, 1, 256, 1, 0}, partial.at(), DF.at(), int(df.size()), int(rows), 0, 0);
            agree(DF.get(), df, tolerance(), "df");
        }
    }
}
