package tensor.backend.cuda;

import static jcuda.jcublas.JCublas2.*;

import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasComputeType;
import jcuda.jcublas.cublasHandle;
import jcuda.runtime.cudaStream_t;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Precision;

/**
 * Products of matrices, by cuBLAS. It counts columns first, we count rows first; a row-major matrix read by columns is
 * its transpose, and
 *
 * <pre>y = op(a) · op(b)   ⟺   yᵀ = op(b)ᵀ · op(a)ᵀ</pre>
 *
 * so the factors change places and nothing is moved.
 */
final class Products implements AutoCloseable {
    /** What cuBLAS may use beside the matrices, in bytes; given once, or it could not be captured in a graph. */
    private static final int WORKSPACE = 32 << 20;

    private static final int N = 0; // CUBLAS_OP_N
    private static final int T = 1; // CUBLAS_OP_T
    private static final int DEFAULT_ALGORITHM = -1;

    private final Engine engine;
    private final cublasHandle handle = new cublasHandle();
    private final long workspace;
    private final int forFloats;
    private final int version;

    Products(Engine engine) {
        this.engine = engine;
        JCublas2.setExceptionsEnabled(false);
        Status.blas(cublasCreate(handle), "cublasCreate");
        Status.blas(cublasSetStream(handle, new cudaStream_t(engine.context().stream())), "cublasSetStream");
        workspace = engine.context().allocate(WORKSPACE);
        Status.blas(cublasSetWorkspace(handle, new Device(workspace), WORKSPACE), "cublasSetWorkspace");
        forFloats = engine.precision() == Precision.FP32
                ? cublasComputeType.CUBLAS_COMPUTE_32F
                : cublasComputeType.CUBLAS_COMPUTE_32F_FAST_TF32;
        int[] number = new int[1];
        Status.blas(cublasGetVersion(handle, number), "cublasGetVersion");
        version = number[0];
    }

    /** Version of cuBLAS: {@code 12.6.4}. */
    String version() {
        return version / 10000 + "." + version / 100 % 100 + "." + version % 100;
    }

    /** y ← op(a) · op(b) for each of {@code batch} matrices; y [m, n], op(a) [m, inner], op(b) [inner, n]. */
    void multiply(boolean ta, boolean tb, int m, int n, int inner, Matrix a, Matrix b, Matrix y, int batch) {
        Status.blas(
                cublasGemmStridedBatchedEx_new(
                        handle,
                        tb ? T : N,
                        ta ? T : N,
                        n,
                        m,
                        inner,
                        engine.one(),
                        new Device(b.address()),
                        type(b.dtype()),
                        b.row(),
                        b.next(),
                        new Device(a.address()),
                        type(a.dtype()),
                        a.row(),
                        a.next(),
                        engine.zero(),
                        new Device(y.address()),
                        type(y.dtype()),
                        y.row(),
                        y.next(),
                        batch,
                        a.dtype() == DType.F32 ? forFloats : cublasComputeType.CUBLAS_COMPUTE_32F,
                        DEFAULT_ALGORITHM),
                "cublasGemmStridedBatchedEx");
    }

    /** {@link tensor.backend.Backend#matmul}. */
    void matmul(boolean ta, boolean tb, Tensor a, Tensor b, Tensor bias, Tensor y) {
        Shape ys = y.shape();
        int m = ys.get(-2);
        int n = ys.get(-1);
        int inner = a.shape().get(ta ? -2 : -1);
        int batch = ys.size() / (m * n);
        if (!ta && b.shape().rank() == 2) { // one tall matrix
            m *= batch;
            batch = 1;
        }
        multiply(
                ta,
                tb,
                m,
                n,
                inner,
                matrix(a, batch > 1 && a.shape().rank() > 2),
                matrix(b, batch > 1 && b.shape().rank() > 2),
                matrix(y, batch > 1),
                batch);
        engine.addBias(y, bias, null);
    }

    /** cuBLAS's number for an element type. */
    private static int type(DType dtype) {
        return dtype == DType.BF16 ? 14 : 0; // CUDA_R_16BF, CUDA_R_32F
    }

    private static Matrix matrix(Tensor t, boolean each) {
        int row = t.shape().get(-1);
        return Matrix.of(t, row, each ? (long) row * t.shape().get(-2) : 0);
    }

    @Override
    public void close() {
        Status.blas(cublasDestroy(handle), "cublasDestroy");
        engine.context().free(workspace, WORKSPACE);
    }
}
