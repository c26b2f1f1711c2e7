// What the stand-in for the driver offers to those for cuBLAS and cuDNN. Resolved when they are loaded beside it.
#pragma once
#include <cstddef>
#include <functional>

#define API extern "C" __attribute__((visibility("default"))) int

// Runs the work now, or records it when the stream is being captured; the name is for messages. Returns a CUresult.
extern "C" int fakeSubmit(void *stream, const char *name, std::function<void()> *work);
// Whether this stream is being captured.
extern "C" bool fakeCapturing(void *stream);
// Whether [pointer, pointer + bytes) lies in one live block of device memory; if not, says so on stderr.
extern "C" bool fakeInDevice(const void *pointer, size_t bytes, const char *who);
// Something that the real library forbids while a stream is captured (not in the relaxed mode): spoils the capture.
extern "C" bool fakeForbiddenNow(const char *who);
// One line on stderr.
extern "C" void fakeSay(const char *who, const char *what);
