// Compiles CUDA C++ kernels as plain C++ for the CPU. A kernel without barriers is two loops, over blocks and threads; one
// with barriers gives every thread of a block a stack of its own and switches between them, at a few nanoseconds each,
// so that __syncthreads and warp sums behave. For tests of the kernels' numbers, not for speed.
//
// Blocks run one after the other, but where one waits for others these run in between.
//
// What it finds: wrong arithmetic and indices, a barrier that not all threads reach, a misaligned vector access, a block that waits
// in vain. What it cannot: races between threads, for they run one after the other (EMU_ORDER=reverse runs them backwards).
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kernel_registry.h"

struct Dim3 {
    unsigned x, y, z;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
struct alignas(8) uint2 {
    unsigned x, y;
};

namespace emu {

enum State : unsigned char { RUN, WARP, BLOCK, OTHERS, DONE };

struct Fiber {
    void *stack_pointer = nullptr;
    Dim3 thread{};
    unsigned number = 0;
    State state = DONE;
    unsigned char phase = 0;
    std::vector<char> stack;
};

inline Dim3 thread, block, block_size, grid_size;
inline Fiber *current = nullptr;
inline void *scheduler = nullptr;
inline std::string failure;
inline void (*body)(void **) = nullptr;
inline void **arguments = nullptr;

// Saves the registers a callee must keep and the stack pointer, and goes on with another stack.
extern "C" void emu_switch(void **save, void *load);

inline void wait(State s) {
    current->state = s;
    emu_switch(&current->stack_pointer, scheduler);
}

inline void entry() {
    for (;;) {  // one fiber serves every block
        body(arguments);
        wait(DONE);
    }
}

inline void prepare(Fiber &f) {
    const size_t size = 64 << 10;
    f.stack.resize(size);
    auto top = reinterpret_cast<uintptr_t>(f.stack.data() + size) & ~uintptr_t(63);
    auto slots = reinterpret_cast<void **>(top) - 8;
    for (int i = 0; i < 8; i++) slots[i] = nullptr;
    slots[6] = reinterpret_cast<void *>(&entry);  // six registers, then where to return to
    f.stack_pointer = slots;
}

inline void enter(Fiber &f) {
    current = &f;
    thread = f.thread;
    emu_switch(&scheduler, f.stack_pointer);
}

inline bool reversed() {
    static const bool answer = [] {
        const char *order = getenv("EMU_ORDER");
        return order && !strcmp(order, "reverse");
    }();
    return answer;
}

inline void fail(const std::string &what) {
    if (failure.empty()) failure = what;
}

inline unsigned depth = 0;         // blocks that wait
const unsigned MOST_WAITING = 7;   // a small device holds no more beside one that runs
inline std::vector<Fiber> &fibers() {
    static std::vector<std::vector<Fiber>> all;
    while (all.size() <= depth) all.emplace_back(1024);
    return all[depth];
}

// A failed block leaves threads in the middle of the kernel; they are given new stacks.
inline void abandon() {
    for (Fiber &f : fibers()) f.stack.clear();
}

// Runs the next block of the grid, in the middle of another; false if there is none.
inline std::function<bool()> run_next;

inline std::vector<char> dynamic_shared;
inline bool runAnother() {
    Dim3 own_block = block;
    std::vector<char> own_shared;
    own_shared.swap(dynamic_shared);
    depth++;
    if (depth > MOST_WAITING) fail("more blocks wait for others than a small device holds");
    bool ran = failure.empty() && run_next();
    depth--;
    own_shared.swap(dynamic_shared);
    block = own_block;
    return ran;
}

inline void runBlock(unsigned n) {
    Fiber *all = fibers().data();
    for (unsigned i = 0; i < n; i++) {
        Fiber &f = all[i];
        if (f.stack.empty()) prepare(f);
        f.state = RUN;
        f.phase = 0;
        f.number = i;
        f.thread = {i % block_size.x, i / block_size.x % block_size.y, i / block_size.x / block_size.y};
    }
    unsigned warps = (n + 31) / 32;
    for (;;) {
        unsigned done = 0, at_block = 0, waiting = 0;
        bool progress = false;
        for (unsigned k = 0; k < warps; k++) {
            unsigned first = 32 * (reversed() ? warps - 1 - k : k), end = first + 32 < n ? first + 32 : n;
            for (;;) {
                unsigned in_warp = 0, alive = 0;
                for (unsigned j = first; j < end; j++) {
                    unsigned i = reversed() ? end - 1 - (j - first) : j;
                    if (all[i].state == RUN) {
                        progress = true;
                        enter(all[i]);
                    }
                    in_warp += all[i].state == WARP;
                    alive += all[i].state != DONE;
                }
                if (in_warp == 0 || in_warp != alive) break;
                for (unsigned i = first; i < end; i++)
                    if (all[i].state == WARP) all[i].state = RUN;
            }
            for (unsigned i = first; i < end; i++) {
                done += all[i].state == DONE;
                at_block += all[i].state == BLOCK;
                waiting += all[i].state == OTHERS;
            }
        }
        if (done == n) return;
        if (waiting && !progress) {
            if (!runAnother()) {
                fail("a block waits for others, and there are none");
                abandon();
                return;
            }
            for (unsigned i = 0; i < n; i++)
                if (all[i].state == OTHERS) all[i].state = RUN;
            continue;
        }
        if (at_block == n) {
            for (unsigned i = 0; i < n; i++) all[i].state = RUN;
        } else if (!progress || (at_block && done && at_block + done == n)) {
            fail("a barrier that " + std::to_string(at_block) + " of " + std::to_string(n) + " threads reached, while " +
                 std::to_string(done) + " had ended");
            abandon();
            return;
        }
    }
}

// Σ, or another commutative combination, over a warp or over groups of so many neighbouring lanes (a power of two), in the
// order of a butterfly; every lane gets that of its group.
struct Exchange {
    uint64_t value[32];
    bool ready;
};
inline Exchange exchanges[32][2];
template <class N, class F> N butterfly(N v, F f, int group = 32) {
    static_assert(sizeof(N) <= 8, "");
    Exchange &e = exchanges[current->number / 32][current->phase];
    current->phase ^= 1;
    e.ready = false;
    memcpy(&e.value[current->number % 32], &v, sizeof(N));
    wait(WARP);
    if (!e.ready) {
        N lane[32];
        for (int i = 0; i < 32; i++) memcpy(&lane[i], &e.value[i], sizeof(N));
        for (int half = group / 2; half > 0; half /= 2)
            for (int i = 0; i < 32; i++)
                if (i % group < half) lane[i] = f(lane[i], lane[i + half]);
        for (int i = 0; i < 32; i++) memcpy(&e.value[i], &lane[i / group * group], sizeof(N));
        e.ready = true;
    }
    N result;
    memcpy(&result, &e.value[current->number % 32], sizeof(N));
    return result;
}

inline void checkAligned(const void *pointer, unsigned bytes) {
    if (reinterpret_cast<uintptr_t>(pointer) % bytes)
        fail("an access of " + std::to_string(bytes) + " bytes at an address that is not a multiple of that");
}

template <auto F> struct Kernel;
template <class... A, void (*F)(A...)> struct Kernel<F> {
    static inline const int sizes[sizeof...(A)] = {int(sizeof(A))...};
    static inline const bool pointers[sizeof...(A)] = {std::is_pointer<A>::value...};

    template <size_t... I> static void call(void **p, std::index_sequence<I...>) {
        F(*static_cast<A *>(p[I])...);
    }
    static void thunk(void **p) { call(p, std::index_sequence_for<A...>()); }

    template <class Run> static const char *blocks(const EmuLaunch &l, Run run) {
        grid_size = {l.grid[0], l.grid[1], l.grid[2]};
        block_size = {l.block[0], l.block[1], l.block[2]};
        failure.clear();
        unsigned n = grid_size.x * grid_size.y * grid_size.z, begun = 0;
        run_next = [&] {
            if (begun == n) return false;
            unsigned i = reversed() ? n - 1 - begun : begun;
            begun++;
            block = {i % grid_size.x, i / grid_size.x % grid_size.y, i / grid_size.x / grid_size.y};
            run();
            return true;
        };
        while (failure.empty() && run_next()) {
        }
        run_next = nullptr;
        return failure.empty() ? nullptr : failure.c_str();
    }
    static const char *plain(void **p, const EmuLaunch &l) {
        return blocks(l, [&] {
            for (thread.z = 0; thread.z < block_size.z; thread.z++)
                for (thread.y = 0; thread.y < block_size.y; thread.y++)
                    for (unsigned x = 0; x < block_size.x; x++) {
                        thread.x = reversed() ? block_size.x - 1 - x : x;
                        thunk(p);
                    }
        });
    }
    static const char *barriers(void **p, const EmuLaunch &l) {
        body = thunk;
        arguments = p;
        return blocks(l, [&] {
            dynamic_shared.assign(l.shared + 64, char(0xff));  // NaN
            runBlock(block_size.x * block_size.y * block_size.z);
            for (int i = 0; i < 64; i++)
                if (dynamic_shared[l.shared + i] != char(0xff)) fail("a write past the end of the dynamic shared memory");
        });
    }
};

inline std::unordered_map<std::string, EmuKernel> &registry() {
    static std::unordered_map<std::string, EmuKernel> all;
    return all;
}
template <auto F> void add(const char *name, bool barriers) {
    registry()[name] = {name, int(sizeof(Kernel<F>::sizes) / sizeof(int)), Kernel<F>::sizes, Kernel<F>::pointers,
                        barriers ? Kernel<F>::barriers : Kernel<F>::plain};
}

}  // namespace emu

#define __global__
#define __device__
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __shared__ static
#define DYNAMIC_SHARED(Type, name) Type *name = reinterpret_cast<Type *>(emu::dynamic_shared.data())
#define CHECK_ALIGNED(pointer, bytes) emu::checkAligned(pointer, bytes)
#define threadIdx (emu::thread)
#define blockIdx (emu::block)
#define blockDim (emu::block_size)
#define gridDim (emu::grid_size)

inline void __syncthreads() { emu::wait(emu::BLOCK); }
inline void __threadfence() {}
inline unsigned atomicAdd(unsigned *at, unsigned v) {
    unsigned old = *at;
    *at += v;
    return old;
}
inline void awaitOthers(const unsigned *count, unsigned least) {
    while (*count < least) emu::wait(emu::OTHERS);
}
inline float __ldcg(const float *from) { return *from; }
inline int atomicMin(int *at, int v) {
    int old = *at;
    if (v < old) *at = v;
    return old;
}
inline float __expf(float x) { return expf(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>((static_cast<uint64_t>(a) * b) >> 32); }
inline float __uint_as_float(unsigned u) {
    float f;
    memcpy(&f, &u, 4);
    return f;
}
inline unsigned __float_as_uint(float f) {
    unsigned u;
    memcpy(&u, &f, 4);
    return u;
}
