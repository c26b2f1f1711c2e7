/**
 * <b>8 Measuring speed.</b> How fast is it, against what, and why? A time alone says little; every figure here stands beside
 * a rival's, taken in the same run on the same machine, and beside what the machine could do at most.
 *
 * <p>In reading order: {@link bench.Peaks} is what the machine can do; {@link bench.Work} what a call has to do; {@link
 * bench.Meter} sees every call that a network makes and times it; {@link bench.Profile} puts the three together: where a
 * training step spends its time, and how much of that is more than the machine needs.
 *
 * <p>Against others: a {@link bench.Task} is what several can do, a {@link bench.Contestant} somebody who can do it, and
 * {@link bench.Rounds} lets them take turns, each in a process of its own, so that what slows the machine down meets all.
 * {@link bench.StepTimes}, {@link bench.StepParts}, {@link bench.Scaling} and {@link bench.Kernels} write pages of results, {@link
 * bench.Results} all of them, and a {@link bench.Ledger} keeps what has been measured; {@link bench.Gate} fails
 * when a ratio falls below its floor in {@code bench/gate.json}; {@link bench.gpu.GpuBenchmarks} does both on a GPU, beside
 * cuDNN and cuBLAS.
 *
 * <p>The rival is libtorch, PyTorch's C++ library. It is large, so only the profile {@code rivals} fetches it: the package
 * {@code bench.libtorch} lies in {@code src/rivals/java}, tests that need it in {@code src/rivals-test/java}, and a plain
 * build compiles neither. It comes in two builds, one for fp32 and one for bf16, which {@link bench.Launch} keeps apart.
 *
 * <p>Invariants: nothing depends on this module; what it measures is what others run, so no product code knows that it is
 * being measured.
 */
package bench;
