// What both kinds of attention and Winograd's convolution are made of: small products, reductions of rows, copies between
// layouts. To be included in kernels that are compiled once for each variant, hence the unnamed namespace.
//
// The products run on one register-blocked kernel: rows of C by two vectors, A broadcast from wherever it lies, B by rows.
// Widths are rounded up to 16 by copies where they are not multiples.
#pragma once
#include "kernels_vectors.h"

namespace ddpm {
namespace VARIANT {
namespace {

#ifdef __AVX512F__
constexpr int kTall = 8;  // rows of C in registers: 8 × 2 vectors of the 32
#else
constexpr int kTall = 6;  // 6 × 2 vectors of the 16
#endif
constexpr int64_t kAhead = 16;  // rows of B between the one that is asked for and the one that is used
constexpr int64_t kRows = 64;   // rows that are worked on at a time; four such blocks of 32 columns fill the first cache

#ifdef __AVX512BF16__
// Two terms of a sum, which the processor multiplies and adds at once.
typedef uint32_t Pair;
typedef uint32_t Pairs __attribute__((vector_size(sizeof(Vector)), aligned(4)));

inline Pairs load(const Pair* p) {
    return *reinterpret_cast<const Pairs*>(p);
}

inline Vector add_product(Vector sum, Pair a, Pairs b) {
    return reinterpret_cast<Vector>(_mm512_dpbf16_ps(reinterpret_cast<__m512>(sum),
                                                     reinterpret_cast<__m512bh>(_mm512_set1_epi32(a)),
                                                     reinterpret_cast<__m512bh>(b)));
}

// Lane by lane the pair of terms[0] and terms[1].
inline void store_terms(Pair* p, const Vector terms[2]) {
    typedef int16_t Places __attribute__((vector_size(sizeof(Vector))));
    const Places places = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                           8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    __m512bh rounded = _mm512_cvtne2ps_pbh(reinterpret_cast<__m512>(terms[1]), reinterpret_cast<__m512>(terms[0]));
    _mm512_storeu_si512(p, _mm512_permutexvar_epi16(reinterpret_cast<__m512i>(places),
                                                    reinterpret_cast<__m512i>(rounded)));
}
#endif

inline Vector add_product(Vector sum, float a, Vector b) {
    return sum + a * b;
}

inline void store_terms(float* p, const Vector terms[1]) {
    store(p, terms[0]);
}

// What the processor multiplies and adds at once: in halves two terms of a sum.
#ifdef __AVX512BF16__
using Word = Pair;
#else
using Word = float;
#endif
constexpr int64_t kTerms = sizeof(Word) / sizeof(Value);

// Calls body(c) for vectors of channels; the last one overlaps where it would reach beyond.
template <class Body>
inline void over_channels(int64_t channels, Body body) {
    for (int64_t c = 0; c < channels; c += kVector) body(c + kVector <= channels ? c : channels - kVector);
}

// How products over `terms` take factors that lie in rows of floats: floats as they are, pairs from copies. A row of width n
// holds n terms, and one that sums over rows has them one below the other; either may be an A or a B.
template <class Word>
struct Terms {
    static constexpr int64_t kEach = 1;
    static int64_t words(int64_t terms) { return terms; }
    static const Word* in_rows(const float* x, int64_t, int64_t, float*) { return x; }
    static const Word* over_rows(const float* x, int64_t, int64_t, float*) { return x; }
};

#ifdef __AVX512BF16__
template <>
struct Terms<Pair> {
    static constexpr int64_t kEach = 2;
    static int64_t words(int64_t terms) { return (terms + 1) / 2; }

    // [rows, width / 2]; the width is a multiple of 16.
    static const Pair* in_rows(const float* x, int64_t rows, int64_t width, float* copy) {
        Bf16* to = reinterpret_cast<Bf16*>(copy);
        for (int64_t i = 0; i < rows * width; i += kVector) store(to + i, load(x + i));
        return reinterpret_cast<const Pair*>(copy);
    }

    // [rows / 2, width], zeros below the last row.
    static const Pair* over_rows(const float* x, int64_t rows, int64_t width, float* copy) {
        Pair* to = reinterpret_cast<Pair*>(copy);
        for (int64_t i = 0; i < rows; i += 2)
            for (int64_t j = 0; j < width; j += kVector) {
                const float* upper = x + i * width + j;
                Vector terms[2] = {load(upper), i + 1 < rows ? load(upper + width) : Vector{}};
                store_terms(to + i / 2 * width + j, terms);
            }
        return to;
    }
};
#endif

// Asks for V vectors from p on.
template <int V, class T>
inline void fetch(const T* p) {
#pragma GCC unroll 8
    for (int v = 0; v < V * int(sizeof(Vector)); v += 64) __builtin_prefetch(p + v / int(sizeof(T)));
}

// C [rows, V vectors] (+)= alpha · A B over k terms, or pairs of terms; A(i, t) = a[i·ai + t·at], B by rows of stride ldb.
// Rows of B and C that are FAR, beyond the second cache, are asked for ahead; where they are near that would cost 3 to 6 %.
template <int ROWS, int V, bool FAR, class Term>
void tile(int64_t k, const Term* a, int64_t ai, int64_t at, const Term* b, int64_t ldb, float* c, int64_t ldc,
          float alpha, bool add) {
#pragma GCC unroll 8
    for (int i = 0; FAR && i < ROWS; i++) fetch<V>(c + i * ldc);
    // Unrolled whole, or the sums would live in memory instead of registers.
    Vector sum[ROWS][V] = {};
    for (int64_t t = 0; t < k; t++) {
        decltype(load(b)) row[V];
#pragma GCC unroll 8
        for (int v = 0; v < V; v++) row[v] = load(b + t * ldb + v * kVector);
        if (FAR) fetch<V>(b + (t + kAhead) * ldb);
#pragma GCC unroll 8
        for (int i = 0; i < ROWS; i++) {
            Term factor = a[i * ai + t * at];
#pragma GCC unroll 8
            for (int v = 0; v < V; v++) sum[i][v] = add_product(sum[i][v], factor, row[v]);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 8
        for (int v = 0; v < V; v++) {
            float* to = c + i * ldc + v * kVector;
            store(to, add ? load(to) + alpha * sum[i][v] : alpha * sum[i][v]);
        }
}

// As many rows as fit the registers at a time; the last ones in two equal parts, for a few rows alone would wait for
// their own sums.
template <int V, bool FAR, class Term>
void strip(int64_t m, int64_t k, const Term* a, int64_t ai, int64_t at, const Term* b, int64_t ldb, float* c,
           int64_t ldc, float alpha, bool add) {
    using Tile = void (*)(int64_t, const Term*, int64_t, int64_t, const Term*, int64_t, float*, int64_t, float, bool);
    static const Tile tiles[] = {nullptr,
                                 tile<1, V, FAR, Term>, tile<2, V, FAR, Term>, tile<3, V, FAR, Term>, tile<4, V, FAR, Term>,
                                 tile<5, V, FAR, Term>, tile<6, V, FAR, Term>, tile<7, V, FAR, Term>, tile<8, V, FAR, Term>};
    for (int64_t i = 0; i < m;) {
        int64_t left = m - i, rows = left >= 2 * kTall ? kTall : left > kTall ? (left + 1) / 2 : left;
        tiles[rows](k, a + i * ai, ai, at, b, ldb, c + i * ldc, ldc, alpha, add);
        i += rows;
    }
}

// C [m, n] (+)= alpha · A B; n a multiple of 16.
template <bool FAR = false, class Term>
void product(int64_t m, int64_t n, int64_t k, const Term* a, int64_t ai, int64_t at, const Term* b, int64_t ldb,
             float* c, int64_t ldc, float alpha, bool add) {
    int64_t j = 0;
    for (; j + 2 * kVector <= n; j += 2 * kVector) strip<2, FAR>(m, k, a, ai, at, b + j, ldb, c + j, ldc, alpha, add);
    if (j < n) strip<1, FAR>(m, k, a, ai, at, b + j, ldb, c + j, ldc, alpha, add);
}

// Calls body(j) for the vectors of a row; with N of them, where that is known, the compiler keeps a row in registers.
template <int N, class Body>
inline void by_vectors(int64_t width, Body body) {
    if constexpr (N > 0) {
#pragma GCC unroll 8
        for (int v = 0; v < N; v++) body(v * kVector);
    } else {
        for (int64_t j = 0; j < width; j += kVector) body(j);
    }
}

// to [rows, wide] ← from [rows, columns], zeros beyond. Rows that lie apart the processor does not foresee; they are asked for
// about a thousand values ahead.
template <class From>
void widen(const From* from, int64_t stride, int64_t rows, int64_t columns, float* to, int64_t wide) {
    int64_t ahead = 1 + 1024 / columns;
    for (int64_t i = 0; i < rows; i++) {
        int64_t j = 0;
        for (; j + kVector <= columns; j += kVector) {
            __builtin_prefetch(from + (i + ahead) * stride + j);
            store(to + i * wide + j, load(from + i * stride + j));
        }
        for (; j < wide; j++) to[i * wide + j] = j < columns ? float(from[i * stride + j]) : 0;
    }
}

// to [columns, wide] ← from [rows, columns] transposed, zeros beyond. The next rows are asked for likewise.
template <class From>
void turn(const From* from, int64_t stride, int64_t rows, int64_t columns, float* to, int64_t wide) {
    for (int64_t j = 0; j < columns; j++)
        for (int64_t i = rows; i < wide; i++) to[j * wide + i] = 0;
    for (int64_t i0 = 0; i0 < rows; i0 += kLanes)
        for (int64_t j = 0; j < columns; j++) {
            if (j % kLanes == 0)
                for (int64_t i = i0; i < i0 + kLanes; i++) __builtin_prefetch(from + (i + kLanes) * stride + j);
            for (int64_t i = i0; i < at_most(rows, i0 + kLanes); i++) to[j * wide + i] = from[i * stride + j];
        }
}

// to [rows, columns] ← from [rows, wide]
inline void narrow(const float* from, int64_t wide, int64_t rows, int64_t columns, Value* to, int64_t stride) {
    for (int64_t i = 0; i < rows; i++) {
        int64_t j = 0;
        for (; j + kVector <= columns; j += kVector) store(to + i * stride + j, load(from + i * wide + j));
        for (; j < columns; j++) to[i * stride + j] = from[i * wide + j];
    }
}

template <class From>
float largest(const From* x, int64_t n) {
    float best = x[0];
    int64_t i = 0;
    if (n >= kVector) {
        Vector top = load(x);
        for (i = kVector; i + kVector <= n; i += kVector) top = larger(top, load(x + i));
        best = across<larger>(top);
    }
    for (; i < n; i++) best = best > x[i] ? best : float(x[i]);
    return best;
}

inline float total(const float* x, int64_t n) {
    Vector lanes = {};
    float rest = 0;
    int64_t i = 0;
    for (; i + kVector <= n; i += kVector) lanes += load(x + i);
    for (; i < n; i++) rest += x[i];
    return rest + across<sum>(lanes);
}

template <class From>
float dot(const From* x, const float* y, int64_t n) {
    Vector lanes = {};
    float rest = 0;
    int64_t i = 0;
    for (; i + kVector <= n; i += kVector) lanes += load(x + i) * load(y + i);
    for (; i < n; i++) rest += x[i] * y[i];
    return rest + across<sum>(lanes);
}

// Where the parts of one (image, head) lie.
struct Part {
    int64_t stride, out;  // of a row of qkv, of a row of y
    int64_t q, k, v, y;   // offsets

    Part(const AttentionShape& s, int64_t task) {
        int64_t image = task / s.heads, head = task % s.heads, all = s.heads * s.width;
        stride = 3 * all;
        out = all;
        q = image * s.length * stride + head * s.width;
        k = q + all;
        v = k + all;
        y = image * s.length * out + head * s.width;
    }

    int64_t of(int64_t which) const { return q + which * (k - q); }  // 0 is q, 1 is k, 2 is v
};

}  // namespace
}  // namespace VARIANT
}  // namespace ddpm
