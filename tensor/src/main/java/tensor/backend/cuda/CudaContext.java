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
 * The device, its primary context (the one that cuBLAS and cuDNN use, too), and two streams: everything is computed on
 * {@link #stream}, in the order of the calls; batches travel to the device on {@link #copies}, beside it.
 */
final class CudaContext implements AutoCloseable, CachingAllocator.Source {
    private final CUdevice device = new CUdevice();
    private final CUcontext context = new CUcontext();
    private final CUstream stream = new CUstream();
    private final CUstream copies = new CUstream();
    private final String name;
    private final int driver;
    private final int capability;
    private final int multiprocessors;
    private final int sharedLimit;
    private final int sharedOfMultiprocessor;
    private Thread current;

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
        sharedOfMultiprocessor = attribute(CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR);
        Status.driver(cuDevicePrimaryCtxRetain(context, device), "cuDevicePrimaryCtxRetain");
        enter();
        Status.driver(cuStreamCreate(stream, 1), "cuStreamCreate");
        Status.driver(cuStreamCreate(copies, 1), "cuStreamCreate");
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

    /** Where everything is computed. */
    CUstream stream() {
        return stream;
    }

    /** Where batches travel. */
    CUstream copies() {
        return copies;
    }

    /** Waits for the device. */
    void synchronize() {
        Status.driver(cuStreamSynchronize(stream), "cuStreamSynchronize");
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

    /** Bytes of shared memory that the blocks on a multiprocessor have together. */
    int sharedOfMultiprocessor() {
        return sharedOfMultiprocessor;
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
        Status.driver(cuStreamDestroy(stream), "cuStreamDestroy");
        Status.driver(cuStreamDestroy(copies), "cuStreamDestroy");
        Status.driver(cuDevicePrimaryCtxRelease(device), "cuDevicePrimaryCtxRelease");
    }
}
