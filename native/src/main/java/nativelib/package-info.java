/**
 * <h2>1 Arrays and memory, continued: native code</h2>
 *
 * <p><b>How is native code built, loaded, called and checked?</b>
 *
 * <p>Java on its own computes an exponential of three million elements in 5 ms where C++ needs 0.3, and a product of matrices
 * thirty times slower than a library written for the processor at hand. So the arithmetic crosses a border, once for each
 * call of a backend, and everything that can be decided before the crossing (shapes, lifetimes, types) is decided in
 * Java. What crosses are numbers and addresses:
 *
 * <pre>empty crossing ≈ 10 ns      a prepared oneDNN primitive ≈ 1 µs      waking a parked worker ≈ 40 to 80 µs</pre>
 *
 * <h3>Building</h3>
 *
 * {@code build.sh}, run by Maven, compiles {@code src/main/cpp} into {@code libddpm.so} and links it to the
 * {@code libdnnl.so.3} and {@code libgomp.so.1} of the oneDNN jar: one library, one OpenMP runtime. Files named
 * {@code kernels_*} are compiled for floats with AVX2, for floats with AVX-512, for bfloat16 with AVX-512, all but a few that
 * not all of these have ({@code build.sh} names them); {@code variants.h} chooses.
 * The environment variable {@code ONEDNN_MAX_CPU_ISA=AVX2} holds oneDNN and our kernels back to AVX2. Without a compiler the build succeeds without the library, and the backend says so.
 *
 * <h3>Kernels for the GPU</h3>
 *
 * {@code src/main/cuda} holds the kernels of the backend "cuda"; {@code kernels.h} lists them with their parameters.
 * {@code ptx.sh} compiles them to PTX, once with floats and once with bfloat16 as the storage type. The PTX is checked in
 * with the hash of its sources, so that neither the build nor a user needs nvcc; a test fails when the two differ.
 * {@code src/test/cpp} has CPU stand-ins for the CUDA driver, cuBLAS and cuDNN, and runs the same sources compiled as C++:
 * the whole backend is tested without a GPU.
 *
 * <h3>Reading order</h3>
 *
 * <ol>
 *   <li>{@link nativelib.NativeLibrary}: loading, once, or one sentence why not; {@code LibraryCache}: where the files lie.
 *   <li>{@link nativelib.Cpu}, {@link nativelib.FreeCores}: how many threads, and where they run.
 *   <li>{@link nativelib.OneDnn}: convolution, products, softmax; beside it {@code onednn_plan.h}, a primitive that is made
 *       once for a shape, and {@code convolution.h}.
 *   <li>{@link nativelib.Kernels}: everything else, by hand.
 * </ol>
 *
 * <h3>What always holds</h3>
 *
 * <ul>
 *   <li>Loading never throws, and nothing native is called unless {@link nativelib.NativeLibrary#isAvailable}.
 *   <li>No C++ exception leaves a native method: it becomes a Java exception with the same sentence.
 *   <li>The workers are pinned to cores of their own, and the calling Java thread keeps off these: else one wakes on the
 *       core of the other, which made the first parallel region after 20 ms take 6 to 8 ms instead of 0.07, and a whole
 *       step of {@code annotated} twice as long. Threads that it starts keep off them, too. Where there is a choice,
 *       workers take cores that were idle when they were counted: those of another process are pinned as well.
 *   <li>Threads that wait spin for a few tenths of a millisecond, then sleep ({@code settings/openmp.cpp}): beside a busy process,
 *       spinning for longer cost tenfold. {@code OMP_WAIT_POLICY} and {@code GOMP_SPINCOUNT} are the user's to set.
 *   <li>Results depend on shapes and the number of threads, never on timing.
 * </ul>
 *
 * <h3>Example (test {@code NativeLibraryTest.theExampleOfTheChapter})</h3>
 *
 * <pre>{@code
 * if (!NativeLibrary.isAvailable()) throw new IllegalStateException(NativeLibrary.whyNot());
 * NativeLibrary.threads(FreeCores.count());
 * long x = Kernels.allocate(64);
 * long y = Kernels.allocate(64);
 * Kernels.upload(false, new float[] {1, 2, 3, 4}, x);
 * OneDnn.matmul(false, 1, 2, 2, 2, false, true, false, false, x, x, 0, y); // y = x · xᵀ
 * float[] product = new float[4];
 * Kernels.download(false, y, product); // 5, 11, 11, 25
 * Kernels.free(x);
 * Kernels.free(y);
 * }</pre>
 *
 * <h3>Not here</h3>
 *
 * Tensors, and checks of their shapes: {@code tensor.backend}. Java bindings of oneDNN's interface: a call through them
 * costs the same, and what we need of it is eight functions.
 *
 * <p>Next: {@code tensor}, chapter 1.
 */
package nativelib;
