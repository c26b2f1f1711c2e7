// Every kernel against plain loops in double. usage: kernel_test PTX. Prints "ok NAME" or "FAIL NAME: why" for each case.
#include "device.h"

#include <fstream>
#include <memory>
#include <sstream>

#define KERNEL(name) void declared_##name
typedef void T;
#include "kernels.h"
#undef KERNEL

bool halves;
void *module;
std::vector<Case> &cases() {
    static std::vector<Case> all;
    return all;
}

int main(int count, char **arguments) {
    if (count != 2) return 2;
    std::ifstream file(arguments[1]);
    std::stringstream text;
    text << file.rdbuf();
    halves = text.str().find("// module kernels_bf16") != std::string::npos;
    void *context;
    int device;
    check(cuInit(0), "cuInit");
    check(cuDeviceGet(&device, 0), "cuDeviceGet");
    check(cuDevicePrimaryCtxRetain(&context, device), "cuDevicePrimaryCtxRetain");
    check(cuCtxSetCurrent(context), "cuCtxSetCurrent");
    check(cuModuleLoadData(&module, text.str().c_str()), "cuModuleLoadData");
    bool all = true;
    for (Case &c : cases()) {
        try {
            c.body();
            check(cuCtxSynchronize(), "cuCtxSynchronize");
            printf("ok %s\n", c.name.c_str());
        } catch (const std::exception &e) {
            all = false;
            printf("FAIL %s: %s\n", c.name.c_str(), e.what());
        }
    }
    return all ? 0 : 1;
}

// ---- pointwise --------------------------------------------------------------------------------------------------------

CASE(fill_and_casts) {
    for (int n : {1, 7, 1003}) {
        Array y(n), wide(n, true), back(n);
        launch("fill", flat(n), y.at(), n, 0.1f);
        agree(y.get(), std::vector<double>(n, stored(0.1f)), 0, "fill");
        auto x = normal(n, 1, true);
        wide.put(x);
        launch("cast_from_float", flat(n), wide.at(), back.at(), n);
        for (double &v : x) v = stored(v);
        agree(back.get(), x, 0, "from float, rounded to nearest even");
        launch("cast_to_float", flat(n), back.at(), wide.at(), n);
        agree(wide.get(), x, 0, "to float");
    }
    double special[] = {INFINITY, -INFINITY, NAN, 1 + 0x1p-8, 1 + 3 * 0x1p-8, -0.0, 3.3895314e38};
    Array wide(std::vector<double>(special, special + 7), true), y(7);
    launch("cast_from_float", flat(7), wide.at(), y.at(), 7);
    auto got = y.get();
    expect(got[0] == INFINITY && got[1] == -INFINITY && std::isnan(got[2]), "infinities and NaN keep their meaning");
    expect(!halves || (got[3] == 1 && got[4] == 1 + 0x1p-6), "ties go to the even neighbour");
}

CASE(many_casts_at_once) {
    const int sizes[] = {1, 4096, 33, 4097, 8192, 20000, 7};
    const int count = sizeof sizes / sizeof *sizes;
    std::vector<std::unique_ptr<Array>> wide, narrow;
    std::vector<std::vector<double>> expected;
    Casts there = {}, back = {};
    int pieces = 0;
    for (int i = 0; i < count; i++) {
        auto x = normal(sizes[i], 200 + i, true);
        wide.push_back(std::make_unique<Array>(x, true, i % 3));  // some not at multiples of 16 bytes
        narrow.push_back(std::make_unique<Array>(sizes[i], false, i % 2));
        for (double &v : x) v = stored(v);
        expected.push_back(x);
        there.each[i] = {wide[i]->at(), narrow[i]->at(), sizes[i], pieces};
        back.each[i] = {narrow[i]->at(), wide[i]->at(), sizes[i], pieces};
        pieces += (sizes[i] + SHORT_PIECE - 1) / SHORT_PIECE;
    }
    there.count = back.count = count;
    Launch l = {unsigned(pieces), 1, 256, 1, 0};
    launch("casts_from_float", l, there);
    for (int i = 0; i < count; i++) agree(narrow[i]->get(), expected[i], 0, "from float");
    for (int i = 0; i < count; i++) wide[i]->put(std::vector<double>(sizes[i]));
    launch("casts_to_float", l, back);
    for (int i = 0; i < count; i++) agree(wide[i]->get(), expected[i], 0, "to float");
}

namespace table {
using std::abs;
const double SQRT1_2 = 0.70710678118654752440, SQRT2_PI = 0.79788456080286535588, SQRT1_2PI = 0.39894228040143267794;
double gelu_tanh_derivative(double x) {
    double t = tanh(SQRT2_PI * (x + 0.044715 * x * x * x));
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * SQRT2_PI * (1 + 3 * 0.044715 * x * x);
}
struct Row {
    const char *name;
    double (*unary)(double);
    double (*binary)(double, double);
};
const Row rows[] = {
#define UNARY(name, expression) {"unary_" #name, [](double x) -> double { return expression; }, nullptr},
#define BINARY(name, expression) {"binary_" #name, nullptr, [](double a, double b) -> double { return expression; }},
#include "../../main/cpp/pointwise.def"
};
}  // namespace table

CASE(every_row_of_the_table) {
    for (const table::Row &row : table::rows) {
        std::string name = row.name;
        for (int n : {1, 1003, 1024})
            for (int shift : {0, 1}) {  // 1: no 16-byte accesses
                bool positive = name.find("SQRT") != std::string::npos || name == "unary_LOG" || name == "unary_RECIPROCAL";
                auto a = positive ? between(1.25, 4, n, 3) : between(-4, 4, n, 3);
                auto b = name == "binary_DIV" ? between(0.5, 2, n, 4) : normal(n, 4);
                std::vector<double> expected(n);
                for (int i = 0; i < n; i++) expected[i] = row.unary ? row.unary(a[i]) : row.binary(a[i], b[i]);
                Array x(a, false, shift), z(b, false, shift), y(n, false, shift);
                Axes axes = {1, {n}, {1}, {1}};
                if (row.unary) {
                    launch(row.name, flat(n), x.at(), y.at(), n);
                    agree(y.get(), expected, tolerance(), row.name);
                    launch(row.name, flat(n), x.at(), x.at(), n);
                    agree(x.get(), expected, tolerance(), "in place");
                } else {
                    launch(row.name, flat(n), x.at(), z.at(), y.at(), n, axes);
                    agree(y.get(), expected, tolerance(), row.name);
                }
            }
    }
}

CASE(saturated_values_and_nan) {
    std::vector<double> x = {-300, 300, 0, NAN, INFINITY, -700};
    Array a(x), y(6);
    launch("unary_SILU", flat(6), a.at(), y.at(), 6);
    auto got = y.get();
    expect(got[0] == 0 && got[1] == 300 && got[2] == 0 && std::isnan(got[3]) && got[4] == INFINITY, "silu");
    launch("unary_SIGMOID", flat(6), a.at(), y.at(), 6);
    got = y.get();
    expect(got[0] == 0 && got[1] == 1 && got[4] == 1 && got[5] == 0, "sigmoid");
}

// A box of sizes (innermost first) with strides; calls f(number, first offset, second offset).
template <class F> static void overBox(const Axes &a, F f) {
    int n = 1;
    for (int k = 0; k < a.rank; k++) n *= a.size[k];
    for (int i = 0; i < n; i++) {
        int rest = i, first = 0, second = 0;
        for (int k = 0; k < a.rank; k++) {
            first += rest % a.size[k] * a.first[k];
            second += rest % a.size[k] * a.second[k];
            rest /= a.size[k];
        }
        f(i, first, second);
    }
}
static int reach(const Axes &a, const int *stride) {
    int last = 0;
    for (int k = 0; k < a.rank; k++) last += (a.size[k] - 1) * stride[k];
    return last + 1;
}
static int product(const Axes &a) {
    int n = 1;
    for (int k = 0; k < a.rank; k++) n *= a.size[k];
    return n;
}

CASE(broadcasting) {
    const Axes boxes[] = {
        {1, {1003}, {1}, {0}},                                  // one value for all
        {1, {1024}, {0}, {1}},
        {2, {28, 91}, {1, 28}, {1, 0}},                         // a row for each
        {2, {32, 91}, {1, 32}, {1, 0}},
        {2, {33, 26}, {1, 33}, {0, 1}},                         // a column for each
        {2, {64, 26}, {1, 64}, {0, 1}},
        {3, {28, 91, 2}, {1, 28, 2548}, {1, 0, 28}},            // [2,91,28] and [2,1,28]
        {3, {32, 91, 2}, {1, 32, 2912}, {0, 1, 0}},
        {2, {7, 5}, {0, 1}, {1, 0}},                            // [5,1] and [1,7]
        {4, {3, 2, 7, 26}, {1, 0, 3, 21}, {1, 3, 6, 42}},       // repeated columns
        {6, {4, 2, 3, 2, 3, 2}, {1, 4, 8, 24, 48, 144}, {1, 0, 4, 0, 12, 36}},
        {2, {64, 8}, {1, 66}, {1, 64}},                         // runs that are not aligned
    };
    for (const Axes &axes : boxes) {
        int n = product(axes);
        auto a = between(0.5, 2, reach(axes, axes.first), 5), b = between(0.5, 2, reach(axes, axes.second), 6);
        std::vector<double> sub(n), div(n);
        overBox(axes, [&](int i, int p, int q) {
            sub[i] = a[p] - b[q];
            div[i] = a[p] / b[q];
        });
        Array x(a), z(b), y(n);
        launch("binary_SUB", flat(n), x.at(), z.at(), y.at(), n, axes);
        agree(y.get(), sub, tolerance(), "SUB");
        launch("binary_DIV", flat(n), x.at(), z.at(), y.at(), n, axes);
        agree(y.get(), div, tolerance(), "DIV");
    }
}

// ---- movement ---------------------------------------------------------------------------------------------------------

CASE(bias_and_more) {
    for (int width : {1, 7, 28, 32})
        for (int shift : {0, 1})
            for (int what : {1, 2, 3}) {
                int n = 13 * width;
                auto y = normal(n, 7), bias = normal(width, 8), z = normal(n, 9), sum = y;
                for (int i = 0; i < n; i++) sum[i] += (what & 1 ? bias[i % width] : 0) + (what & 2 ? z[i] : 0);
                Array Y(y, false, shift), B(bias), Z(z);
                const void *none = nullptr;
                launch("add_bias", flat(n), Y.at(), what & 1 ? B.at() : none, what & 2 ? Z.at() : none, n, width);
                agree(Y.get(), sum, tolerance(), "y + bias + z");
            }
}

CASE(strided_copies) {
    const Axes boxes[] = {
        {1, {1003}, {1}, {1}},
        {1, {33}, {0}, {1}},                                            // repeat
        {2, {28, 26}, {1, 28}, {1, 31}},                                // into the columns of something wider
        {2, {32, 26}, {1, 32}, {1, 96}},
        {2, {16, 26}, {1, 48}, {1, 16}},                                // a slice
        {2, {30, 26}, {1, 32}, {1, 48}},                                // aligned runs of a length that no vector divides
        {3, {13, 28, 2}, {28, 1, 364}, {1, 13, 364}},                   // NHWC to NCHW
        {6, {3, 2, 7, 2, 3, 2}, {1, 3, 6, 42, 84, 252}, {1, 21, 3, 42, 84, 252}},
        {5, {4, 2, 7, 2, 26}, {1, 0, 4, 0, 28}, {1, 4, 8, 56, 112}},    // upsampling
    };
    for (const Axes &axes : boxes)
        for (int shift : {0, 1}) {
            int n = product(axes), target = reach(axes, axes.second);
            auto x = normal(reach(axes, axes.first), 7);
            std::vector<double> before(target, 0.5), expected = before;
            overBox(axes, [&](int, int p, int q) { expected[q] = x[p]; });
            Array from(x, false, shift), to(before, false, shift);
            launch("copy", flat(n), from.at(), to.at(), n, axes);
            agree(to.get(), expected, 0, "copy");
        }

    Copies all = {};
    std::vector<std::unique_ptr<Array>> arrays;
    std::vector<std::vector<double>> wanted;
    unsigned pieces = 0;
    for (int size : {1, 4095, 4096, 4097, 9000})
        for (int shift : {0, 1})
            for (int step : {1, 3}) {
                Axes line = {1, {size}, {step}, {1}};
                auto x = normal(reach(line, line.first), 7);
                std::vector<double> expected(size);
                for (int i = 0; i < size; i++) expected[i] = x[i * step];
                arrays.emplace_back(new Array(x, false, shift));
                arrays.emplace_back(new Array(size));
                wanted.push_back(expected);
                all.each[all.count++] = {arrays[arrays.size() - 2]->at(), arrays.back()->at(), size, static_cast<int>(pieces), line, 0};
                pieces += (size + SHORT_PIECE - 1) / SHORT_PIECE;
            }
    launch("copies", Launch{pieces, 1, 256, 1, 0}, all);
    for (size_t i = 0; i < wanted.size(); i++) agree(arrays[2 * i + 1]->get(), wanted[i], 0, "copies");
}

CASE(filters_turned_round) {
    Turns all = {};
    std::vector<std::unique_ptr<Array>> arrays;
    std::vector<std::vector<double>> expected;
    int pieces = 0;
    for (int k : {1, 31, 32, 40})
        for (int c : {1, 33, 64})
            for (int taps : {1, 9}) {
                auto w = normal(k * taps * c, 7 + all.count);
                std::vector<double> y(w.size());
                for (int i = 0; i < k; i++)
                    for (int t = 0; t < taps; t++)
                        for (int j = 0; j < c; j++) y[(j * taps + taps - 1 - t) * k + i] = w[(i * taps + t) * c + j];
                arrays.emplace_back(new Array(w));
                arrays.emplace_back(new Array(y.size()));
                expected.push_back(y);
                all.each[all.count++] = {arrays[arrays.size() - 2]->at(), arrays.back()->at(), k, taps, c, pieces};
                pieces += taps * ((k + 31) / 32) * ((c + 31) / 32);
            }
    launch("turn_filters", Launch{unsigned(pieces), 1, 32, 8, 0}, all);
    for (size_t i = 0; i < expected.size(); i++) agree(arrays[2 * i + 1]->get(), expected[i], 0, "turned");
}

CASE(gather_and_scatter) {
    for (int width : {1, 33, 128}) {
        int n = 7, rows = 10;
        std::vector<double> index = {9, 0, 3, 3, 9, 5, 3}, table = normal(rows * width, 8), dy = normal(n * width, 9);
        std::vector<double> picked(n * width), sum(rows * width);
        for (int i = 0; i < n; i++)
            for (int c = 0; c < width; c++) {
                picked[i * width + c] = table[int(index[i]) * width + c];
                sum[int(index[i]) * width + c] += dy[i * width + c];
            }
        Array t(table), i(index, true), y(n * width), d(dy), dt(rows * width);
        Records<int> bad({INT32_MAX});
        launch("gather", flat(n * width), t.at(), i.at(), y.at(), n, width, rows, bad.at());
        agree(y.get(), picked, 0, "gather");
        launch("scatter_add", flat(rows * width), i.at(), d.at(), dt.at(), n, width, rows, bad.at());
        agree(dt.get(), sum, tolerance(), "scatter_add");
        expect(bad.get()[0] == INT32_MAX, "no index is bad");
        for (double wrong : {10.0, -1.0, 2.5, double(NAN), 3e9}) {
            std::vector<double> spoiled = index;
            spoiled[4] = wrong;
            spoiled[6] = wrong;
            i.put(spoiled);
            Records<int> one({INT32_MAX}), two({INT32_MAX});
            launch("gather", flat(n * width), t.at(), i.at(), y.at(), n, width, rows, one.at());
            launch("scatter_add", flat(rows * width), i.at(), d.at(), dt.at(), n, width, rows, two.at());
            expect(one.get()[0] == 4 && two.get()[0] == 4, "the first bad index is found");
        }
    }
}

// ---- reductions -------------------------------------------------------------------------------------------------------

static Launch finish(unsigned outputs, int slices) {
    unsigned each = slices <= FEW_SLICES ? 256 : 8;
    return {(outputs + each - 1) / each, 1, 256, 1, 0};
}

CASE(sums_and_maxima) {
    struct Shape {
        Axes kept, reduced;
        const char *name;
    };
    const Shape shapes[] = {
        {{1, {1}, {0}, {}}, {1, {30003}, {1}, {}}, "all of 30,003"},
        {{1, {26}, {33}, {}}, {1, {33}, {1}, {}}, "rows of 33"},
        {{1, {33}, {1}, {}}, {1, {182}, {33}, {}}, "columns, 182 of 33"},
        {{2, {33, 2}, {1, 3003}, {}}, {1, {91}, {33}, {}}, "[2,91,33] to [2,1,33]"},
        {{1, {91}, {33}, {}}, {2, {33, 2}, {1, 3003}, {}}, "[2,91,33] to [1,91,1]"},
        {{2, {7, 3}, {33, 3003}, {}}, {2, {33, 13}, {1, 231}, {}}, "[3,13,7,33] to [3,1,7,1]"},
        {{1, {1}, {0}, {}}, {1, {1}, {0}, {}}, "a scalar"},
        {{1, {4000}, {1}, {}}, {1, {3}, {4000}, {}}, "many columns, three rows"},
    };
    for (const Shape &s : shapes) {
        int outputs = product(s.kept), count = product(s.reduced);
        auto x = normal(reach(s.kept, s.kept.first) + reach(s.reduced, s.reduced.first) - 1, 10);
        std::vector<double> sum(outputs), most(outputs, -INFINITY);
        overBox(s.kept, [&](int o, int p, int) {
            overBox(s.reduced, [&](int, int q, int) {
                sum[o] += x[p + q];
                most[o] = std::fmax(most[o], x[p + q]);
            });
        });
        Array in(x), y(outputs), wide(outputs, true);
        for (int slices : {1, 3})
            for (int columns : {0, 1})
                for (int maximum : {0, 1}) {
                    if (slices > count) continue;
                    Array partial(static_cast<size_t>(outputs) * slices, true);
                    Launch rows = {unsigned(outputs), unsigned(slices), outputs > 1000 ? 32u : 128u, 1, 0};
                    Launch both = {unsigned(outputs + 31) / 32, unsigned(slices), 32, 8, 0};
                    for (int yFloat : {0, 1}) {
                        void *to = yFloat ? wide.at() : y.at();
                        launch(columns ? "reduce_columns" : "reduce_rows", columns ? both : rows, in.at(), to, partial.at(), outputs,
                               count, slices, maximum, yFloat, s.kept, s.reduced);
                        if (slices > 1) launch("reduce_finish", finish(outputs, slices), partial.at(), to, outputs, slices, maximum, yFloat);
                        agree(yFloat ? wide.get() : y.get(), maximum ? most : sum, maximum ? 0 : yFloat ? 1e-6 : tolerance(), s.name);
                    }
                }
        if (count > 32) continue;  // more are not the business of reduce_few
        for (int maximum : {0, 1})
            for (int yFloat : {0, 1}) {
                void *to = yFloat ? wide.at() : y.at();
                launch("reduce_few", flat(outputs), in.at(), to, outputs, count, maximum, yFloat, s.kept, s.reduced);
                agree(yFloat ? wide.get() : y.get(), maximum ? most : sum, maximum ? 0 : yFloat ? 3e-6 : tolerance(), s.name);
            }
    }
    std::vector<double> x(64, 1);
    x[40] = NAN;
    Array in(x), y(1, true);
    Axes one = {1, {1}, {0}, {}}, all = {1, {64}, {1}, {}};
    launch("reduce_rows", Launch{1, 1, 32, 1, 0}, in.at(), y.at(), static_cast<void *>(nullptr), 1, 64, 1, 1, 1, one, all);
    expect(std::isnan(y.get()[0]), "a NaN is the largest");
}

CASE(sums_and_maxima_of_slices) {
    for (int slices : {1, 2, 16, 17, 64, 512, 600, 1100})
        for (int outputs : {1, 7, 8, 33, 300}) {
            auto x = normal(size_t(slices) * outputs, 14, true);
            std::vector<double> sum(outputs), most(outputs, -INFINITY);
            for (size_t i = 0; i < x.size(); i++) {
                sum[i % outputs] += x[i];
                most[i % outputs] = std::fmax(most[i % outputs], x[i]);
            }
            Array partial(x, true), y(outputs), wide(outputs, true);
            for (int maximum : {0, 1}) {
                launch("reduce_finish", finish(outputs, slices), partial.at(), wide.at(), outputs, slices, maximum, 1);
                agree(wide.get(), maximum ? most : sum, maximum ? 0 : 1e-6, "slices");
                launch("reduce_finish", finish(outputs, slices), partial.at(), y.at(), outputs, slices, maximum, 0);
                agree(y.get(), maximum ? most : sum, tolerance(), "slices, to T");
            }
        }
}

// Bias gradients, and sums over the pixels of each image.
CASE(sums_of_columns) {
    struct Matrices {
        int images, count, columns, row, image;
    } all[] = {{1, 97, 28, 28, 0}, {1, 1000, 18, 18, 0}, {1, 3000, 128, 128, 0}, {3, 50, 64, 64, 3200}, {2, 33, 40, 48, 33 * 48}, {1, 40, 2056, 2056, 0}, {1, 5, 1, 1, 0}};
    const int widest = tolerance() > 1e-3 ? 8 : 4;  // values in 16 bytes
    for (const Matrices &m : all) {
        auto x = normal(size_t(m.images) * m.count * m.row, 12);
        std::vector<double> sum(size_t(m.images) * m.columns);
        for (int b = 0; b < m.images; b++)
            for (int r = 0; r < m.count; r++)
                for (int c = 0; c < m.columns; c++) sum[b * m.columns + c] += x[b * m.image + r * m.row + c];
        Array in(x), y(sum.size()), wide(sum.size(), true);
        for (int vector : {1, 4, widest}) {
            if (m.columns % vector || m.row % vector || m.image % vector) continue;
            for (int slices : {1, 4}) {
                Array partial(slices * sum.size(), true);
                unsigned blocks = (m.columns / vector + 255) / 256, outputs = sum.size();
                for (int yFloat : {0, 1}) {
                    void *to = yFloat ? wide.at() : y.at();
                    launch("column_sums", Launch{blocks, unsigned(slices), 256, 1, unsigned(2048 * vector), unsigned(m.images)}, in.at(), to,
                           partial.at(), m.columns, m.count, m.row, m.image, vector, slices, yFloat);
                    if (slices > 1)
                        launch("reduce_finish", finish(outputs, slices), partial.at(), to, int(outputs), slices, 0, yFloat);
                    agree(yFloat ? wide.get() : y.get(), sum, yFloat ? 1e-6 : tolerance(), "sums of columns");
                }
            }
        }
    }
}

// Many of them in one launch, of one or two results, floats or bfloat16.
CASE(last_stages_of_sums) {
    std::vector<std::unique_ptr<Array>> partials, results, rests;
    std::vector<std::vector<double>> expected;
    Sums all = {};
    int pieces = 0;
    for (int i = 0; i < MOST_SUMS; i++) {
        int outputs = 1 + i * 37 % 150, slices = 1 + i * 11 % 70, split = i % 3 == 0 ? outputs / 2 + 1 : outputs, half = i % 3 == 1;
        int row = i % 4 == 0 ? outputs + i : outputs;
        auto partial = normal(size_t(slices) * row, 13 + i, true);
        std::vector<double> sum(outputs);
        for (int s = 0; s < slices; s++)
            for (int o = 0; o < outputs; o++) sum[o] += partial[s * row + o];
        partials.emplace_back(new Array(partial, true));
        results.emplace_back(half ? new Array(std::vector<double>(split), Array::Type{CUDA_BF16}) : new Array(split, true));
        rests.emplace_back(new Array(outputs - split + 1, true));
        all.each[i] = {static_cast<float *>(partials[i]->at()), results[i]->at(), static_cast<float *>(rests[i]->at()),
                       outputs, slices, row, split, half, pieces};
        expected.push_back(sum);
        pieces += (outputs + 31) / 32;
    }
    all.count = MOST_SUMS;
    launch("final_sums", Launch{unsigned(pieces), 1, 32, 8, 0}, all);
    for (int i = 0; i < MOST_SUMS; i++) {
        auto found = results[i]->get(), rest = rests[i]->get();
        for (int o = 0; o < all.each[i].outputs - all.each[i].split; o++) found.push_back(rest[o]);
        agree(found, expected[i], all.each[i].half ? 4e-3 : 1e-6, "last stages");
    }
}

// ---- random -----------------------------------------------------------------------------------------------------------

// The published answer of Philox 4x32-10 for counter 0 and key 0 (Salmon et al. 2011, the Random123 test vectors).
CASE(philox_known_answer) {
    uint32_t word[] = {0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u};
    Array y(4);
    std::vector<double> uniform, integers, keep, gauss;
    for (uint32_t w : word) {
        uniform.push_back((w >> 8) * 0x1p-24);
        integers.push_back(double(uint64_t(w) * 1000 >> 32));
        keep.push_back((w >> 8) * 0x1p-24 < 0.7 ? 1 / 0.7 : 0);
    }
    for (int i = 0; i < 4; i += 2) {
        double radius = sqrt(-2 * log((word[i] + 0.5) * 0x1p-32)), angle = 2 * M_PI * (word[i + 1] * 0x1p-32);
        gauss.push_back(radius * cos(angle));
        gauss.push_back(radius * sin(angle));
    }
    auto draw = [&](int kind, double parameter) {
        launch("draw", flat(4), kind, parameter, 0ull, static_cast<void *>(nullptr), 0ull, y.at(), 4);
        return y.get();
    };
    agree(draw(0, 0), uniform, tolerance(0), "uniform");
    agree(draw(1, 0), gauss, tolerance(1e-7), "normal");
    agree(draw(2, 1000), integers, tolerance(0), "integers");
    agree(draw(3, 0.7), keep, tolerance(1e-7), "keep");
}

CASE(dropout_draws_what_draw_does) {
    for (int n : {1, 6, 1003, 4096})
        for (int shift : {0, 1}) {
            auto x = normal(n, 5), wanted = x;
            Array mask(n), X(x, false, shift), Y(n, false, shift);
            launch("draw", flat(n), 3, 0.75, 99ull, static_cast<void *>(nullptr), 8ull, mask.at(), n);
            auto drawn = mask.get();
            for (int i = 0; i < n; i++) wanted[i] = drawn[i] == 0 ? 0 : x[i] * static_cast<double>(static_cast<float>(1 / 0.75));
            launch("dropout", flat(n), Mask{99, 8, nullptr, 0xbfffffffu, 1 / 0.75f}, X.at(), Y.at(), n);
            agree(Y.get(), wanted, tolerance(), "dropout");
        }
}

CASE(draws_count_from_the_step) {
    int n = 1003;
    uint64_t seed = 0x123456789ABCDEFull, offset = 1ull << 34;
    Array all(n + 64), part(n);
    launch("draw", flat(n), 1, 0.0, seed, static_cast<void *>(nullptr), static_cast<unsigned long long>(offset), all.at(), n + 64);
    Step zero = {};
    Records<Step> step({zero});
    launch("set_step", Launch{1, 1, 1, 1, 0}, step.at(), static_cast<unsigned long long>(offset), 0.f, 0.f, 0.f, 0.f, 0.f, -1ll);
    launch("draw", flat(n), 1, 0.0, seed, step.at(), 64ull, part.at(), n);
    auto expected = all.get();
    expected.erase(expected.begin(), expected.begin() + 64);
    agree(part.get(), expected, 0, "draws 64 on");
    double mean = 0, square = 0;
    for (double v : all.get()) mean += v / (n + 64), square += v * v / (n + 64);
    expect(fabs(mean) < 0.12 && fabs(square - 1) < 0.17, "mean 0, variance 1");
}
