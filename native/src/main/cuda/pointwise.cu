// Each element by itself: y[i] = value, y[i] = f(x[i]), y[i] = f(a[i], b[i]) with broadcasting.
// The formulas are the rows of ../cpp/pointwise.def, which feed the CPU's kernels and are compared with the Java ones.
#include "common.h"
#include "axes.h"
#include "kernels.h"
#include "single.h"

KERNEL(fill)(T *y, int n, float value) {
    T stored;
    narrow(value, stored);
    FLAT(i, 0, n) y[i] = stored;
}

// y[i] = x[i] for first, first + step, … below n, four at a time where both can be read so.
template <class From, class To> DEVICE void cast(const From *x, To *y, unsigned n, unsigned first, unsigned step) {
    unsigned fours = aligned(x, 4 * sizeof(From)) && aligned(y, 4 * sizeof(To)) ? n / 4 : 0;
#pragma unroll 4
    for (unsigned i = first; i < fours; i += step) {
        float v[4];
        load<4>(x + 4 * i, v);
        store<4>(v, y + 4 * i);
    }
#pragma unroll 1
    for (unsigned i = 4 * fours + first; i < n; i += step) narrow(widen(x[i]), y[i]);
}

KERNEL(cast_to_float)(const T *x, float *y, int n) { cast(x, y, n, flatThread(), flatThreads()); }
KERNEL(cast_from_float)(const float *x, T *y, int n) { cast(x, y, n, flatThread(), flatThreads()); }

template <class From, class To> DEVICE void castPiece(const Casts &casts) {
    const CastOfOne &own = ownOf(casts);
    unsigned done = (blockIdx.x - own.first) * SHORT_PIECE, n = own.n - done;
    cast(static_cast<const From *>(own.from) + done, static_cast<To *>(own.to) + done,
         n < SHORT_PIECE ? n : SHORT_PIECE, threadIdx.x, blockDim.x);
}

KERNEL(casts_to_float)(Casts casts) { castPiece<T, float>(casts); }
KERNEL(casts_from_float)(Casts casts) { castPiece<float, T>(casts); }

template <class F> DEVICE void unary(const T *x, T *y, unsigned n, F f) {
    unsigned vectors = aligned(x, 16) && aligned(y, 16) ? n / VECTOR : 0;
    FLAT(i, 0, vectors) {
        float v[VECTOR];
        load<VECTOR>(x + i * VECTOR, v);
#pragma unroll
        for (int j = 0; j < VECTOR; j++) v[j] = f(v[j]);
        store<VECTOR>(v, y + i * VECTOR);
    }
    FLAT(i, vectors * VECTOR, n) narrow(f(widen(x[i])), y[i]);
}

template <int V> DEVICE void addBias(T *y, const T *bias, const T *z, unsigned n, unsigned width) {
    FLAT(i, 0, n / V) {
        float v[V];
        load<V>(y + i * V, v);
        if (bias) addTo<V>(bias + i * V % width, v);
        if (z) addTo<V>(z + i * V, v);
        store<V>(v, y + i * V);
    }
}

KERNEL(add_bias)(T *y, const T *bias, const T *z, int n, int width) {
    if (width % VECTOR == 0 && aligned(y, 16) && aligned(bias, 16) && aligned(z, 16)) addBias<VECTOR>(y, bias, z, n, width);
    else addBias<1>(y, bias, z, n, width);
}

// How VECTOR neighbours of one operand are read: all at once, as one value for all, or one by one.
enum Reading { TOGETHER, ONE_FOR_ALL, SCATTERED };
DEVICE Reading reading(const T *x, const int *stride, int rank) {
    if (stride[0] == 0) return ONE_FOR_ALL;
    return stride[0] == 1 && runsAligned(x, stride, rank) ? TOGETHER : SCATTERED;
}
DEVICE void read(Reading how, const T *x, unsigned stride, float *v) {
    if (how == TOGETHER) load<VECTOR>(x, v);
    else
#pragma unroll
        for (int j = 0; j < VECTOR; j++) v[j] = widen(x[how == ONE_FOR_ALL ? 0 : j * stride]);
}

template <class F> DEVICE void binary(const T *a, const T *b, T *y, unsigned n, const Axes &axes, F f) {
    unsigned vectors = aligned(y, 16) && (axes.rank == 1 || axes.size[0] % VECTOR == 0) ? n / VECTOR : 0;
    Reading howA = reading(a, axes.first, axes.rank), howB = reading(b, axes.second, axes.rank);
    FLAT(i, 0, vectors) {
        unsigned atA, atB;
        place(axes, i * VECTOR, atA, atB);
        float u[VECTOR], v[VECTOR];
        read(howA, a + atA, axes.first[0], u);
        read(howB, b + atB, axes.second[0], v);
#pragma unroll
        for (int j = 0; j < VECTOR; j++) v[j] = f(u[j], v[j]);
        store<VECTOR>(v, y + i * VECTOR);
    }
    FLAT(i, vectors * VECTOR, n) {
        unsigned atA, atB;
        place(axes, i, atA, atB);
        narrow(f(widen(a[atA]), widen(b[atB])), y[i]);
    }
}

#define UNARY(name, expression)                                                   \
    struct Unary_##name {                                                         \
        DEVICE_MEMBER float operator()(float value) const {                       \
            Single x(value);                                                      \
            return Single(expression).v;                                          \
        }                                                                         \
    };                                                                            \
    KERNEL(unary_##name)(const T *x, T *y, int n) { unary(x, y, n, Unary_##name()); }
#define BINARY(name, expression)                                                  \
    struct Binary_##name {                                                        \
        DEVICE_MEMBER float operator()(float first, float second) const {         \
            Single a(first), b(second);                                           \
            return Single(expression).v;                                          \
        }                                                                         \
    };                                                                            \
    KERNEL(binary_##name)(const T *a, const T *b, T *y, int n, Axes axes) {       \
        binary(a, b, y, n, axes, Binary_##name());                                \
    }
#include "../cpp/pointwise.def"
#undef UNARY
#undef BINARY
