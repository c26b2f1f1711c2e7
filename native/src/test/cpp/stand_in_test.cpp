// The stand-in for the driver refuses what it should, and capture records without running. usage: stand_in_test PTX.
// Each case is a process of its own, because some faults end the device for good, as on a real one.
#include "device.h"

#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#define KERNEL(name) void declared_##name
typedef void T;
#include "kernels.h"
#undef KERNEL

bool halves;
void *module;
std::vector<Case> &cases() {
    static std::vector<Case> all;
    return all;
}
static std::string ptx;

static void open() {
    void *context;
    check(cuInit(0), "cuInit");
    check(cuDevicePrimaryCtxRetain(&context, 0), "cuDevicePrimaryCtxRetain");
    check(cuCtxSetCurrent(context), "cuCtxSetCurrent");
    check(cuModuleLoadData(&module, ptx.c_str()), "cuModuleLoadData");
}
static void gives(int status, int expected, const char *what) {
    if (status != expected)
        throw std::runtime_error(std::string(what) + " gave status " + std::to_string(status) + ", not " + std::to_string(expected));
}
static int launched(const char *name, Launch l, void **parameters, void **extra = nullptr, void *stream = nullptr) {
    void *function;
    check(cuModuleGetFunction(&function, module, name), name);
    return cuLaunchKernel(function, l.gx, l.gy, 1, l.bx, l.by, 1, l.shared, stream, parameters, extra);
}
static int filled(Address at, int n, float value, void *stream = nullptr) {
    void *parameters[] = {&at, &n, &value};
    return launched("fill", flat(n), parameters, nullptr, stream);
}

int main(int count, char **arguments) {
    if (count != 2) return 2;
    std::ifstream file(arguments[1]);
    std::stringstream text;
    text << file.rdbuf();
    ptx = text.str();
    bool all = true;
    for (Case &c : cases()) {
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            try {
                c.body();
                printf("ok %s\n", c.name.c_str());
            } catch (const std::exception &e) {
                printf("FAIL %s: %s\n", c.name.c_str(), e.what());
                fflush(stdout);
                _exit(1);
            }
            fflush(stdout);
            _exit(0);
        }
        int status = 0;
        waitpid(child, &status, 0);
        if (WIFSIGNALED(status)) printf("FAIL %s: ended by signal %d\n", c.name.c_str(), WTERMSIG(status));
        all = all && status == 0;
    }
    return all ? 0 : 1;
}

CASE(nothing_works_before_cuInit) {
    Address p;
    gives(cuMemAlloc_v2(&p, 4), 3, "cuMemAlloc");
}

CASE(fresh_memory_is_NaN_and_can_run_out) {
    setenv("FAKE_CUDA_MEMORY", "4096", 1);
    open();
    Address p, q;
    check(cuMemAlloc_v2(&p, 4000), "cuMemAlloc");
    float value = 0;
    check(cuMemcpyDtoH_v2(&value, p, 4), "cuMemcpyDtoH");
    expect(std::isnan(value), "unwritten memory is NaN");
    gives(cuMemAlloc_v2(&q, 97), 2, "an allocation beyond the device's memory");
    gives(cuMemAlloc_v2(&q, 0), 1, "an allocation of nothing");
    check(cuMemAlloc_v2(&q, 96), "cuMemAlloc of the rest");
}

CASE(memory_is_freed_once_and_not_used_after) {
    open();
    Address p;
    check(cuMemAlloc_v2(&p, 64), "cuMemAlloc");
    check(cuMemFree_v2(p), "cuMemFree");
    gives(cuMemFree_v2(p), 1, "a second cuMemFree");
    float value;
    gives(cuMemcpyDtoH_v2(&value, p, 4), 1, "a copy from freed memory");
    gives(filled(p, 4, 1), 700, "a launch on freed memory");
    gives(cuCtxSynchronize(), 700, "every call after that");
}

CASE(copies_stay_inside_their_blocks) {
    open();
    Address p;
    std::vector<char> host(200);
    check(cuMemAlloc_v2(&p, 64), "cuMemAlloc");
    gives(cuMemcpyHtoD_v2(p, host.data(), 65), 1, "a copy past the end");
    gives(cuMemcpyHtoD_v2(p + 60, host.data(), 8), 1, "a copy across the end");
    check(cuMemcpyHtoD_v2(p + 60, host.data(), 4), "a copy up to the end");
    gives(cuMemcpyDtoH_v2(reinterpret_cast<void *>(p), p, 4), 1, "host and device mixed up");
}

CASE(a_kernel_that_writes_past_its_block_is_named) {
    open();
    Address p;
    check(cuMemAlloc_v2(&p, 64), "cuMemAlloc");
    gives(filled(p, 17, 1), 700, "17 floats into room for 16");
    gives(cuMemAlloc_v2(&p, 4), 700, "every call after that");
}

CASE(launches_no_device_would_take) {
    open();
    Address p;
    check(cuMemAlloc_v2(&p, 64), "cuMemAlloc");
    int n = 16;
    float value = 1;
    void *parameters[] = {&p, &n, &value};
    gives(launched("fill", {0, 1, 32, 1, 0}, parameters), 1, "an empty grid");
    gives(launched("fill", {1, 1, 2048, 1, 0}, parameters), 1, "2048 threads a block");
    gives(launched("fill", {1, 70000, 32, 1, 0}, parameters), 1, "70,000 blocks along y");
    gives(launched("fill", {1, 1, 32, 1, 50000}, parameters), 1, "more shared memory than the limit");
    gives(launched("fill", {1, 1, 32, 1, 0}, nullptr), 1, "no parameters");
    struct {
        Address p;
        int n;
        float value;
    } packed = {p, n, value};
    size_t size = sizeof packed, wrong = size - 4;
    void *extra[] = {reinterpret_cast<void *>(1), &packed, reinterpret_cast<void *>(2), &size, nullptr};
    check(launched("fill", {1, 1, 32, 1, 0}, nullptr, extra), "parameters in one buffer");
    extra[3] = &wrong;
    gives(launched("fill", {1, 1, 32, 1, 0}, nullptr, extra), 1, "a buffer that is too short");
    void *function;
    gives(cuModuleGetFunction(&function, module, "no_such_kernel"), 500, "an unknown kernel");
    void *other;
    gives(cuModuleLoadData(&other, "not PTX"), 218, "an image that is no PTX");
    std::string later = ptx;
    later.replace(later.find(".version 7.0"), 12, ".version 9.0");
    gives(cuModuleLoadData(&other, later.c_str()), 222, "PTX newer than the driver");
}

CASE(capture_records_and_replay_runs) {
    open();
    void *stream, *graph, *executable;
    Address p;
    check(cuMemAlloc_v2(&p, 64), "cuMemAlloc");
    check(cuStreamCreate(&stream, 1), "cuStreamCreate");
    check(filled(p, 16, 1), "fill");
    check(cuStreamBeginCapture_v2(stream, 0), "cuStreamBeginCapture");
    check(filled(p, 16, 2, stream), "fill while capturing");
    check(cuStreamEndCapture(stream, &graph), "cuStreamEndCapture");
    float value = 0;
    check(cuMemcpyDtoH_v2(&value, p, 4), "download");
    expect(value == 1, "what is captured does not run");
    check(cuGraphInstantiateWithFlags(&executable, graph, 0), "cuGraphInstantiate");
    check(cuGraphLaunch(executable, stream), "cuGraphLaunch");
    check(cuMemcpyDtoH_v2(&value, p, 4), "download");
    expect(value == 2, "a launch of the graph does");
    check(cuMemFree_v2(p), "cuMemFree");
    gives(cuGraphLaunch(executable, stream), 700, "a replay on freed memory");
}

CASE(capture_forbids_allocation_and_waiting) {
    open();
    void *stream, *graph;
    Address p;
    check(cuStreamCreate(&stream, 1), "cuStreamCreate");
    check(cuStreamBeginCapture_v2(stream, 0), "cuStreamBeginCapture");
    gives(cuMemAlloc_v2(&p, 4), 900, "cuMemAlloc");
    gives(cuStreamEndCapture(stream, &graph), 901, "the end of a spoiled capture");
    check(cuStreamBeginCapture_v2(stream, 0), "cuStreamBeginCapture");
    gives(cuStreamSynchronize(stream), 900, "cuStreamSynchronize");
    gives(cuStreamEndCapture(stream, &graph), 901, "the end of a spoiled capture");
    check(cuStreamBeginCapture_v2(stream, 2), "a relaxed capture");
    check(cuMemAlloc_v2(&p, 4), "cuMemAlloc in a relaxed capture");
    check(cuStreamEndCapture(stream, &graph), "cuStreamEndCapture");
}

CASE(a_late_stream_works_when_it_is_waited_for) {
    open();
    void *first, *late, *fork, *done, *graph, *executable;
    Address p;
    float value;
    check(cuMemAlloc_v2(&p, 64), "cuMemAlloc");
    check(cuStreamCreateWithPriority(&first, 1, -5), "cuStreamCreateWithPriority");
    check(cuStreamCreateWithPriority(&late, 1, 0), "cuStreamCreateWithPriority");
    check(cuEventCreate(&fork, 2), "cuEventCreate");
    check(cuEventCreate(&done, 2), "cuEventCreate");
    check(filled(p, 16, 1, first), "fill");
    check(filled(p, 16, 2, late), "fill");
    check(cuEventRecord(done, late), "cuEventRecord");
    check(cuMemcpyDtoH_v2(&value, p, 4), "download");
    expect(value == 1, "what nobody has waited for is not there");
    check(cuStreamWaitEvent(first, done, 0), "cuStreamWaitEvent");
    check(cuMemcpyDtoH_v2(&value, p, 4), "download");
    expect(value == 2, "after waiting it is");

    check(cuStreamBeginCapture_v2(first, 0), "cuStreamBeginCapture");
    check(cuEventRecord(fork, first), "cuEventRecord");
    check(cuStreamWaitEvent(late, fork, 0), "cuStreamWaitEvent");
    check(filled(p, 16, 3, late), "fill");
    check(cuEventRecord(done, late), "cuEventRecord");
    check(filled(p, 16, 4, first), "fill");
    check(cuStreamWaitEvent(first, done, 0), "cuStreamWaitEvent");
    check(cuStreamEndCapture(first, &graph), "cuStreamEndCapture");
    check(cuGraphInstantiateWithFlags(&executable, graph, 0), "cuGraphInstantiate");
    check(cuGraphLaunch(executable, first), "cuGraphLaunch");
    check(cuMemcpyDtoH_v2(&value, p, 4), "download");
    expect(value == 3, "in a graph, too, it comes as late as it may");

    check(cuStreamBeginCapture_v2(first, 0), "cuStreamBeginCapture");
    check(cuEventRecord(fork, first), "cuEventRecord");
    check(cuStreamWaitEvent(late, fork, 0), "cuStreamWaitEvent");
    check(filled(p, 16, 3, late), "fill");
    gives(cuStreamEndCapture(first, &graph), 904, "the end of a capture without the other stream");
}

CASE(planted_failures) {
    setenv("FAKE_CUDA_FAIL", "cuMemAlloc:2", 1);
    open();
    Address p;
    check(cuMemAlloc_v2(&p, 4), "the first cuMemAlloc");
    gives(cuMemAlloc_v2(&p, 4), 2, "the second");
    check(cuMemAlloc_v2(&p, 4), "the third");
}
