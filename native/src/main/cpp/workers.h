// The threads that compute: OpenMP's, of the one libgomp in the process.
#pragma once

namespace ddpm {

// From now on parallel regions entered by this thread have `count` threads. The workers are placed on cores of their own,
// and the calling thread keeps off these.
void start_workers(int count);

// The calling thread may run everywhere again, and with it the threads and processes that it starts, which inherit its place.
void leave_workers();

}  // namespace ddpm
