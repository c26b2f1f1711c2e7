// What the stand-in for the driver knows of a library of kernels that were compiled for the CPU.
#pragma once

struct EmuLaunch {
    unsigned grid[3], block[3], shared;
};

struct EmuKernel {
    const char *name;
    int parameters;
    const int *sizes;      // bytes of each parameter
    const bool *pointers;  // whether it is a pointer into device memory
    const char *(*run)(void **parameters, const EmuLaunch &launch);  // null, or what went wrong
};

typedef const EmuKernel *(*EmuFind)(const char *name);  // the function emu_find of such a library
