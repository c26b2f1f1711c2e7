/**
 * <b>8b Kernels.</b> How long does one call take, by itself? {@link autograd.check.NetworkCases} lists the ops in the shapes
 * that the published networks train with. {@link bench.kernel.KernelCall} lets an op and its pullback run once and keeps the
 * backend calls they make, arguments and all, so that a benchmark can repeat exactly what a training step does. {@link
 * bench.kernel.RawOneDnn} asks oneDNN for the same thing without the engine; libtorch's way is in {@code bench.libtorch}.
 */
package bench.kernel;
