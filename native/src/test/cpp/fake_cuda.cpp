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
// FAKE_CUDA_FAIL=name:n       the n-th call of this function fails (cuMemAlloc: out of memory, else: unknown error)
// FAKE_CUDA_DRIVER=12060      the version of CUDA that the driver reports
// FAKE_CUDA_LOG=1             names every launch on stderr
#include <dlfcn.h>
#include <time.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "fake_driver.h"
#include "fake_ptx.h"
#include "kernel_registry.h"

enum {
    OK = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_INITIALIZED = 3, NO_DEVICE = 100, INVALID_DEVICE = 101,
    INVALID_IMAGE = 200, INVALID_CONTEXT = 201, INVALID_PTX = 218, UNSUPPORTED_PTX = 222, INVALID_HANDLE = 400,
    NOT_FOUND = 500, NOT_READY = 600, ILLEGAL_ADDRESS = 700, LAUNCH_OUT_OF_RESOURCES = 701, MISALIGNED = 716,
    CAPTURE_UNSUPPORTED = 900, CAPTURE_INVALIDATED = 901, UNKNOWN = 999
};
typedef uint64_t Address;

struct Work {
    std::string name;
    std::function<int()> run;
};
typedef std::vector<Work> Graph;
struct Stream {
    std::shared_ptr<Graph> capture;
    int mode = 0;
    bool spoiled = false;
};
struct Event {
    double ms = 0;
    bool recorded = false, captured = false;
};
struct Block {
    char *whole;
    size_t bytes;
};
struct Module {
    void *library;
    EmuFind find;
    std::map<std::string, PtxEntry> entries;
};
struct Function {
    const EmuKernel *kernel;
    size_t staticShared, dynamicLimit;
};

static std::map<Address, Block> blocks;
static std::map<Address, size_t> pinned;
static std::set<void *> streams, events, graphs, executables, modules;
static std::map<void *, std::unique_ptr<Function>> functions;
static size_t inUse = 0;
static bool initialized = false;
static thread_local void *currentContext = nullptr;
static char theContext;
static Stream legacyStream;
static int sticky = OK;
static const size_t ZONE = 256, DEFAULT_SHARED = 48 << 10, MOST_SHARED = 227 << 10;

extern "C" __attribute__((visibility("default"))) void fakeSay(const char *who, const char *what) {
    fprintf(stderr, "stand-in: %s: %s\n", who, what);
}
static int refuse(int code, const char *who, const std::string &what) {
    fakeSay(who, what.c_str());
    return code;
}
static size_t capacity() {
    static const size_t bytes = [] {
        const char *text = getenv("FAKE_CUDA_MEMORY");
        return text ? strtoull(text, nullptr, 10) : size_t(8) << 30;
    }();
    return bytes;
}
// FAKE_CUDA_FAIL=name:n
static bool planted(const char *who) {
    const char *text = getenv("FAKE_CUDA_FAIL");
    if (!text) return false;
    const char *colon = strchr(text, ':');
    size_t length = colon ? size_t(colon - text) : strlen(text);
    if (strlen(who) != length || strncmp(text, who, length)) return false;
    static std::map<std::string, long> calls;
    return ++calls[who] == (colon ? atol(colon + 1) : 1);
}

#define ENTER(who)                                                                        \
    do {                                                                                  \
        if (!initialized) return refuse(NOT_INITIALIZED, who, "cuInit was not called");   \
        if (sticky) return sticky;                                                        \
        if (!currentContext) return refuse(INVALID_CONTEXT, who, "this thread has no current context"); \
        if (planted(who)) return refuse(UNKNOWN, who, "planted failure");                 \
    } while (0)

// ---- streams and capture ----------------------------------------------------------------------------------------------

static std::set<Stream *> capturing;
static Stream *streamOf(void *s) {
    if (reinterpret_cast<uintptr_t>(s) <= 2) return &legacyStream;
    return streams.count(s) ? static_cast<Stream *>(s) : nullptr;
}
extern "C" __attribute__((visibility("default"))) bool fakeCapturing(void *s) {
    Stream *stream = streamOf(s);
    return stream && stream->capture;
}
extern "C" __attribute__((visibility("default"))) bool fakeForbiddenNow(const char *who) {
    bool forbidden = false;
    for (Stream *s : capturing)
        if (s->mode != 2) {
            s->spoiled = true;
            forbidden = true;
        }
    if (forbidden) fakeSay(who, "is not permitted while a stream is being captured; the capture is spoiled");
    return forbidden;
}
static int submit(void *s, const char *who, std::function<int()> work) {
    Stream *stream = streamOf(s);
    if (!stream) return refuse(INVALID_HANDLE, who, "the stream does not exist");
    if (stream->capture) {
        if (stream->spoiled) return CAPTURE_INVALIDATED;
        stream->capture->push_back({who, std::move(work)});
        return OK;
    }
    if (stream == &legacyStream && !capturing.empty() && fakeForbiddenNow(who)) return 906;  // CAPTURE_IMPLICIT
    return work();
}
extern "C" __attribute__((visibility("default"))) int fakeSubmit(void *s, const char *who, std::function<void()> *work) {
    if (sticky) return sticky;
    std::function<void()> own = *work;
    return submit(s, who, [own] {
        own();
        return OK;
    });
}

// ---- memory -------------------------------------------------------------------------------------------------------------

static std::map<Address, Block>::iterator blockAt(Address p) {
    auto after = blocks.upper_bound(p);
    if (after == blocks.begin()) return blocks.end();
    auto b = std::prev(after);
    return p < b->first + b->second.bytes ? b : blocks.end();
}
static bool inside(Address p, size_t n) {
    auto b = blockAt(p);
    return b != blocks.end() && p + n <= b->first + b->second.bytes;
}
extern "C" __attribute__((visibility("default"))) bool fakeInDevice(const void *p, size_t n, const char *who) {
    if (inside(reinterpret_cast<Address>(p), n)) return true;
    char text[160];
    snprintf(text, sizeof text, "%zu bytes at %p are not in a live block of device memory", n, p);
    fakeSay(who, text);
    return false;
}
static bool inHost(const void *p, size_t n) {  // not device memory
    Address from = reinterpret_cast<Address>(p);
    auto b = blocks.lower_bound(from);
    return p && blockAt(from) == blocks.end() && (b == blocks.end() || b->first >= from + n);
}
static bool intact(Address p, const Block &b) {
    auto bytes = reinterpret_cast<const unsigned char *>(p);
    for (size_t i = 1; i <= ZONE; i++)
        if (bytes[-static_cast<long>(i)] != 0xA5) return false;
    for (size_t i = 0; i < ZONE; i++)
        if (bytes[b.bytes + i] != 0xA5) return false;
    return true;
}
static int fault(int code, const char *who, const std::string &what) {
    sticky = code;
    return refuse(code, who, what + "; every later call fails");
}
static int checkAll(const char *who) {
    for (auto &b : blocks)
        if (!intact(b.first, b.second))
            return fault(ILLEGAL_ADDRESS, who, "something wrote beside a block of " + std::to_string(b.second.bytes) + " bytes");
    return OK;
}

static int allocate(Address *p, size_t n, const char *who) {
    if (n == 0 || !p) return INVALID_VALUE;
    if (planted("cuMemAlloc") || inUse + n > capacity()) return OUT_OF_MEMORY;
    char *whole = static_cast<char *>(aligned_alloc(256, (n + 255) / 256 * 256 + 2 * ZONE));
    if (!whole) return OUT_OF_MEMORY;
    memset(whole, 0xA5, ZONE);
    memset(whole + ZONE, 0xff, n);
    memset(whole + ZONE + n, 0xA5, ZONE);
    *p = reinterpret_cast<Address>(whole + ZONE);
    blocks[*p] = {whole, n};
    inUse += n;
    (void)who;
    return OK;
}
static int release(Address p, const char *who) {
    if (!p) return OK;
    auto b = blocks.find(p);
    if (b == blocks.end()) return refuse(INVALID_VALUE, who, "the address is no live block: freed twice, or never allocated");
    int found = checkAll(who);
    memset(b->second.whole, 0xff, b->second.bytes + 2 * ZONE);
    free(b->second.whole);
    inUse -= b->second.bytes;
    blocks.erase(b);
    return found;
}
API cuMemAlloc_v2(Address *p, size_t n) {
    ENTER("cuMemAlloc_v2");
    if (fakeForbiddenNow("cuMemAlloc")) return CAPTURE_UNSUPPORTED;
    return allocate(p, n, "cuMemAlloc");
}
API cuMemFree_v2(Address p) {
    ENTER("cuMemFree");
    if (fakeForbiddenNow("cuMemFree")) return CAPTURE_UNSUPPORTED;
    return release(p, "cuMemFree");
}
API cuMemAllocAsync(Address *p, size_t n, void *s) {
    ENTER("cuMemAllocAsync");
    if (fakeCapturing(s)) return refuse(CAPTURE_UNSUPPORTED, "cuMemAllocAsync", "the stand-in does not record it");
    return allocate(p, n, "cuMemAllocAsync");
}
API cuMemFreeAsync(Address p, void *s) {
    ENTER("cuMemFreeAsync");
    if (fakeCapturing(s)) return refuse(CAPTURE_UNSUPPORTED, "cuMemFreeAsync", "the stand-in does not record it");
    return release(p, "cuMemFreeAsync");
}
API cuMemGetInfo_v2(size_t *free, size_t *total) {
    ENTER("cuMemGetInfo");
    *total = capacity();
    *free = capacity() - inUse;
    return OK;
}
API cuMemGetAddressRange_v2(Address *base, size_t *bytes, Address p) {
    ENTER("cuMemGetAddressRange");
    auto b = blockAt(p);
    if (b == blocks.end()) return INVALID_VALUE;
    if (base) *base = b->first;
    if (bytes) *bytes = b->second.bytes;
    return OK;
}
API cuMemHostAlloc(void **p, size_t n, unsigned) {
    ENTER("cuMemHostAlloc");
    if (fakeForbiddenNow("cuMemHostAlloc")) return CAPTURE_UNSUPPORTED;
    if (n == 0 || posix_memalign(p, 4096, n)) return n ? OUT_OF_MEMORY : INVALID_VALUE;
    pinned[reinterpret_cast<Address>(*p)] = n;
    return OK;
}
API cuMemAllocHost_v2(void **p, size_t n) { return cuMemHostAlloc(p, n, 0); }
API cuMemFreeHost(void *p) {
    ENTER("cuMemFreeHost");
    if (fakeForbiddenNow("cuMemFreeHost")) return CAPTURE_UNSUPPORTED;
    if (!pinned.erase(reinterpret_cast<Address>(p))) return refuse(INVALID_VALUE, "cuMemFreeHost", "no live pinned block");
    free(p);
    return OK;
}
API cuMemHostGetDevicePointer_v2(Address *, void *, unsigned) {
    return refuse(INVALID_VALUE, "cuMemHostGetDevicePointer", "the stand-in maps no host memory");
}
API cuMemHostRegister_v2(void *p, size_t n, unsigned) {
    ENTER("cuMemHostRegister");
    return pinned.emplace(reinterpret_cast<Address>(p), n).second ? OK : 712;
}
API cuMemHostUnregister(void *p) {
    ENTER("cuMemHostUnregister");
    return pinned.erase(reinterpret_cast<Address>(p)) ? OK : 713;
}

enum Side { HOST, DEVICE_SIDE };
static int transfer(const char *who, void *s, void *to, Side toSide, const void *from, Side fromSide, size_t n, bool sync) {
    ENTER(who);
    if (sync && fakeForbiddenNow(who)) return CAPTURE_UNSUPPORTED;
    auto work = [=] {
        bool right = (toSide == HOST ? inHost(to, n) : inside(reinterpret_cast<Address>(to), n)) &&
                     (fromSide == HOST ? inHost(from, n) : inside(reinterpret_cast<Address>(from), n));
        if (!right) return refuse(INVALID_VALUE, who, std::to_string(n) + " bytes from or to memory that is not there");
        memmove(to, from, n);
        return int(OK);
    };
    if (n == 0) return OK;
    return sync ? work() : submit(s, who, work);
}
#define AT(p) reinterpret_cast<void *>(p)
API cuMemcpyHtoD_v2(Address d, const void *h, size_t n) { return transfer("cuMemcpyHtoD", nullptr, AT(d), DEVICE_SIDE, h, HOST, n, true); }
API cuMemcpyDtoH_v2(void *h, Address d, size_t n) { return transfer("cuMemcpyDtoH", nullptr, h, HOST, AT(d), DEVICE_SIDE, n, true); }
API cuMemcpyDtoD_v2(Address d, Address e, size_t n) { return transfer("cuMemcpyDtoD", nullptr, AT(d), DEVICE_SIDE, AT(e), DEVICE_SIDE, n, true); }
API cuMemcpyHtoDAsync_v2(Address d, const void *h, size_t n, void *s) { return transfer("cuMemcpyHtoDAsync", s, AT(d), DEVICE_SIDE, h, HOST, n, false); }
API cuMemcpyDtoHAsync_v2(void *h, Address d, size_t n, void *s) { return transfer("cuMemcpyDtoHAsync", s, h, HOST, AT(d), DEVICE_SIDE, n, false); }
API cuMemcpyDtoDAsync_v2(Address d, Address e, size_t n, void *s) { return transfer("cuMemcpyDtoDAsync", s, AT(d), DEVICE_SIDE, AT(e), DEVICE_SIDE, n, false); }

template <class N> static int set(const char *who, void *s, Address d, N v, size_t n, bool sync) {
    ENTER(who);
    if (sync && fakeForbiddenNow(who)) return CAPTURE_UNSUPPORTED;
    if (d % sizeof(N)) return refuse(INVALID_VALUE, who, "the address is not aligned");
    auto work = [=] {
        if (!inside(d, n * sizeof(N))) return refuse(INVALID_VALUE, who, "not in a live block of device memory");
        for (size_t i = 0; i < n; i++) reinterpret_cast<N *>(d)[i] = v;
        return int(OK);
    };
    if (n == 0) return OK;
    return sync ? work() : submit(s, who, work);
}
API cuMemsetD8_v2(Address d, unsigned char v, size_t n) { return set("cuMemsetD8", nullptr, d, v, n, true); }
API cuMemsetD16_v2(Address d, unsigned short v, size_t n) { return set("cuMemsetD16", nullptr, d, v, n, true); }
API cuMemsetD32_v2(Address d, unsigned v, size_t n) { return set("cuMemsetD32", nullptr, d, v, n, true); }
API cuMemsetD8Async(Address d, unsigned char v, size_t n, void *s) { return set("cuMemsetD8Async", s, d, v, n, false); }
API cuMemsetD16Async(Address d, unsigned short v, size_t n, void *s) { return set("cuMemsetD16Async", s, d, v, n, false); }
API cuMemsetD32Async(Address d, unsigned v, size_t n, void *s) { return set("cuMemsetD32Async", s, d, v, n, false); }

// ---- device and context ---------------------------------------------------------------------------------------------

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
    *least = 0;
    *greatest = -5;
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
    return checkAll("cuCtxSynchronize");
}

// ---- streams, events, graphs ------------------------------------------------------------------------------------------

API cuStreamCreate(void **s, unsigned) {
    ENTER("cuStreamCreate");
    streams.insert(*s = new Stream);
    return OK;
}
API cuStreamCreateWithPriority(void **s, unsigned flags, int) { return cuStreamCreate(s, flags); }
API cuStreamDestroy_v2(void *s) {
    ENTER("cuStreamDestroy");
    if (!streams.erase(s)) return INVALID_HANDLE;
    capturing.erase(static_cast<Stream *>(s));
    delete static_cast<Stream *>(s);
    return OK;
}
API cuStreamSynchronize(void *s) {
    ENTER("cuStreamSynchronize");
    Stream *stream = streamOf(s);
    if (!stream) return INVALID_HANDLE;
    if (stream->capture) {
        stream->spoiled = true;
        return refuse(CAPTURE_UNSUPPORTED, "cuStreamSynchronize", "the stream is being captured; the capture is spoiled");
    }
    if (stream == &legacyStream && fakeForbiddenNow("cuStreamSynchronize")) return 906;
    return checkAll("cuStreamSynchronize");
}
API cuStreamQuery(void *s) {
    ENTER("cuStreamQuery");
    Stream *stream = streamOf(s);
    if (!stream) return INVALID_HANDLE;
    if (stream->capture) {
        stream->spoiled = true;
        return refuse(CAPTURE_UNSUPPORTED, "cuStreamQuery", "the stream is being captured; the capture is spoiled");
    }
    return OK;
}
API cuStreamWaitEvent(void *s, void *e, unsigned) {
    ENTER("cuStreamWaitEvent");
    if (!streamOf(s) || !events.count(e)) return INVALID_HANDLE;
    Stream *stream = streamOf(s);
    if (static_cast<Event *>(e)->captured && !stream->capture)
        return refuse(905, "cuStreamWaitEvent", "the event belongs to a capture, the stream does not; one stream only here");
    return OK;
}
typedef void (*HostFunction)(void *);
API cuLaunchHostFunc(void *s, HostFunction f, void *data) {
    ENTER("cuLaunchHostFunc");
    return submit(s, "cuLaunchHostFunc", [=] {
        f(data);
        return int(OK);
    });
}
static double now() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e3 + t.tv_nsec * 1e-6;
}
API cuEventCreate(void **e, unsigned) {
    ENTER("cuEventCreate");
    events.insert(*e = new Event);
    return OK;
}
API cuEventDestroy_v2(void *e) {
    ENTER("cuEventDestroy");
    if (!events.erase(e)) return INVALID_HANDLE;
    delete static_cast<Event *>(e);
    return OK;
}
API cuEventRecord(void *e, void *s) {
    ENTER("cuEventRecord");
    if (!events.count(e)) return INVALID_HANDLE;
    static_cast<Event *>(e)->captured = fakeCapturing(s);
    return submit(s, "cuEventRecord", [=] {
        static_cast<Event *>(e)->ms = now();
        static_cast<Event *>(e)->recorded = true;
        return int(OK);
    });
}
static int eventReady(const char *who, void *e) {
    if (!events.count(e)) return INVALID_HANDLE;
    if (static_cast<Event *>(e)->captured && !capturing.empty()) {
        fakeForbiddenNow(who);
        return 907;  // CAPTURED_EVENT
    }
    return OK;
}
API cuEventSynchronize(void *e) {
    ENTER("cuEventSynchronize");
    return eventReady("cuEventSynchronize", e);
}
API cuEventQuery(void *e) {
    ENTER("cuEventQuery");
    return eventReady("cuEventQuery", e);
}
API cuEventElapsedTime(float *ms, void *a, void *b) {
    ENTER("cuEventElapsedTime");
    if (!events.count(a) || !events.count(b)) return INVALID_HANDLE;
    if (!static_cast<Event *>(a)->recorded || !static_cast<Event *>(b)->recorded) return INVALID_HANDLE;
    *ms = static_cast<float>(static_cast<Event *>(b)->ms - static_cast<Event *>(a)->ms);
    return OK;
}
API cuEventElapsedTime_v2(float *ms, void *a, void *b) { return cuEventElapsedTime(ms, a, b); }

API cuStreamBeginCapture_v2(void *s, int mode) {
    ENTER("cuStreamBeginCapture");
    Stream *stream = streamOf(s);
    if (!stream) return INVALID_HANDLE;
    if (stream == &legacyStream) return refuse(CAPTURE_UNSUPPORTED, "cuStreamBeginCapture", "the legacy stream cannot be captured");
    if (stream->capture || mode < 0 || mode > 2) return stream->capture ? 900 : INVALID_VALUE;
    stream->capture = std::make_shared<Graph>();
    stream->mode = mode;
    stream->spoiled = false;
    capturing.insert(stream);
    return OK;
}
API cuStreamBeginCapture(void *s) { return cuStreamBeginCapture_v2(s, 0); }
API cuStreamEndCapture(void *s, void **g) {
    ENTER("cuStreamEndCapture");
    Stream *stream = streamOf(s);
    if (!stream) return INVALID_HANDLE;
    *g = nullptr;
    if (!stream->capture) return refuse(INVALID_VALUE, "cuStreamEndCapture", "the stream is not being captured");
    std::shared_ptr<Graph> recorded = std::move(stream->capture);
    stream->capture = nullptr;
    capturing.erase(stream);
    if (stream->spoiled) return CAPTURE_INVALIDATED;
    graphs.insert(*g = new Graph(*recorded));
    return OK;
}
API cuStreamIsCapturing(void *s, int *status) {
    ENTER("cuStreamIsCapturing");
    Stream *stream = streamOf(s);
    if (!stream) return INVALID_HANDLE;
    *status = !stream->capture ? 0 : stream->spoiled ? 2 : 1;
    return OK;
}
API cuThreadExchangeStreamCaptureMode(int *mode) {
    *mode = 0;
    return OK;
}
API cuGraphGetNodes(void *g, void **, size_t *n) {
    ENTER("cuGraphGetNodes");
    if (!graphs.count(g)) return INVALID_VALUE;
    *n = static_cast<Graph *>(g)->size();
    return OK;
}
API cuGraphInstantiateWithFlags(void **x, void *g, unsigned long long) {
    ENTER("cuGraphInstantiate");
    if (!graphs.count(g)) return INVALID_VALUE;
    executables.insert(*x = new Graph(*static_cast<Graph *>(g)));
    return OK;
}
API cuGraphInstantiate_v2(void **x, void *g, void **, char *, size_t) { return cuGraphInstantiateWithFlags(x, g, 0); }
API cuGraphUpload(void *x, void *s) {
    ENTER("cuGraphUpload");
    return executables.count(x) && streamOf(s) ? OK : INVALID_VALUE;
}
API cuGraphLaunch(void *x, void *s) {
    ENTER("cuGraphLaunch");
    if (!executables.count(x) || !streamOf(s)) return INVALID_VALUE;
    if (fakeCapturing(s)) return refuse(CAPTURE_UNSUPPORTED, "cuGraphLaunch", "the stand-in does not record child graphs");
    for (auto &work : *static_cast<Graph *>(x)) {
        int status = work.run();
        if (status) return status;
    }
    return OK;
}
API cuGraphExecDestroy(void *x) {
    ENTER("cuGraphExecDestroy");
    if (!executables.erase(x)) return INVALID_VALUE;
    delete static_cast<Graph *>(x);
    return OK;
}
API cuGraphDestroy(void *g) {
    ENTER("cuGraphDestroy");
    if (!graphs.erase(g)) return INVALID_VALUE;
    delete static_cast<Graph *>(g);
    return OK;
}

// ---- modules and launches ---------------------------------------------------------------------------------------------

// The kernels compiled for the CPU lie beside this library, one for each module.
static std::string besideMe(const std::string &name) {
    Dl_info info;
    dladdr(reinterpret_cast<void *>(&besideMe), &info);
    std::string path = info.dli_fname;
    return path.substr(0, path.rfind('/') + 1) + name;
}
API cuModuleLoadDataEx(void **m, const void *image, unsigned, int *, void **) {
    ENTER("cuModuleLoadData");
    if (fakeForbiddenNow("cuModuleLoadData")) return CAPTURE_UNSUPPORTED;
    std::string text(static_cast<const char *>(image));
    if (text.empty()) return INVALID_IMAGE;
    size_t name = text.find("// module ");
    if (text.find(".version ") == std::string::npos || text.find(".address_size 64") == std::string::npos || name == std::string::npos)
        return refuse(INVALID_PTX, "cuModuleLoadData", "the image is not one of our PTX modules");
    int driver, version = atoi(text.c_str() + text.find(".version ") + 9);
    cuDriverGetVersion(&driver);
    if (version > driver / 1000 - 4) // CUDA 11, 12, 13 came with PTX 7, 8, 9
        return refuse(UNSUPPORTED_PTX, "cuModuleLoadData", "the driver is older than the PTX");
    std::string module = text.substr(name + 10, text.find(':', name) - name - 10);
    auto loaded = new Module;
    std::string path = besideMe("lib" + module + ".so");
    loaded->library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    loaded->find = loaded->library ? reinterpret_cast<EmuFind>(dlsym(loaded->library, "emu_find")) : nullptr;
    loaded->entries = ptxEntries(text);
    if (!loaded->find) {
        delete loaded;
        return refuse(INVALID_IMAGE, "cuModuleLoadData", "no kernels for the CPU at " + path);
    }
    modules.insert(*m = loaded);
    return OK;
}
API cuModuleLoadData(void **m, const void *image) { return cuModuleLoadDataEx(m, image, 0, nullptr, nullptr); }
API cuModuleUnload(void *m) {
    ENTER("cuModuleUnload");
    if (!modules.erase(m)) return INVALID_HANDLE;
    delete static_cast<Module *>(m);
    return OK;
}
API cuModuleGetFunction(void **f, void *m, const char *name) {
    ENTER("cuModuleGetFunction");
    if (!modules.count(m)) return INVALID_HANDLE;
    auto module = static_cast<Module *>(m);
    auto entry = module->entries.find(name);
    const EmuKernel *kernel = module->find(name);
    if (entry == module->entries.end() || !kernel)
        return refuse(NOT_FOUND, "cuModuleGetFunction",
                      std::string(name) + (entry == module->entries.end() ? " is not in the PTX" : " was not compiled for the CPU"));
    bool same = entry->second.sizes.size() == size_t(kernel->parameters);
    for (int i = 0; same && i < kernel->parameters; i++) same = entry->second.sizes[i] == kernel->sizes[i];
    if (!same) return refuse(INVALID_IMAGE, "cuModuleGetFunction", std::string(name) + ": the PTX has other parameters than the source; run ptx.sh");
    std::unique_ptr<Function> function(new Function{kernel, entry->second.shared, DEFAULT_SHARED});
    *f = function.get();
    functions[*f] = std::move(function);
    return OK;
}
API cuFuncSetAttribute(void *f, int attribute, int value) {
    ENTER("cuFuncSetAttribute");
    if (!functions.count(f)) return INVALID_HANDLE;
    if (attribute != 8) return OK;  // CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
    if (value < 0 || static_cast<Function *>(f)->staticShared + value > MOST_SHARED) return INVALID_VALUE;
    static_cast<Function *>(f)->dynamicLimit = value;
    return OK;
}
API cuFuncGetAttribute(int *v, int attribute, void *f) {
    ENTER("cuFuncGetAttribute");
    if (!functions.count(f)) return INVALID_HANDLE;
    auto function = static_cast<Function *>(f);
    *v = attribute == 0 ? 1024 : attribute == 1 ? int(function->staticShared) : attribute == 4 ? 64 : attribute == 8 ? int(function->dynamicLimit) : 0;
    return OK;
}
API cuFuncSetCacheConfig(void *, int) { return OK; }
API cuOccupancyMaxActiveBlocksPerMultiprocessor(int *n, void *, int block, size_t) {
    *n = block ? 2048 / block : 0;
    return OK;
}
static int run(const Function *function, void **parameters, const EmuLaunch &launch) {
    const EmuKernel *k = function->kernel;
    for (int i = 0; i < k->parameters; i++) {
        if (!k->pointers[i]) continue;
        Address p;
        memcpy(&p, parameters[i], 8);
        if (p && blockAt(p) == blocks.end())
            return fault(ILLEGAL_ADDRESS, k->name, "parameter " + std::to_string(i) + " is no address in a live block of device memory");
    }
    if (getenv("FAKE_CUDA_LOG")) fprintf(stderr, "stand-in: launch %s grid %u %u %u block %u %u %u\n", k->name, launch.grid[0], launch.grid[1], launch.grid[2], launch.block[0], launch.block[1], launch.block[2]);
    const char *wrong = k->run(parameters, launch);
    if (wrong) return fault(strstr(wrong, "multiple") ? MISALIGNED : ILLEGAL_ADDRESS, k->name, wrong);
    for (int i = 0; i < k->parameters; i++) {
        if (!k->pointers[i]) continue;
        Address p;
        memcpy(&p, parameters[i], 8);
        auto b = blockAt(p);
        if (b != blocks.end() && !intact(b->first, b->second))
            return fault(ILLEGAL_ADDRESS, k->name, "wrote beside the block of parameter " + std::to_string(i));
    }
    return OK;
}
API cuLaunchKernel(void *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared,
                   void *s, void **parameters, void **extra) {
    ENTER("cuLaunchKernel");
    if (!functions.count(f)) return refuse(INVALID_HANDLE, "cuLaunchKernel", "no such function");
    auto function = static_cast<Function *>(f);
    const EmuKernel *k = function->kernel;
    if (!gx || !gy || !gz || gx > 2147483647u || gy > 65535 || gz > 65535 || !bx || !by || !bz || bx > 1024 || by > 1024 || bz > 64 || bx * by * bz > 1024)
        return refuse(INVALID_VALUE, k->name, "no device takes this grid and block");
    if (shared > function->dynamicLimit || function->staticShared + shared > MOST_SHARED)
        return refuse(INVALID_VALUE, k->name, std::to_string(shared) + " bytes of dynamic shared memory; the limit was not raised");
    std::vector<std::string> values(k->parameters);
    if (extra && !parameters) {  // one packed buffer: {1, buffer, 2, &size, 0}
        const char *buffer = nullptr;
        size_t size = 0;
        for (void **e = extra; *e; e += 2) {
            if (*e == AT(1ull)) buffer = static_cast<const char *>(e[1]);
            else if (*e == AT(2ull)) size = *static_cast<size_t *>(e[1]);
            else return INVALID_VALUE;
        }
        size_t at = 0;
        for (int i = 0; i < k->parameters; i++) {
            size_t alignment = k->sizes[i] == 8 ? 8 : 4;
            at = (at + alignment - 1) / alignment * alignment;
            if (buffer && at + k->sizes[i] <= size) values[i].assign(buffer + at, k->sizes[i]);
            at += k->sizes[i];
        }
        if (!buffer || at != size)
            return refuse(INVALID_VALUE, k->name, "the buffer has " + std::to_string(size) + " bytes, the parameters take " + std::to_string(at));
    } else {
        if (!parameters) return refuse(INVALID_VALUE, k->name, "no parameters");
        for (int i = 0; i < k->parameters; i++) {
            if (!parameters[i]) return refuse(INVALID_VALUE, k->name, "parameter " + std::to_string(i) + " is missing");
            values[i].assign(static_cast<const char *>(parameters[i]), k->sizes[i]);
        }
    }
    EmuLaunch launch = {{gx, gy, gz}, {bx, by, bz}, shared};
    return submit(s, k->name, [function, values, launch] {
        std::vector<void *> pointers;
        for (auto &v : values) pointers.push_back(const_cast<char *>(v.data()));
        return run(function, pointers.data(), launch);
    });
}

// ---- errors -------------------------------------------------------------------------------------------------------------

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
