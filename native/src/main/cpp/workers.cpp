#include "workers.h"

#include <omp.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

namespace ddpm {

// The CPUs this process may use: those of its first thread, which is never placed. (A Java program runs on another.)
static std::vector<int> allowed_cpus() {
    cpu_set_t set;
    CPU_ZERO(&set);
    std::vector<int> cpus;
    if (sched_getaffinity(getpid(), sizeof set, &set) != 0) return cpus;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    return cpus;
}

// Places the calling thread on any of these CPUs; on failure it stays where it was, which is only slower.
static void place(const int* first, const int* last) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (const int* cpu = first; cpu != last; cpu++) CPU_SET(*cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

int allowed_count() {
    return static_cast<int>(allowed_cpus().size());
}

void start_workers(int count, const std::vector<int>& busy) {
    if (count < 1) throw std::invalid_argument("threads: needs at least 1");
    omp_set_num_threads(count);
    std::vector<int> cpus = allowed_cpus();
    if (static_cast<int>(cpus.size()) < count) return;
    std::stable_partition(cpus.begin(), cpus.end(),
                          [&](int cpu) { return std::find(busy.begin(), busy.end(), cpu) != busy.end(); });
    const int* last = cpus.data() + cpus.size();
#pragma omp parallel num_threads(count)
    {
        int worker = omp_get_thread_num();
        if (worker == 0) place(cpus.data(), last - (count - 1));
        else place(last - worker, last - worker + 1);
    }
}

void leave_workers() {
    std::vector<int> cpus = allowed_cpus();
    place(cpus.data(), cpus.data() + cpus.size());
}

}  // namespace ddpm
