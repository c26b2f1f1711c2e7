// The threads that compute: OpenMP's, of the one libgomp in the process.
#pragma once

namespace ddpm {

// From now on parallel regions entered by this thread have `count` threads. The workers are placed on cores of their own;
// the calling thread stays as free as it was.
void start_workers(int count);

}  // namespace ddpm
