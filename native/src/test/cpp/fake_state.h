// What the files of the stand-in for libcuda share: statuses, handles, the state of the one device.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "fake_driver.h"

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
// A stream of the least priority is as late as a device may be: what it is asked for waits until somebody must have it.
struct Late {
    Work work;
    bool captured;
};
struct Stream {
    std::shared_ptr<Graph> capture;
    int mode = 0;
    bool spoiled = false;
    bool late = false;
    Stream *origin = nullptr;   // late: whose capture it has joined
    std::deque<Late> waiting;   // late: what nobody has waited for yet
    unsigned long begun = 0;    // and how much was done before that
};
struct Block {
    char *whole;
    size_t bytes;
};

const size_t DEFAULT_SHARED = 48 << 10, MOST_SHARED = 227 << 10;  // bytes of shared memory of a block

// The device: whether cuInit was called, and the error that every call gives once a kernel has gone astray.
extern bool initialized;
extern int sticky;
extern thread_local void *currentContext;

int refuse(int code, const char *who, const std::string &what);      // says it on stderr
int fault(int code, const char *who, const std::string &what);       // and makes it sticky
bool planted(const char *who);                                       // FAKE_CUDA_FAIL=name:n
size_t capacity();                                                   // bytes of device memory
extern "C" int cuDriverGetVersion(int *version);

#define ENTER(who)                                                                        \
    do {                                                                                  \
        if (!initialized) return refuse(NOT_INITIALIZED, who, "cuInit was not called");   \
        if (sticky) return sticky;                                                        \
        if (!currentContext) return refuse(INVALID_CONTEXT, who, "this thread has no current context"); \
        if (planted(who)) return refuse(UNKNOWN, who, "planted failure");                 \
    } while (0)

// Memory.
std::map<Address, Block>::const_iterator blockAt(Address p);  // the live block that holds this address, or noBlock()
std::map<Address, Block>::const_iterator noBlock();
bool intact(Address p, const Block &b);                       // whether the pattern around the block is still there
int checkAll(const char *who);                                // of all blocks

// Streams.
Stream *streamOf(void *s);  // null when there is none
int submit(void *s, const char *who, std::function<int()> work);
int finishLate();           // what late streams were asked for, unless it is captured
const int LEAST_PRIORITY = 0, GREATEST_PRIORITY = -5;
