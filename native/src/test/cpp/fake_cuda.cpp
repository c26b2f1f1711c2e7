// A CPU stand-in for libcuda.so.1: as much of the driver API as the backend needs, for a "device" whose memory is host
// memory and whose kernels are C++ functions (emu.h). Everything happens at once and in order; capture records what is
// asked for, a graph launch does it.
//
// It refuses what the real driver refuses and says why on stderr, in one line that begins with "stand-in":
// use after free and double free, writes past a block (found by the pattern around each block, reported as an illegal
// address, after which every call fails as on a device), unknown kernels, launches that no device accepts, parameters
// that are no device addresses, calls that a capture forbids. Fresh memory holds NaN, so an unwritten value shows.
//
// FAKE_CUDA_MEMORY=bytes      how much the device has (default 8 GiB)
// FAKE_CUDA_FAIL=name:n       the n-th call of this function fails (cuMemAlloc: out of memory, a kernel: an illegal address,
//                             else: unknown error)
// FAKE_CUDA_NO_DEVICE=1       the driver finds no device
// FAKE_CUDA_DRIVER=12060      the version of CUDA that the driver reports
// FAKE_CUDA_CAPABILITY=75     ten times its compute capability (default 90)
// FAKE_CUDA_LOG=1             names every launch on stderr
#include "fake_state.h"

bool initialized = false;
int sticky = OK;
thread_local void *currentContext = nullptr;
static char theContext;

extern "C" __attribute__((visibility("default"))) void fakeSay(const char *who, const char *what) {
    fprintf(stderr, "stand-in: %s: %s\n", who, what);
}
int refuse(int code, const char *who, const std::string &what) {
    fakeSay(who, what.c_str());
    return code;
}
int fault(int code, const char *who, const std::string &what) {
    sticky = code;
    return refuse(code, who, what + "; every later call fails");
}
size_t capacity() {
    static const size_t bytes = [] {
        const char *text = getenv("FAKE_CUDA_MEMORY");
        return text ? strtoull(text, nullptr, 10) : size_t(8) << 30;
    }();
    return bytes;
}
// FAKE_CUDA_FAIL=name:n, name:n+ for all calls from the nth on
bool planted(const char *who) {
    const char *text = getenv("FAKE_CUDA_FAIL");
    if (!text) return false;
    const char *colon = strchr(text, ':');
    size_t length = colon ? size_t(colon - text) : strlen(text);
    if (strlen(who) != length || strncmp(text, who, length)) return false;
    static std::map<std::string, long> calls;
    long call = ++calls[who], wanted = colon ? atol(colon + 1) : 1;
    return call == wanted || (call > wanted && text[strlen(text) - 1] == '+');
}

API cuInit(unsigned flags) {
    if (flags) return INVALID_VALUE;
    if (getenv("FAKE_CUDA_NO_DEVICE")) return NO_DEVICE;
    initialized = true;
    return OK;
}
API cuDriverGetVersion(int *v) {
    const char *text = getenv("FAKE_CUDA_DRIVER");
    *v = text ? atoi(text) : 12060;
    return OK;
}
API cuDeviceGetCount(int *n) {
    if (!initialized) return NOT_INITIALIZED;
    *n = 1;
    return OK;
}
API cuDeviceGet(int *d, int i) {
    if (!initialized) return NOT_INITIALIZED;
    *d = i;
    return i == 0 ? OK : INVALID_DEVICE;
}
API cuDeviceGetName(char *s, int n, int d) {
    if (d) return INVALID_DEVICE;
    snprintf(s, n, "CPU stand-in");
    return OK;
}
API cuDeviceGetUuid(unsigned char *uuid, int d) {
    if (d) return INVALID_DEVICE;
    memset(uuid, 0x5d, 16);
    return OK;
}
API cuDeviceGetUuid_v2(unsigned char *uuid, int d) { return cuDeviceGetUuid(uuid, d); }
API cuDeviceTotalMem_v2(size_t *n, int d) {
    if (d) return INVALID_DEVICE;
    *n = capacity();
    return OK;
}
API cuDeviceGetAttribute(int *v, int attribute, int d) {
    if (d) return INVALID_DEVICE;
    static const std::map<int, int> values = {
        {1, 1024}, {2, 1024}, {3, 1024}, {4, 64}, {5, 2147483647}, {6, 65535}, {7, 65535}, {8, int(DEFAULT_SHARED)},
        {9, 65536}, {10, 32}, {11, 2147483647}, {12, 65536}, {13, 1755000}, {14, 512}, {16, 4}, {31, 1}, {36, 2619000},
        {37, 5120}, {38, 52428800}, {39, 2048}, {41, 1}, {75, 9}, {76, 0}, {81, 233472}, {82, 65536},
        {97, int(MOST_SHARED)}, {115, 1}};
    auto found = values.find(attribute);
    *v = found == values.end() ? 0 : found->second;
    const char *capability = getenv("FAKE_CUDA_CAPABILITY");
    if (capability && (attribute == 75 || attribute == 76)) *v = attribute == 75 ? atoi(capability) / 10 : atoi(capability) % 10;
    return OK;
}
API cuDeviceComputeCapability(int *major, int *minor, int) {
    *major = 9;
    *minor = 0;
    return OK;
}
API cuDevicePrimaryCtxRetain(void **c, int d) {
    if (!initialized) return NOT_INITIALIZED;
    if (d) return INVALID_DEVICE;
    *c = &theContext;
    return OK;
}
API cuDevicePrimaryCtxRelease_v2(int d) { return d ? INVALID_DEVICE : sticky; }
API cuDevicePrimaryCtxSetFlags_v2(int, unsigned) { return OK; }
API cuDevicePrimaryCtxGetState(int, unsigned *flags, int *active) {
    *flags = 0;
    *active = initialized;
    return OK;
}
API cuCtxCreate_v2(void **c, unsigned, int) {
    if (!initialized) return NOT_INITIALIZED;
    *c = currentContext = &theContext;
    return OK;
}
API cuCtxDestroy_v2(void *) {
    currentContext = nullptr;
    return OK;
}
API cuCtxSetCurrent(void *c) {
    if (!initialized) return NOT_INITIALIZED;
    if (c && c != &theContext) return INVALID_CONTEXT;
    currentContext = c;
    return OK;
}
API cuCtxGetCurrent(void **c) {
    *c = currentContext;
    return OK;
}
API cuCtxPushCurrent_v2(void *c) { return cuCtxSetCurrent(c); }
API cuCtxPopCurrent_v2(void **c) {
    if (c) *c = currentContext;
    currentContext = nullptr;
    return OK;
}
API cuCtxGetDevice(int *d) {
    ENTER("cuCtxGetDevice");
    *d = 0;
    return OK;
}
API cuCtxGetStreamPriorityRange(int *least, int *greatest) {
    *least = LEAST_PRIORITY;
    *greatest = GREATEST_PRIORITY;
    return OK;
}
API cuCtxSetLimit(int, size_t) { return OK; }
API cuCtxGetLimit(size_t *v, int) {
    *v = 1024;
    return OK;
}
API cuCtxSynchronize() {
    ENTER("cuCtxSynchronize");
    if (fakeForbiddenNow("cuCtxSynchronize")) return CAPTURE_UNSUPPORTED;
    if (int status = finishLate()) return status;
    return checkAll("cuCtxSynchronize");
}

// ---- errors ---------------------------------------------------------------------------------------------------------

static const std::map<int, const char *> &errorNames() {
    static const std::map<int, const char *> names = {
        {OK, "CUDA_SUCCESS"}, {INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE"}, {OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY"},
        {NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED"}, {NO_DEVICE, "CUDA_ERROR_NO_DEVICE"},
        {INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE"}, {INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE"},
        {INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT"}, {INVALID_PTX, "CUDA_ERROR_INVALID_PTX"},
        {UNSUPPORTED_PTX, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION"}, {INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE"},
        {NOT_FOUND, "CUDA_ERROR_NOT_FOUND"}, {NOT_READY, "CUDA_ERROR_NOT_READY"},
        {ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS"}, {LAUNCH_OUT_OF_RESOURCES, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES"},
        {MISALIGNED, "CUDA_ERROR_MISALIGNED_ADDRESS"}, {CAPTURE_UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"},
        {CAPTURE_INVALIDATED, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"}, {906, "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT"},
        {907, "CUDA_ERROR_CAPTURED_EVENT"}, {UNKNOWN, "CUDA_ERROR_UNKNOWN"}};
    return names;
}
API cuGetErrorName(int code, const char **s) {
    auto found = errorNames().find(code);
    *s = found == errorNames().end() ? nullptr : found->second;
    return *s ? OK : INVALID_VALUE;
}
API cuGetErrorString(int code, const char **s) {
    int status = cuGetErrorName(code, s);
    if (*s) *s = "error of the CPU stand-in for the CUDA driver";
    return status;
}
