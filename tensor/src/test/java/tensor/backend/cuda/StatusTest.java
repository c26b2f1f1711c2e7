package tensor.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class StatusTest {
    @Test
    void aLibraryWithoutMemoryIsADeviceThatIsFull() {
        assertEquals(
                "cuGraphLaunch: the CUDA driver says CUDA_ERROR_OUT_OF_MEMORY",
                assertThrows(OutOfMemoryError.class, () -> Status.driver(2, "cuGraphLaunch"))
                        .getMessage());
        assertEquals(
                "cublasCreate: cuBLAS says CUBLAS_STATUS_ALLOC_FAILED",
                assertThrows(OutOfMemoryError.class, () -> Status.blas(3, "cublasCreate"))
                        .getMessage());
    }

    @Test
    void anythingElseIsADefect() {
        Status.driver(0, "cuInit");
        Status.blas(0, "cublasCreate");
        assertEquals(
                "cuInit: the CUDA driver says CUDA_ERROR_INVALID_VALUE",
                assertThrows(IllegalStateException.class, () -> Status.driver(1, "cuInit"))
                        .getMessage());
        assertThrows(IllegalStateException.class, () -> Status.blas(13, "cublasSgemm"));
    }

    /** A kernel that has waited in vain for its other blocks stops the device: what helps should it be that is said. */
    @Test
    void whatAKernelThatGaveUpMayBeIsSaid() {
        for (int status : new int[] {715, 719}) {
            String said = assertThrows(IllegalStateException.class, () -> Status.driver(status, "cuStreamSynchronize"))
                    .getMessage();
            assertTrue(said.contains("; -Dddpm.cuda.meet=false does without"), said);
        }
    }
}
