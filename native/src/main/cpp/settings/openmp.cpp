// libddpm_settings.so: loaded before libgomp, which reads its environment once, when it is loaded.
//
// By default a thread that waits for the others of its team spins for milliseconds. Where another process has the core
// that one of the team is waiting for, the spinning uses up the time slice that the team needs. Where none has, a thread that
// spins too briefly falls asleep between two calls and must be woken, which takes long on a virtual machine. Steps on 2 cores,
// in ms (medians of 2 to 4; Zen 4, 2 threads, other processes that only count):
//
//                        annotated-resnet      quick
//     others busy             0             0     1     2
//     300 turns             1370          114   210   285
//     10000                 1190           99   212   293
//     100000                1170                223
//
// 10000 turns are a few tenths of a millisecond. What the user has set stays.
#include <cstdlib>

__attribute__((constructor)) static void wait_briefly() {
    if (!std::getenv("OMP_WAIT_POLICY")) setenv("GOMP_SPINCOUNT", "10000", /* overwrite = */ 0);
}
