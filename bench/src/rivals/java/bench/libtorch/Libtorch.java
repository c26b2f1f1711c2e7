package bench.libtorch;

import java.nio.file.Files;
import java.nio.file.Path;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import tensor.backend.Precision;

/**
 * Starts libtorch in this process: for fp32 the official build, for bf16 the bindings' own. For the first, the virtual
 * machine must have been started with the folder of its libraries as {@code java.library.path} and {@code LD_LIBRARY_PATH}
 * and with {@code org.bytedeco.javacpp.pathsFirst}, else the bindings would load another build of it; for the second, with
 * the jars of that on its class path ({@link bench.Launch}). The tests' and the benchmarks' launchers do so.
 */
public final class Libtorch {
    private Libtorch() {}

    /** Loads the build for fp32 and lets it compute on this many threads. */
    public static void open(int threads) {
        open(threads, Precision.FP32);
    }

    /** Loads the build for this precision and lets it compute on this many threads. */
    public static void open(int threads, Precision precision) {
        if (precision == Precision.FP32) {
            Path libraries = Path.of(System.getProperty("java.library.path", ""));
            if (!Files.exists(libraries.resolve("libtorch_cpu.so")))
                throw new IllegalStateException(
                        "libtorch_cpu.so is not in " + libraries
                                + ": build with -Privals and set java.library.path to the folder libtorch in the build's folder");
        }
        Loader.load(torch.class);
        torch.set_num_threads(threads);
    }

    /** What was loaded: the libraries it is built from, and its instruction set. */
    public static String description() {
        return torch.show_config().getString();
    }

    /** A float tensor with these values, row-major. */
    public static Tensor tensor(float[] values, long... shape) {
        return Tensor.create(values, shape).clone();
    }

    /** The values of a tensor, row-major, whatever its memory format. */
    public static float[] values(Tensor x) {
        Tensor flat = x.detach().to(torch.ScalarType.Float).contiguous().flatten();
        float[] values = new float[Math.toIntExact(flat.numel())];
        flat.data_ptr_float().get(values);
        return values;
    }

    /** A float tensor of zeros. */
    public static Tensor zeros(long... shape) {
        return torch.zeros(shape, new TensorOptions());
    }
}
