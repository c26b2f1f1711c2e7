/**
 * <h2>1 Arrays and memory</h2>
 *
 * <p><b>What is an array, and how long does it live?</b>
 *
 * <p>A {@link tensor.Tensor} is a {@link tensor.Shape}, an element type ({@link tensor.DType}) and a block of memory on
 * some {@link tensor.backend.Backend}. The elements lie next to each other, row by row: in an array of extents
 * [E₀, E₁, …, Eᵣ₋₁] element (i₀, i₁, …) is number
 *
 * <pre>((i₀ · E₁ + i₁) · E₂ + i₂) · …      so the last index varies fastest</pre>
 *
 * Images are <b>channels last</b>, [N, H, W, C]: image, row, column, channel. Papers and PyTorch write [N, C, H, W]. Here
 * the C numbers of one pixel are neighbours, and three things become free: a 1x1 convolution is a matrix product, an
 * image read as [N, H·W, C] is a sequence for attention without moving a byte, and joining channels copies whole rows.
 * The only view is {@link tensor.Tensor#reshape}; a slice or a transposition is a copy ({@link tensor.backend.Region}),
 * so no other code ever has to ask how an array is strung.
 *
 * <p>Two shapes meet by <b>broadcasting</b>: aligned at the last axis, an extent of 1 stretches. [N, H, W, C] plus [C] adds
 * a bias to every pixel. {@link tensor.Tensor#sumTo} is the way back, and that is all a gradient needs to know of it.
 *
 * <p>Memory outside the Java heap has no garbage collector. Its lifetimes are blocks of source text instead: a
 * {@link tensor.memory.Scope} owns what is made inside it, and a training step is a scope.
 *
 * <h3>Reading order</h3>
 *
 * {@link tensor.Shape}, {@link tensor.DType}, {@link tensor.Tensor}, {@link tensor.Rng}; then {@link tensor.memory}.
 *
 * <h3>What always holds</h3>
 *
 * <ul>
 *   <li>Shapes and types never change; contents change only by methods whose name ends in {@code _} and by updates.
 *   <li>Every tensor belongs to exactly one scope: the innermost one open on its thread when it was made.
 *   <li>The same seed and position give the same random numbers on every backend, but for the last bit of normal ones.
 * </ul>
 *
 * <h3>Example (test {@code ChapterTest.arraysAndMemory})</h3>
 *
 * <pre>{@code
 * try (Backend backend = Backends.open("reference").backend();
 *         Scope model = Scope.open("model")) {
 *     Tensor images = Tensor.full(backend, DType.F32, Shape.of(2, 13, 7, 3), 1); // [N, H, W, C]
 *     Tensor bias = Tensor.of(backend, Shape.of(3), 0.5f, 0, -0.5f);
 *     double mean;
 *     try (Scope step = Scope.open("step")) {
 *         Tensor shifted = images.add(bias); // broadcast to [2, 13, 7, 3]
 *         mean = shifted.sum().item() / shifted.shape().size(); // 1.0
 *     } // shifted and the sum are given back here
 * }
 * }</pre>
 *
 * <h3>Not here</h3>
 *
 * Gradients: a tensor knows nothing of them, which keeps a backend ignorant of derivatives. Strided and lazy tensors:
 * libraries want contiguous memory, and readers want to know when something is computed.
 *
 * <p>Next: {@link tensor.memory}, then chapter 2, {@link tensor.backend}.
 */
package tensor;
