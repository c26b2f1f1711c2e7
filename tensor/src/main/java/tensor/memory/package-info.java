/**
 * <h2>1 Arrays and memory, continued: who gives it back?</h2>
 *
 * <p><b>When is a block of native memory free again, and what does it cost to get one?</b>
 *
 * <p>The Java collector sees a wrapper of 64 bytes where a device lost 64 MB, so it never runs in time. Three parts share
 * the work instead:
 *
 * <ol>
 *   <li><b>Scopes give lifetimes.</b> {@link tensor.memory.Scope} owns every tensor made inside it, on its thread, and
 *       releases them at its end, exception or not. {@link tensor.memory.Scope#keep} hands one to the enclosing scope. A
 *       {@link tensor.memory.Buffer} counts its owners, for a tape may hold what a scope lets go.
 *   <li><b>The allocator gives speed.</b> {@link tensor.memory.CachingAllocator} keeps freed blocks in lists by size. A
 *       training step asks for the same sizes each time, so from the second step on the system is not asked at all. A
 *       size is rounded up to one of eight classes between powers of two; with s the number of bytes,
 *       <pre>step = max(64, 2^⌊log₂ s⌋ / 8)      class = ⌈s / step⌉ · step      waste ≤ s / 8  (s &gt; 512)</pre>
 *   <li><b>The cleaner gives alarms.</b> A block that became unreachable without a release is counted
 *       ({@link tensor.memory.Buffer#leaks}), reported and taken back. It is the net, not the plan: one report is a bug.
 *       {@code -Dtensor.track=true} tells where the block came from.
 * </ol>
 *
 * <h3>Reading order</h3>
 *
 * {@link tensor.memory.Scope}, {@link tensor.memory.Buffer}, {@link tensor.memory.CachingAllocator},
 * {@link tensor.memory.MemoryUse}.
 *
 * <h3>What always holds</h3>
 *
 * <ul>
 *   <li>Closing a scope returns every byte that only it owned; closing a root while any block of its tree is still
 *       referenced throws.
 *   <li>Reading a tensor after its release throws, it never returns other numbers.
 *   <li>A block is given back once. All computation is in one order, so a block freed by the program may be handed out
 *       again at once, even while the device still works on what came before.
 * </ul>
 *
 * <h3>Example (test {@code ChapterTest.whoGivesItBack})</h3>
 *
 * <pre>{@code
 * try (Backend backend = Backends.open("reference").backend();
 *         Scope root = Scope.open("root")) {
 *     Tensor sum;
 *     try (Scope step = Scope.open("step")) {
 *         Tensor x = Tensor.full(backend, DType.F32, Shape.of(1000), 2);
 *         sum = step.keep(x.mul(x).sum()); // lives on in root
 *     }
 *     sum.item(); // 4000
 *     backend.memory().live(); // 4: one float
 * }
 * }</pre>
 *
 * <h3>Not here</h3>
 *
 * Sharing between threads: a buffer is released by the thread that computes. Splitting and merging of blocks: with the
 * sizes of one model, lists by size reuse as well and are ten lines.
 *
 * <p>Next: chapter 2, {@link tensor.backend}.
 */
package tensor.memory;
