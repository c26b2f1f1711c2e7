// JNI side of nativelib.Kernels: unpacks arguments and picks the instruction set.
#include <sys/mman.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "jni_exceptions.h"
#include "jni_geometry.h"
#include "nativelib_Kernels.h"
#include "onednn_plan.h"
#include "passes.h"
#include "variants.h"
#include "winograd.h"

using namespace ddpm;

namespace {

constexpr size_t kHuge = size_t(2) << 20;  // bytes of a huge page

float* floats(jlong address) {
    return reinterpret_cast<float*>(address);
}

Bf16* halves(jlong address) {
    return reinterpret_cast<Bf16*>(address);
}

Address values(jlong address) {
    return {reinterpret_cast<const void*>(address)};
}

Type type(jboolean half) {
    return half ? Type::bf16 : Type::f32;
}

bool names_row(float value, int rows) {
    return value >= 0 && value < rows && value == std::floor(value);
}

// A Java int[] or long[] of at most kMaxAxes elements.
struct Extents {
    int32_t at[kMaxAxes];
    int axes;

    Extents(JNIEnv* env, jintArray array) : axes(env->GetArrayLength(array)) {
        if (axes > kMaxAxes) throw std::invalid_argument("more than 8 axes");
        env->GetIntArrayRegion(array, 0, axes, at);
    }
};

struct Strides {
    int64_t at[kMaxAxes];

    Strides(JNIEnv* env, jlongArray array) {
        jlong values[kMaxAxes];
        int axes = std::min<int>(kMaxAxes, env->GetArrayLength(array));
        env->GetLongArrayRegion(array, 0, axes, values);
        for (int k = 0; k < axes; k++) at[k] = values[k];
    }
};

// The contents of a Java long[]: copied, for a held array would keep the garbage collector waiting while a sweep computes.
class Longs {
public:
    Longs(JNIEnv* env, jlongArray array) : data_(env->GetArrayLength(array)) {
        env->GetLongArrayRegion(array, 0, count(), data_.data());
    }

    float* const* pointers() const { return reinterpret_cast<float* const*>(data_.data()); }
    Addresses values() const { return {data_.data()}; }
    const int64_t* numbers() const { return data_.data(); }
    int count() const { return static_cast<int>(data_.size()); }

private:
    std::vector<jlong> data_;
};

// The elements of a Java float[] or double[], held while they are copied; nothing in between may call back into Java. When
// the virtual machine has no memory for them they are none, and its error is on its way.
template <class Element>
class Elements {
public:
    Elements(JNIEnv* env, jarray array, jint mode)
        : env_(env), array_(array), mode_(mode), count_(env->GetArrayLength(array)),
          data_(static_cast<Element*>(env->GetPrimitiveArrayCritical(array, nullptr))) {
        if (!data_) count_ = 0;
    }
    ~Elements() {
        if (data_) env_->ReleasePrimitiveArrayCritical(array_, data_, mode_);
    }
    Elements(const Elements&) = delete;

    template <class Value>
    void copy_to(Value* to) const {
        for (jsize i = 0; i < count_; i++) to[i] = static_cast<float>(data_[i]);
    }
    template <class Value>
    void copy_from(const Value* from) {
        for (jsize i = 0; i < count_; i++) data_[i] = from[i];
    }

private:
    JNIEnv* env_;
    jarray array_;
    jint mode_;  // of the release: 0 writes back, JNI_ABORT does not
    jsize count_;
    Element* data_;
};

float* workspace(int64_t count) {
    return static_cast<float*>(scratch().at_least(count * sizeof(float)));
}

}  // namespace

extern "C" {

JNIEXPORT jlong JNICALL Java_nativelib_Kernels_allocate(JNIEnv* env, jclass, jlong bytes) {
    return guarded(env, [&]() -> jlong {
        size_t size = bytes;
        void* block = nullptr;
        if (posix_memalign(&block, size >= 2 * kHuge ? kHuge : 64, size)) throw std::bad_alloc();
        if (size >= 2 * kHuge) madvise(block, size, MADV_HUGEPAGE);  // fewer page faults while a run warms up
        return reinterpret_cast<jlong>(block);
    });
}

JNIEXPORT void JNICALL Java_nativelib_Kernels_free(JNIEnv*, jclass, jlong address) {
    std::free(reinterpret_cast<void*>(address));
}

JNIEXPORT void JNICALL Java_nativelib_Kernels_upload(JNIEnv* env, jclass, jboolean half, jfloatArray source, jlong y) {
    Elements<float> from(env, source, JNI_ABORT);
    half ? from.copy_to(halves(y)) : from.copy_to(floats(y));
}

JNIEXPORT void JNICALL Java_nativelib_Kernels_uploadDoubles(JNIEnv* env, jclass, jboolean half, jdoubleArray source,
                                                            jlong y) {
    Elements<double> from(env, source, JNI_ABORT);
    half ? from.copy_to(halves(y)) : from.copy_to(floats(y));
}

JNIEXPORT void JNICALL Java_nativelib_Kernels_download(JNIEnv* env, jclass, jboolean half, jlong x, jfloatArray target) {
    Elements<float> to(env, target, 0);
    half ? to.copy_from(halves(x)) : to.copy_from(floats(x));
}

JNIEXPORT void JNICALL Java_nativelib_Kernels_downloadDoubles(JNIEnv* env, jclass, jboolean half, jlong x,
                                                              jdoubleArray target) {
    Elements<double> to(env, target, 0);
    half ? to.copy_from(halves(x)) : to.copy_from(floats(x));
}

JNIEXPORT void JNICALL Java_nativelib_Kernels_narrow(JNIEnv*, jclass, jlong x, jlong y, jlong n) {
    bf16::narrow(floats(x), halves(y), n);
}

JNIEXPORT void JNICALL Java_nativelib_Kernels_widen(JNIEnv*, jclass, jlong x, jlong y, jlong n) {
    bf16::widen(halves(x), floats(y), n);
}

JNIEXPORT void JNICALL Java_nativelib_Kernels_fill(JNIEnv*, jclass, jboolean half, jlong y, jlong n, jfloat value) {
    CALL_FOR(half, fill, values(y), n, value);
}

JNIEXPORT void JNICALL Java_nativelib_Kernels_copy(JNIEnv* env, jclass, jboolean half, jlong from,
                                                   jlongArray from_strides, jlong to, jlongArray to_strides,
                                                   jintArray sizes) {
    guarded(env, [&] {
        Extents size(env, sizes);
        Strides f(env, from_strides), t(env, to_strides);
        CALL_FOR(half, copy, values(from), f.at, values(to), t.at, size.at, size.axes);
    });
}

JNIEXPORT void JNICALL Java_nativelib_Kernels_unary(JNIEnv*, jclass, jboolean half, jint f, jlong x, jlong y, jlong n) {
    CALL_FOR(half, unary, f, values(x), values(y), n);
}

JNIEXPORT void JNICALL Java_nativelib_Kernels_binary(JNIEnv* env, jclass, jboolean half, jint f, jlong a,
                                                     jlongArray a_strides, jlong b, jlongArray b_strides, jlong y,
                                                     jintArray shape) {
    guarded(env, [&] {
        Extents size(env, shape);
        Strides sa(env, a_strides), sb(env, b_strides);
        CALL_FOR(half, binary, f, values(a), sa.at, values(b), sb.at, values(y), size.at, size.axes);
    });
}

JNIEXPORT void JNICALL Java_nativelib_Kernels_reduce(JNIEnv* env, jclass, jboolean half, jint f, jlong x,
                                                     jintArray x_shape, jlong y, jintArray y_shape) {
    guarded(env, [&] {
        Extents from(env, x_shape), to(env, y_shape);
        int64_t size = 1, rows = 1;
        int k = 0;
        for (int i = 0; i < from.axes; i++) size *= from.at[i];
        for (; k < from.axes && (to.at[k] == 1 || from.at[k] == 1); k++) rows *= from.at[k];
        bool leading = f == 0 && k < from.axes;  // only axes in front vanish: sums of columns
        for (int i = k; i < from.axes; i++) leading &= to.at[i] == from.at[i];
        int64_t columns = size / rows;
        // Long columns are cut into stretches, those side by side into strips: into whichever there are more of.
        if (leading && rows / kRowChunk >= columns / kRowStrip) {
            column_sums(type(half), values(x), rows, columns, values(y));
        } else {
            double* partial = static_cast<double*>(scratch().at_least(reduce_partials(size) * sizeof(double)));
            CALL_FOR(half, reduce, f == 1, values(x), from.at, values(y), to.at, from.axes, partial);
        }
    });
}

JNIEXPORT void JNICALL Java_nativelib_Kernels_random(JNIEnv*, jclass, jboolean half, jint kind, jdouble parameter,
                                                     jlong seed, jlong offset, jlong y, jlong n) {
    CALL_FOR(half, random, kind, parameter, static_cast<uint64_t>(seed), static_cast<uint64_t>(offset), values(y), n);
}

JNIEXPORT void JNICALL Java_nativelib_Kernels_dropout(JNIEnv*, jclass, jboolean half, jdouble probability, jlong seed,
                                                      jlong offset, jlong x, jlong y, jlong n) {
    CALL_FOR(half, dropout, probability, static_cast<uint64_t>(seed), static_cast<uint64_t>(offset), values(x), values(y), n);
}

JNIEXPORT jint JNICALL Java_nativelib_Kernels_gather(JNIEnv*, jclass, jboolean half, jlong table, jint rows, jint width,
                                                     jlong index, jint n, jlong y) {
    const char* from = values(table);
    char* to = values(y);
    size_t row_bytes = width * bytes_of(type(half));
    for (jint i = 0; i < n; i++) {
        float row = floats(index)[i];
        if (!names_row(row, rows)) return i;
        std::memcpy(to + i * row_bytes, from + static_cast<size_t>(row) * row_bytes, row_bytes);
    }
    return -1;
}

JNIEXPORT jint JNICALL Java_nativelib_Kernels_scatterAdd(JNIEnv* env, jclass, jboolean half, jlong index, jint n,
                                                         jlong dy, jlong dtable, jint rows, jint width) {
    for (jint i = 0; i < n; i++)
        if (!names_row(floats(index)[i], rows)) return i;
    guarded(env, [&] {
        auto add = [&](const auto* from, float* sums) {
            std::fill(sums, sums + int64_t(rows) * width, 0.0f);
            for (jint i = 0; i < n; i++) {
                float* to = sums + int64_t(floats(index)[i]) * width;
                for (jint j = 0; j < width; j++) to[j] += from[int64_t(i) * width + j];
            }
        };
        if (!half) return add(floats(dy), floats(dtable));
        float* sums = workspace(int64_t(rows) * width);
        add(halves(dy), sums);
        std::copy(sums, sums + int64_t(rows) * width, halves(dtable));
    });
    return -1;
}

JNIEXPORT void JNICALL Java_nativelib_Kernels_groupNorm(JNIEnv* env, jclass, jboolean half, jint n, jint spatial,
                                                        jint channels, jint groups, jfloat eps, jboolean silu, jlong x,
                                                        jlong offset, jlong gamma, jlong beta, jlong scale, jlong shift,
                                                        jlong y, jlong mean, jlong rstd) {
    guarded(env, [&] {
        NormShape s{n, spatial, channels, groups, eps, silu == JNI_TRUE};
        NormArrays a{floats(offset), floats(gamma), floats(beta), floats(scale), floats(shift), floats(mean), floats(rstd)};
        CALL_FOR(half, group_norm, s, a, values(x), values(y), workspace(CALL_FOR(half, norm_workspace, s)));
    });
}

JNIEXPORT void JNICALL Java_nativelib_Kernels_groupNormBackward(
    JNIEnv* env, jclass, jboolean half, jint n, jint spatial, jint channels, jint groups, jboolean silu, jlong x,
    jlong offset, jlong gamma, jlong beta, jlong scale, jlong shift, jlong mean, jlong rstd, jlong dy, jlong before, jlong more, jlong dx,
    jlong doffset, jlong dgamma, jlong dbeta, jlong dscale, jlong dshift) {
    guarded(env, [&] {
        NormShape s{n, spatial, channels, groups, 0, silu == JNI_TRUE};
        NormArrays a{floats(offset), floats(gamma), floats(beta), floats(scale), floats(shift), floats(mean), floats(rstd)};
        CALL_FOR(half, group_norm_backward, s, a, values(x), values(dy), values(before), values(more), values(dx), floats(doffset), floats(dgamma),
                 floats(dbeta), floats(dscale), floats(dshift), workspace(CALL_FOR(half, norm_workspace, s)));
    });
}

JNIEXPORT void JNICALL Java_nativelib_Kernels_attention(JNIEnv* env, jclass, jboolean half, jint n, jint length,
                                                        jint heads, jint width, jfloat scale, jlong qkv, jlong y,
                                                        jlong log_sum) {
    guarded(env, [&] {
        AttentionShape s{n, length, heads, width, scale};
        CALL_FOR(half, attention, s, values(qkv), values(y), floats(log_sum),
                 workspace(CALL_FOR(half, attention_workspace, s)));
    });
}

JNIEXPORT void JNICALL Java_nativelib_Kernels_attentionBackward(JNIEnv* env, jclass, jboolean half, jint n, jint length,
                                                                jint heads, jint width, jfloat scale, jlong qkv,
                                                                jlong y, jlong log_sum, jlong dy, jlong dqkv) {
    guarded(env, [&] {
        AttentionShape s{n, length, heads, width, scale};
        CALL_FOR(half, attention_backward, s, values(qkv), values(y), floats(log_sum), values(dy), values(dqkv),
                 workspace(CALL_FOR(half, attention_workspace, s)));
    });
}

JNIEXPORT void JNICALL Java_nativelib_Kernels_linearAttention(JNIEnv* env, jclass, jboolean half, jint n, jint length,
                                                              jint heads, jint width, jfloat scale, jint channels,
                                                              jlong x, jlong w, jlong y, jlong context, jlong log_sum) {
    guarded(env, [&] {
        AttentionShape s{n, length, heads, width, scale, channels};
        CALL_FOR(half, linear_attention, s, values(x), values(w), values(y), values(context), floats(log_sum),
                 workspace(CALL_FOR(half, linear_attention_workspace, s)));
    });
}

JNIEXPORT void JNICALL Java_nativelib_Kernels_linearAttentionBackward(JNIEnv* env, jclass, jboolean half, jint n,
                                                                      jint length, jint heads, jint width,
                                                                      jfloat scale, jint channels, jlong x, jlong w,
                                                                      jlong context, jlong log_sum, jlong dy, jlong dx,
                                                                      jlong dw) {
    guarded(env, [&] {
        AttentionShape s{n, length, heads, width, scale, channels};
        CALL_FOR(half, linear_attention_backward, s, values(x), values(w), values(context), floats(log_sum), values(dy),
                 values(dx), values(dw), workspace(CALL_FOR(half, linear_attention_workspace, s)));
    });
}

JNIEXPORT void JNICALL Java_nativelib_Kernels_winograd(JNIEnv* env, jclass, jboolean half, jintArray g, jlong x, jlong w,
                                                       jlong bias, jlong y, jlong packed, jlong version) {
    guarded(env, [&] {
        winograd(type(half), geometry(env, g), values(x), values(w), values(bias), values(y),
                 *reinterpret_cast<PackedFilters*>(packed), version);
    });
}

JNIEXPORT void JNICALL Java_nativelib_Kernels_winogradBackwardData(JNIEnv* env, jclass, jboolean half, jintArray g,
                                                                   jlong w, jlong dy, jlong dx, jlong packed,
                                                                   jlong version) {
    guarded(env, [&] {
        winograd_backward_data(type(half), geometry(env, g), values(w), values(dy), values(dx),
                               *reinterpret_cast<PackedFilters*>(packed), version);
    });
}

JNIEXPORT void JNICALL Java_nativelib_Kernels_winogradBackwardWeights(JNIEnv* env, jclass, jboolean half, jintArray g,
                                                                      jlong x, jlong dy, jlong dw, jlong dbias) {
    guarded(env, [&] {
        winograd_backward_weights(type(half), geometry(env, g), values(x), values(dy), values(dw), values(dbias));
    });
}

JNIEXPORT void JNICALL Java_nativelib_Kernels_pixelWeights(JNIEnv* env, jclass, jintArray g, jlong x, jlong dy, jlong dw,
                                                           jlong dbias) {
    guarded(env, [&] { pixel_weights(geometry(env, g), values(x), values(dy), values(dw), values(dbias)); });
}

JNIEXPORT void JNICALL Java_nativelib_Kernels_adam(JNIEnv* env, jclass, jboolean half, jdouble rate, jdouble beta1,
                                                   jdouble beta2, jdouble eps, jdouble decay, jboolean decoupled,
                                                   jlong step, jdouble gradient_scale, jlongArray w, jlongArray dw,
                                                   jlongArray m, jlongArray v, jlongArray sizes) {
    guarded(env, [&] {
        AdamStep p{};
        p.rate = static_cast<float>(rate);
        p.beta1 = static_cast<float>(beta1);
        p.beta2 = static_cast<float>(beta2);
        p.eps = static_cast<float>(eps);
        p.coupled = decoupled ? 0.0f : static_cast<float>(decay);
        p.decoupled = decoupled ? static_cast<float>(decay) : 0.0f;
        p.correction1 = static_cast<float>(1 / (1 - std::pow(beta1, static_cast<double>(step))));
        p.correction2 = static_cast<float>(1 / (1 - std::pow(beta2, static_cast<double>(step))));
        p.gradient_scale = static_cast<float>(gradient_scale);
        Longs ws(env, w), dws(env, dw), ms(env, m), vs(env, v), count(env, sizes);
        CALL_FOR(half, adam, p, ws.pointers(), dws.values(), ms.pointers(), vs.pointers(), count.numbers(),
                 count.count());
    });
}

JNIEXPORT void JNICALL Java_nativelib_Kernels_exponentialAverage(JNIEnv* env, jclass, jdouble decay, jlongArray average,
                                                                 jlongArray w, jlongArray sizes) {
    guarded(env, [&] {
        Longs to(env, average), from(env, w), count(env, sizes);
        CALL(exponential_average, static_cast<float>(decay), to.pointers(), from.pointers(), count.numbers(),
             count.count());
    });
}

JNIEXPORT jdouble JNICALL Java_nativelib_Kernels_sumOfSquares(JNIEnv* env, jclass, jboolean half, jlongArray x,
                                                              jlongArray sizes) {
    return guarded(env, [&] {
        Longs from(env, x), count(env, sizes);
        int64_t partials = square_partials(count.numbers(), count.count());
        double* partial = static_cast<double*>(scratch().at_least(partials * sizeof(double)));
        return CALL_FOR(half, sum_of_squares, from.values(), count.numbers(), count.count(), partial);
    });
}

}  // extern "C"

namespace ddpm {

int64_t reduce_partials(int64_t size) {
    return size / (1 << 12) + 1;
}

int64_t square_partials(const int64_t* sizes, int count) {
    int64_t pieces = 1;
    for (int t = 0; t < count; t++) pieces += (sizes[t] + kSquareChunk - 1) / kSquareChunk;
    return pieces;
}

}  // namespace ddpm
