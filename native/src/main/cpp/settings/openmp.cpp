// libddpm_settings.so: loaded before libgomp, which reads its environment once, when it is loaded.
//
// By default a thread that waits for the others of its team spins for milliseconds. Where another process has the core
// that one of the team is waiting for, the spinning uses up the time slice that the team needs. A step of the preset
// `quick` on 2 cores, in ms (medians of a dry run; Zen 2, 2 threads, other processes that only count):
//
//     others busy          0      1      2
//     default            293   2471   3834
//     300 turns          317   1042   1722
//
// 300 turns are about as long as a fork and join. What the user has set stays.
#include <cstdlib>

__attribute__((constructor)) static void wait_briefly() {
    if (!std::getenv("OMP_WAIT_POLICY")) setenv("GOMP_SPINCOUNT", "300", /* overwrite = */ 0);
}
