package tensor.backend.cuda;

import static jcuda.driver.JCudaDriver.*;

import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import tensor.backend.Precision;
import tensor.memory.CachingAllocator;

/**
 * The device, its primary context (the one that cuBLAS and cuDNN use, too), and three streams: what is waited for is computed
 * on one, in the order of the calls; what is not, on a second ({@link SideStream}); batches travel to the device on a third,
 * {@link #copies}.
 */
final class CudaContext implements AutoCloseable, CachingAllocator.Source {
    private final CUdevice device = new CUdevice();
    private final CUcontext context = new CUcontext();
    private final CUstream main = new CUstream();
    private final CUstream side = new CUstream();
    private final CUstream copies = new CUstream();
    private final String name;
    private final int driver;
    private final int capability;
    private final int multiprocessors;
    private final int sharedLimit;
    private Thread current;
    private boolean aside;

    /**
     * Opens device 0, to be computed on with this precision.
     *
     * @throws IllegalStateException when a library or the device is missing, with a sentence
     */
    CudaContext(Precision precision) {
        if (Libraries.whyNot() != null) throw new IllegalStateException(Libraries.whyNot());
        setExceptionsEnabled(false);
        int status = cuInit(0);
        if (status != 0)
            throw new IllegalStateException("the NVIDIA driver finds no usable GPU (cuInit: "
                    + CUresult.stringFor(status) + "); look at nvidia-smi");
        int[] number = new int[1];
        Status.driver(cuDriverGetVersion(number), "cuDriverGetVersion");
        driver = number[0];
        if (driver / 1000 < Libraries.blasVersion())
            throw new IllegalStateException("the NVIDIA driver knows CUDA " + driver() + " and the libraries that were"
                    + " found are of CUDA " + Libraries.blasVersion() + "; install a newer driver or CUDA "
                    + driver / 1000);
        Status.driver(cuDeviceGetCount(number), "cuDeviceGetCount");
        if (number[0] == 0) throw new IllegalStateException("the NVIDIA driver finds no GPU; look at nvidia-smi");
        Status.driver(cuDeviceGet(device, 0), "cuDeviceGet");
        byte[] text = new byte[128];
        Status.driver(cuDeviceGetName(text, text.length, device), "cuDeviceGetName");
        name = new String(text).trim();
        capability = 10 * attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
                + attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
        if (capability < Kernels.F32_FROM) throw new IllegalStateException(tooOld("", Kernels.F32_FROM));
        if (precision == Precision.BF16 && capability < Kernels.BF16_FROM)
            throw new IllegalStateException(tooOld(" for bf16", Kernels.BF16_FROM) + "; take tf32 or fp32");
        multiprocessors = attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
        sharedLimit = attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
        Status.driver(cuDevicePrimaryCtxRetain(context, device), "cuDevicePrimaryCtxRetain");
        try {
            enter();
            int[] least = new int[1];
            int[] greatest = new int[1];
            Status.driver(cuCtxGetStreamPriorityRange(least, greatest), "cuCtxGetStreamPriorityRange");
            Status.driver(cuStreamCreateWithPriority(main, 1, greatest[0]), "cuStreamCreateWithPriority");
            Status.driver(cuStreamCreateWithPriority(side, 1, least[0]), "cuStreamCreateWithPriority");
            Status.driver(cuStreamCreate(copies, 1), "cuStreamCreate");
        } catch (IllegalStateException | OutOfMemoryError e) {
            cuDevicePrimaryCtxRelease(device); // with all that was made in it
            throw e;
        }
    }

    private String tooOld(String what, int needed) {
        return String.format(
                "the GPU %s has compute capability %d.%d, the kernels%s need %d.%d or newer",
                name, capability / 10, capability % 10, what, needed / 10, needed % 10);
    }

    private int attribute(int which) {
        int[] value = new int[1];
        Status.driver(cuDeviceGetAttribute(value, which, device), "cuDeviceGetAttribute");
        return value[0];
    }

    /** Before every call: a context is current on one thread at a time. */
    void enter() {
        if (Thread.currentThread() == current) return;
        Status.driver(cuCtxSetCurrent(context), "cuCtxSetCurrent");
        current = Thread.currentThread();
    }

    /** Where calls go now. */
    CUstream stream() {
        return aside ? side : main;
    }

    /** Where they go unless they are put aside; first in line where both have something for the device. */
    CUstream main() {
        return main;
    }

    /** Beside it. */
    CUstream side() {
        return side;
    }

    /** From now on calls go to the one or the other. */
    void putAside(boolean now) {
        aside = now;
    }

    boolean isAside() {
        return aside;
    }

    /** Where batches travel. */
    CUstream copies() {
        return copies;
    }

    /** Waits for the device, but for what is aside. */
    void synchronize() {
        Status.driver(cuStreamSynchronize(main), "cuStreamSynchronize");
    }

    /** The device in words. */
    String name() {
        return name;
    }

    /** {@code 12.6}: the newest CUDA that the driver knows. */
    String driver() {
        return driver / 1000 + "." + driver % 1000 / 10;
    }

    /** Ten times the compute capability: 90 on an H100. */
    int capability() {
        return capability;
    }

    int multiprocessors() {
        return multiprocessors;
    }

    /** Most bytes of shared memory that a block may have when its kernel asks for them. */
    int sharedLimit() {
        return sharedLimit;
    }

    /** Bytes of memory that the device has. */
    long memory() {
        long[] bytes = new long[1];
        Status.driver(cuDeviceTotalMem(bytes, device), "cuDeviceTotalMem");
        return bytes[0];
    }

    // ---- where the arena's blocks come from -------------------------------------------------------------------

    @Override
    public long allocate(long bytes) {
        CUdeviceptr block = new CUdeviceptr();
        int status = cuMemAlloc(block, bytes);
        if (status == Status.OUT_OF_MEMORY) {
            long[] free = new long[1];
            long[] total = new long[1];
            Status.driver(cuMemGetInfo(free, total), "cuMemGetInfo");
            throw new OutOfMemoryError(
                    "the device " + name + " has " + (free[0] >> 20) + " of " + (total[0] >> 20) + " MiB free");
        }
        Status.driver(status, "cuMemAlloc of " + bytes + " bytes");
        return Device.address(block);
    }

    /** What still runs may use the block; the driver waits for it. */
    @Override
    public void free(long address, long bytes) {
        Status.driver(cuMemFree(new Device(address)), "cuMemFree");
    }

    @Override
    public void close() {
        enter();
        Status.driver(cuStreamDestroy(main), "cuStreamDestroy");
        Status.driver(cuStreamDestroy(side), "cuStreamDestroy");
        Status.driver(cuStreamDestroy(copies), "cuStreamDestroy");
        Status.driver(cuDevicePrimaryCtxRelease(device), "cuDevicePrimaryCtxRelease");
    }
}
