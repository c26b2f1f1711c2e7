// Memory of the stand-in for libcuda: blocks with a pattern around them, filled with NaN; pinned memory; copies.
#include "fake_state.h"

static std::map<Address, Block> blocks;
static std::map<Address, size_t> pinned;
static size_t inUse = 0;
static const size_t ZONE = 256;  // bytes of the pattern on either side

std::map<Address, Block>::const_iterator noBlock() { return blocks.end(); }
std::map<Address, Block>::const_iterator blockAt(Address p) {
    std::map<Address, Block>::const_iterator after = blocks.upper_bound(p);
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
bool intact(Address p, const Block &b) {
    auto bytes = reinterpret_cast<const unsigned char *>(p);
    for (size_t i = 1; i <= ZONE; i++)
        if (bytes[-static_cast<long>(i)] != 0xA5) return false;
    for (size_t i = 0; i < ZONE; i++)
        if (bytes[b.bytes + i] != 0xA5) return false;
    return true;
}
int checkAll(const char *who) {
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
    if (int status = finishLate()) return status;
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
