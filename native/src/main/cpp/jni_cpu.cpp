// JNI side of nativelib.Cpu.
#include <dnnl.h>
#include <omp.h>

#include "isa.h"
#include "jni_exceptions.h"
#include "nativelib_Cpu.h"
#include "workers.h"

using namespace ddpm;

extern "C" {

JNIEXPORT jstring JNICALL Java_nativelib_Cpu_isa(JNIEnv* env, jclass) {
    static const char* names[] = {"none", "avx2", "avx512"};
    return env->NewStringUTF(names[static_cast<int>(isa())]);
}

JNIEXPORT jboolean JNICALL Java_nativelib_Cpu_multipliesHalves(JNIEnv*, jclass) {
    return multiplies_halves();
}

JNIEXPORT void JNICALL Java_nativelib_Cpu_threads__I_3I(JNIEnv* env, jclass, jint count, jintArray busy) {
    guarded(env, [&] {
        std::vector<int> cpus(env->GetArrayLength(busy));
        env->GetIntArrayRegion(busy, 0, static_cast<jsize>(cpus.size()), cpus.data());
        start_workers(count, cpus);
    });
}

JNIEXPORT jint JNICALL Java_nativelib_Cpu_allowed(JNIEnv* env, jclass) {
    return guarded(env, [] { return allowed_count(); });
}

JNIEXPORT void JNICALL Java_nativelib_Cpu_leave(JNIEnv*, jclass) {
    leave_workers();
}

JNIEXPORT jint JNICALL Java_nativelib_Cpu_threads__(JNIEnv*, jclass) {
    return omp_get_max_threads();
}

JNIEXPORT jstring JNICALL Java_nativelib_Cpu_oneDnn(JNIEnv* env, jclass) {
    return guarded(env, [&] {
        const dnnl_version_t* v = dnnl_version();
        std::string text = "oneDNN " + std::to_string(v->major) + "." + std::to_string(v->minor) + "." +
                           std::to_string(v->patch);
        return env->NewStringUTF(text.c_str());
    });
}

}  // extern "C"
