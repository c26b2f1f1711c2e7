package tensor.backend.cuda;

import java.util.Set;
import jcuda.driver.CUresult;
import jcuda.jcublas.cublasStatus;
import jcuda.jcudnn.JCudnn;

/** Turns the numbers that NVIDIA's libraries answer with into sentences. */
final class Status {
    /** CUDA_ERROR_OUT_OF_MEMORY. */
    static final int OUT_OF_MEMORY = 2;
    /** CUDA_ERROR_ILLEGAL_INSTRUCTION and CUDA_ERROR_LAUNCH_FAILED: also what a kernel that gives up is called. */
    private static final Set<Integer> GIVEN_UP = Set.of(715, 719);
    /** CUBLAS_STATUS_ALLOC_FAILED. */
    private static final int BLAS_FULL = 3;
    /** CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED and …_DEVICE_ALLOCATION_FAILED. */
    private static final Set<Integer> DNN_FULL = Set.of(4003, 4004);

    private Status() {}

    /** Throws unless the driver was content; an {@link OutOfMemoryError} when it found no room for what it needs itself. */
    static void driver(int status, String call) {
        if (status == 0) return;
        String said = call + ": the CUDA driver says " + CUresult.stringFor(status);
        if (status == OUT_OF_MEMORY) throw new OutOfMemoryError(said);
        if (GIVEN_UP.contains(status))
            said += "; -D" + CudaBackend.MEET
                    + "=false does without kernels that wait for one another, should it be them";
        throw new IllegalStateException(said);
    }

    /** Throws unless cuBLAS was content, likewise. */
    static void blas(int status, String call) {
        if (status == 0) return;
        String said = call + ": cuBLAS says " + cublasStatus.stringFor(status);
        if (status == BLAS_FULL) throw new OutOfMemoryError(said);
        throw new IllegalStateException(said);
    }

    /** Throws unless cuDNN was content, likewise. It names its own numbers: JCuda does not know those of version 9. */
    static void dnn(int status, String call) {
        if (status == 0) return;
        String said = call + ": cuDNN says " + JCudnn.cudnnGetErrorString(status);
        if (DNN_FULL.contains(status)) throw new OutOfMemoryError(said);
        throw new IllegalStateException(said);
    }
}
