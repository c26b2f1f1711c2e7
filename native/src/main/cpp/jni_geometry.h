// The geometry of a convolution as it comes from Java.
#pragma once
#include <jni.h>

#include <stdexcept>

#include "convolution.h"

namespace ddpm {

inline Geometry geometry(JNIEnv* env, jintArray array) {
    Geometry g;
    static_assert(sizeof g == 15 * sizeof(jint), "one jint for each field");
    if (env->GetArrayLength(array) != 15) throw std::invalid_argument("convolution: the geometry has 15 numbers");
    env->GetIntArrayRegion(array, 0, 15, reinterpret_cast<jint*>(&g));
    return g;
}

}  // namespace ddpm
