// Modules and launches of the stand-in for libcuda: the kernels of a PTX text, run as the C++ functions they were compiled to.
#include <dlfcn.h>

#include "fake_ptx.h"
#include "fake_state.h"
#include "kernel_registry.h"

struct Module {
    void *library;
    EmuFind find;
    std::map<std::string, PtxEntry> entries;
};
struct Function {
    const EmuKernel *kernel;
    size_t staticShared, dynamicLimit;
};
static std::set<void *> modules;
static std::map<void *, std::unique_ptr<Function>> functions;
#define AT(p) reinterpret_cast<void *>(p)

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
    if (planted(k->name)) return fault(ILLEGAL_ADDRESS, k->name, "planted fault");
    for (int i = 0; i < k->parameters; i++) {
        if (!k->pointers[i]) continue;
        Address p;
        memcpy(&p, parameters[i], 8);
        if (p && blockAt(p) == noBlock())
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
        if (b != noBlock() && !intact(b->first, b->second))
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
