// JNI side of nativelib.OneDnn.
#include "convolution.h"
#include "jni_exceptions.h"
#include "jni_geometry.h"
#include "matmul.h"
#include "nativelib_OneDnn.h"
#include "softmax.h"

using namespace ddpm;

namespace {

template <class T>
T* at(jlong address) {
    return reinterpret_cast<T*>(address);
}

const void* in(jlong address) { return at<const void>(address); }

void* out(jlong address) { return at<void>(address); }

Type type(jboolean half) { return half ? Type::bf16 : Type::f32; }

// Runs body alone: plans and scratchpad have one user at a time.
template <class Body>
void alone(JNIEnv* env, Body body) {
    guarded(env, [&] {
        std::lock_guard<std::mutex> lock(onednn_mutex());
        body();
    });
}

}  // namespace

extern "C" {

JNIEXPORT jlong JNICALL Java_nativelib_OneDnn_newPackedFilters(JNIEnv* env, jclass) {
    return guarded(env, [] { return reinterpret_cast<jlong>(new PackedFilters); });
}

JNIEXPORT void JNICALL Java_nativelib_OneDnn_freePackedFilters(JNIEnv*, jclass, jlong packed) {
    delete at<PackedFilters>(packed);
}

JNIEXPORT void JNICALL Java_nativelib_OneDnn_convolution(JNIEnv* env, jclass, jboolean half, jintArray g, jlong x, jlong w, jlong bias,
                                                         jlong y, jlong packed, jlong version) {
    alone(env, [&] {
        convolution(type(half), geometry(env, g), in(x), in(w), in(bias), out(y), *at<PackedFilters>(packed), version);
    });
}

JNIEXPORT void JNICALL Java_nativelib_OneDnn_convolutionBackwardData(JNIEnv* env, jclass, jboolean half, jintArray g, jlong w, jlong dy,
                                                                     jlong dx, jlong packed, jlong version) {
    alone(env, [&] {
        convolution_backward_data(type(half), geometry(env, g), in(w), in(dy), out(dx), *at<PackedFilters>(packed), version);
    });
}

JNIEXPORT void JNICALL Java_nativelib_OneDnn_convolutionBackwardWeights(JNIEnv* env, jclass, jboolean half, jintArray g, jlong x,
                                                                        jlong dy, jlong dw, jlong dbias) {
    alone(env, [&] { convolution_backward_weights(type(half), geometry(env, g), in(x), in(dy), out(dw), out(dbias)); });
}

JNIEXPORT void JNICALL Java_nativelib_OneDnn_matmul(JNIEnv* env, jclass, jboolean half, jint batch, jint m, jint n, jint inner,
                                                    jboolean ta, jboolean tb, jboolean aShared, jboolean bShared, jlong a,
                                                    jlong b, jlong bias, jlong y) {
    alone(env, [&] {
        matmul(type(half), {batch, m, n, inner, bool(ta), bool(tb), bool(aShared), bool(bShared)}, in(a), in(b), in(bias), out(y));
    });
}

JNIEXPORT void JNICALL Java_nativelib_OneDnn_softmax(JNIEnv* env, jclass, jboolean half, jint outer, jint length, jint inner, jlong x,
                                                     jlong y) {
    alone(env, [&] { softmax(type(half), {outer, length, inner}, in(x), out(y)); });
}

JNIEXPORT void JNICALL Java_nativelib_OneDnn_softmaxBackward(JNIEnv* env, jclass, jboolean half, jint outer, jint length, jint inner,
                                                             jlong y, jlong dy, jlong dx) {
    alone(env, [&] { softmax_backward(type(half), {outer, length, inner}, in(y), in(dy), out(dx)); });
}

}  // extern "C"
