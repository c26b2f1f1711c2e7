package tensor.backend.cuda;

import static jcuda.driver.JCudaDriver.*;

import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import jcuda.driver.CUfunction;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import nativelib.CudaModules;
import tensor.DType;
import tensor.backend.BinaryOp;
import tensor.backend.UnaryOp;

/** One compiled module, for one element type, and its functions by constant: looked up once, when the backend opens. */
final class Kernels implements AutoCloseable {
    /** Ten times the least compute capability for the modules of {@link DType#F32} … */
    static final int F32_FROM = 75;
    /** … and {@link DType#BF16}, for which older devices have no instructions. */
    static final int BF16_FROM = 80;

    private final CudaContext context;
    private final CUmodule module = new CUmodule();
    private final CUfunction[] unary = new CUfunction[UnaryOp.values().length];
    private final CUfunction[] binary = new CUfunction[BinaryOp.values().length];
    private final CUfunction[] others = new CUfunction[Kernel.values().length];

    /**
     * Loads the module of an element type.
     *
     * @throws IllegalStateException when the driver does not take it, with the reason
     */
    Kernels(CudaContext context, DType dtype) {
        this.context = context;
        String file = "kernels_" + dtype.name().toLowerCase(Locale.ROOT) + ".ptx";
        int status = cuModuleLoadData(module, text(file));
        if (status == Status.OUT_OF_MEMORY) Status.driver(status, "cuModuleLoadData");
        if (status != 0)
            throw new IllegalStateException("the kernels " + file + " cannot be used on " + context.name() + " (driver "
                    + context.driver() + "): " + CUresult.stringFor(status));
        for (UnaryOp f : UnaryOp.values()) unary[f.ordinal()] = function("unary_" + f.name());
        for (BinaryOp f : BinaryOp.values()) binary[f.ordinal()] = function("binary_" + f.name());
        for (Kernel kernel : Kernel.values()) others[kernel.ordinal()] = function(kernel.function());
        for (Kernel kernel : List.of(
                Kernel.GROUP_NORM,
                Kernel.GROUP_NORM_MEETING,
                Kernel.GROUP_NORM_BACKWARD,
                Kernel.GROUP_NORM_BACKWARD_MEETING)) allowShared(kernel);
    }

    /** The module's text, ended by a 0 as the driver wants it. */
    private static byte[] text(String file) {
        try (InputStream in = CudaModules.open(file)) {
            byte[] ptx = in.readAllBytes();
            return Arrays.copyOf(ptx, ptx.length + 1);
        } catch (IOException e) {
            throw new IllegalStateException("the kernels " + file + " cannot be read: " + e.getMessage(), e);
        }
    }

    private CUfunction function(String name) {
        CUfunction function = new CUfunction();
        Status.driver(cuModuleGetFunction(function, module, name), "the kernel " + name);
        return function;
    }

    CUfunction of(UnaryOp f) {
        return unary[f.ordinal()];
    }

    CUfunction of(BinaryOp f) {
        return binary[f.ordinal()];
    }

    CUfunction of(Kernel kernel) {
        return others[kernel.ordinal()];
    }

    /** Lets a kernel use as much shared memory as the device gives to one block. */
    private void allowShared(Kernel kernel) {
        int maximum = 8; // CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
        // 4 KiB are left for what the kernel declares statically
        Status.driver(
                cuFuncSetAttribute(of(kernel), maximum, context.sharedLimit() - 4096), "shared memory for " + kernel);
    }

    @Override
    public void close() {
        Status.driver(cuModuleUnload(module), "cuModuleUnload");
    }
}
