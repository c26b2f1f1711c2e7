// C++ failures become Java exceptions: no exception may leave a JNI function.
#pragma once
#include <jni.h>

#include <new>
#include <stdexcept>
#include <string>

namespace ddpm {

// Unless an exception is on its way already: that one says more.
inline void throw_java(JNIEnv* env, const char* type, const char* message) {
    if (env->ExceptionCheck()) return;
    jclass found = env->FindClass(type);
    if (found) env->ThrowNew(found, message);
}

// Runs body; what it throws is thrown in Java. The value returned then is ignored by the JVM.
template <class Body>
auto guarded(JNIEnv* env, Body body) -> decltype(body()) {
    try {
        return body();
    } catch (const std::bad_alloc&) {
        throw_java(env, "java/lang/OutOfMemoryError", "native memory is exhausted: use a smaller batch or model");
    } catch (const std::invalid_argument& e) {
        throw_java(env, "java/lang/IllegalArgumentException", e.what());
    } catch (const std::exception& e) {
        throw_java(env, "java/lang/IllegalStateException", e.what());
    }
    return decltype(body())();
}

}  // namespace ddpm
