/**
 * <h2>2 Backends, continued: the GPU</h2>
 *
 * <p><b>How does Java make a GPU compute, and what does that cost?</b>
 *
 * <p>The device works through a queue of its own. A call here checks its arguments, puts work into the queue and returns;
 * the host runs ahead and waits only where it reads a number. So what counts is the price of putting something there:
 *
 * <pre>a launch with arguments in one native block ≈ 0.2 µs      with Java objects as arguments ≈ 5 µs      (bridge alone)</pre>
 *
 * <p>A training step is about a thousand launches, more than the host can give in the time that the device needs for
 * small ones. So a step is recorded once ({@link tensor.backend.Recording}) and replayed: one launch, the same bits.
 *
 * <p>Three of NVIDIA's libraries are used, through JCuda: the driver (memory, queues, our kernels), cuBLAS (products) and
 * cuDNN (convolutions, softmax). Everything else is our own kernels, {@code native/src/main/cuda}, kept as PTX, which the
 * driver compiles for whatever device it finds.
 *
 * <h3>Reading order</h3>
 *
 * <ol>
 *   <li>{@code LibrarySearch}, {@code Libraries}, {@code Retarget}: where the libraries lie and how they get into the process.
 *   <li>{@code CudaContext}, {@code Staging}, {@code Pinned}: device, queues, memory and the way there.
 *   <li>{@code SideStream}, {@code FinalSums}, {@code Cuts}, {@code PixelSums}, {@code Joins}: what nobody waits for, what is
 *       there already, and what nobody may need.
 *   <li>{@code Kernels}, {@code Launch}, {@code Axes}, {@code Pieces}: our kernels and their arguments.
 *   <li>{@code Movement}, {@code Indices}, {@code DepthwiseConvolutions}, {@code Updates}, and {@code Norms} with
 *       {@code NormLaunching} (and {@code NormTrials}, which holds every way of it against the reference): the calls that they
 *       serve; {@code Search} tries ways to launch them, {@code RecordedTime} says how long each takes, {@code SearchFile}
 *       remembers.
 *   <li>{@code Products}, {@code Convolutions} and the five kinds that it knows, {@code TurnedFilters}, {@code Softmaxes},
 *       {@code Attentions}, {@code LinearAttentions}: the calls that libraries serve.
 *   <li>{@link tensor.backend.cuda.CudaBackend}: check, enter, compute.
 *   <li>{@code GraphRecording}, {@code ReplayResults}: a whole step put into the queue at once, and the next behind it before the
 *       results are read; {@code Lending}: what it has free meanwhile.
 * </ol>
 *
 * <h3>What always holds</h3>
 *
 * <ul>
 *   <li>Whoever touches a tensor finds it as if one queue had computed everything in the order of the calls; a block that the
 *       host has released may be used again at once, or once a second queue has done with it.
 *   <li>The same call gives the same bits: no kernel adds with atomics, and only deterministic algorithms are taken from
 *       cuDNN; which of them, and how our own calls are launched, a file remembers from one run to the next.
 *   <li>What is wrong inside a call is said at the call; an index that names no row, which only the device can see, is
 *       said when the host reads next.
 *   <li>Only the driver's interface is used; CUDA's runtime library is never loaded.
 * </ul>
 *
 * <h3>Not here</h3>
 *
 * Several GPUs. Compilers at run time: the kernels are few and their shapes are arguments.
 *
 * <p>Next: chapter 3, {@code autograd}: reverse mode.
 */
package tensor.backend.cuda;
