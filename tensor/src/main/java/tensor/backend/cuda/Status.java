package tensor.backend.cuda;

import jcuda.driver.CUresult;
import jcuda.jcublas.cublasStatus;
import jcuda.jcudnn.JCudnn;

/** Turns the numbers that NVIDIA's libraries answer with into sentences. */
final class Status {
    /** CUDA_ERROR_OUT_OF_MEMORY. */
    static final int OUT_OF_MEMORY = 2;

    private Status() {}

    /** Throws unless the driver was content. */
    static void driver(int status, String call) {
        if (status != 0) throw new IllegalStateException(call + ": the CUDA driver says " + CUresult.stringFor(status));
    }

    /** Throws unless cuBLAS was content. */
    static void blas(int status, String call) {
        if (status != 0) throw new IllegalStateException(call + ": cuBLAS says " + cublasStatus.stringFor(status));
    }

    /** Throws unless cuDNN was content. It names its own numbers: those of version 9 are not the ones that JCuda knows. */
    static void dnn(int status, String call) {
        if (status != 0) throw new IllegalStateException(call + ": cuDNN says " + JCudnn.cudnnGetErrorString(status));
    }
}
