/**
 * <b>8c Kernels on a GPU.</b> What does the engine cost there? {@link bench.gpu.GpuCall} lists calls at networks' shapes; a
 * {@code GpuPair} makes each ready twice, on the backend {@code cuda} and as the bare call of cuDNN or cuBLAS ({@code RawCuda},
 * {@code RawConvolution}); {@link bench.gpu.GpuBenchmark} times the two by JMH's rules; {@link bench.gpu.GpuBenchmarks} runs it
 * all, writes a page and holds it against {@code bench/gpu-gate.json}.
 *
 * <p>{@link bench.gpu.GpuTests} asks whether it computes what it should, and how long whole steps take: ops ({@code GpuParity}),
 * trainings ({@code GpuTrainings}), times ({@code GpuTimes}), each in a {@code GpuReport}, of which {@code GpuSummary} makes one.
 *
 * <p>Beside {@code tensor.backend.cuda} only this package knows JCuda's types.
 */
package bench.gpu;
