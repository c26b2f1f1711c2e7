// The threads that compute: OpenMP's, of the one libgomp in the process.
#pragma once
#include <vector>

namespace ddpm {

// From now on parallel regions entered by this thread have `count` threads. The workers are placed on cores of their own,
// and the calling thread keeps off these. Cores that others keep busy are left to it as long as there are others.
void start_workers(int count, const std::vector<int>& busy);

// On how many cores this process may run.
int allowed_count();

// The calling thread may run everywhere again, and with it the threads and processes that it starts, which inherit its place.
void leave_workers();

}  // namespace ddpm
