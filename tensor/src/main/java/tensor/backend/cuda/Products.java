package tensor.backend.cuda;

import static jcuda.jcublas.JCublas2.*;

import jcuda.Pointer;
import jcuda.driver.CUstream;
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
    private final Handle main;
    private final Handle side;
    private final int forFloats;
    private final int version;

    Products(Engine engine) {
        this.engine = engine;
        JCublas2.setExceptionsEnabled(false);
        main = new Handle(engine.context(), engine.context().main());
        side = new Handle(engine.context(), engine.context().side());
        forFloats = engine.precision() == Precision.FP32
                ? cublasComputeType.CUBLAS_COMPUTE_32F
                : cublasComputeType.CUBLAS_COMPUTE_32F_FAST_TF32;
        int[] number = new int[1];
        Status.blas(cublasGetVersion(main.blas, number), "cublasGetVersion");
        version = number[0];
    }

    /** cuBLAS for one stream. */
    private static final class Handle implements AutoCloseable {
        private final CudaContext context;
        private final cublasHandle blas = new cublasHandle();
        private final long workspace;

        Handle(CudaContext context, CUstream stream) {
            this.context = context;
            Status.blas(cublasCreate(blas), "cublasCreate");
            Status.blas(cublasSetStream(blas, new cudaStream_t(stream)), "cublasSetStream");
            workspace = context.allocate(WORKSPACE);
            Status.blas(cublasSetWorkspace(blas, new Device(workspace), WORKSPACE), "cublasSetWorkspace");
        }

        @Override
        public void close() {
            Status.blas(cublasDestroy(blas), "cublasDestroy");
            context.free(workspace, WORKSPACE);
        }
    }

    /** Version of cuBLAS: {@code 12.6.4}. */
    String version() {
        return version / 10000 + "." + version / 100 % 100 + "." + version % 100;
    }

    /** y ← op(a) · op(b) for each of {@code batch} matrices; y [m, n], op(a) [m, inner], op(b) [inner, n]. */
    void multiply(boolean ta, boolean tb, int m, int n, int inner, Matrix a, Matrix b, Matrix y, int batch) {
        multiply(ta, tb, m, n, inner, a, b, engine.zero(), y, batch);
    }

    /** y ← y + op(a) · op(b), for one matrix. */
    void add(boolean ta, boolean tb, int m, int n, int inner, Matrix a, Matrix b, Matrix y) {
        multiply(ta, tb, m, n, inner, a, b, engine.one(), y, 1);
    }

    private void multiply(
            boolean ta, boolean tb, int m, int n, int inner, Matrix a, Matrix b, Pointer kept, Matrix y, int batch) {
        Status.blas(
                cublasGemmStridedBatchedEx_new(
                        (engine.context().isAside() ? side : main).blas,
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
                        kept,
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
        main.close();
        side.close();
    }
}
