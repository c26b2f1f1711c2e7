#include "workers.h"

#include <omp.h>
#include <sched.h>

#include <stdexcept>
#include <vector>

namespace ddpm {

// The CPUs this process may use.
static std::vector<int> allowed_cpus() {
    cpu_set_t set;
    CPU_ZERO(&set);
    std::vector<int> cpus;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return cpus;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    return cpus;
}

void start_workers(int count) {
    if (count < 1) throw std::invalid_argument("threads: needs at least 1");
    omp_set_num_threads(count);
    std::vector<int> cpus = allowed_cpus();
    if (count == 1 || static_cast<int>(cpus.size()) < count) return;
#pragma omp parallel num_threads(count)
    {
        int worker = omp_get_thread_num();
        if (worker > 0) {
            cpu_set_t own;
            CPU_ZERO(&own);
            CPU_SET(cpus[cpus.size() - worker], &own);
            sched_setaffinity(0, sizeof own, &own);  // on failure the worker stays unpinned, which is only slower
        }
    }
}

}  // namespace ddpm
