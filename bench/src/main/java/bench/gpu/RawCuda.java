package bench.gpu;

import static jcuda.driver.JCudaDriver.cuMemFreeHost;
import static jcuda.driver.JCudaDriver.cuMemHostAlloc;
import static jcuda.driver.JCudaDriver.cuStreamCreate;
import static jcuda.driver.JCudaDriver.cuStreamDestroy;
import static jcuda.driver.JCudaDriver.cuStreamSynchronize;
import static jcuda.jcublas.JCublas2.cublasCreate;
import static jcuda.jcublas.JCublas2.cublasDestroy;
import static jcuda.jcublas.JCublas2.cublasGemmEx_new;
import static jcuda.jcublas.JCublas2.cublasGemmStridedBatchedEx_new;
import static jcuda.jcublas.JCublas2.cublasSetStream;
import static jcuda.jcudnn.JCudnn.*;

import java.nio.ByteOrder;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUstream;
import jcuda.jcublas.cublasComputeType;
import jcuda.jcublas.cublasHandle;
import jcuda.jcudnn.cudnnDataType;
import jcuda.jcudnn.cudnnHandle;
import jcuda.jcudnn.cudnnMathType;
import jcuda.jcudnn.cudnnSoftmaxAlgorithm;
import jcuda.jcudnn.cudnnSoftmaxMode;
import jcuda.jcudnn.cudnnTensorDescriptor;
import jcuda.jcudnn.cudnnTensorFormat;
import jcuda.runtime.cudaStream_t;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Precision;

/**
 * cuDNN and cuBLAS through JCuda with nothing around them: handles and a stream of its own in the context of the backend
 * {@code cuda}, which has loaded the libraries. Descriptors, addresses and workspace are made beforehand; what is timed is
 * the one call.
 */
final class RawCuda implements AutoCloseable {
    private static final int N = 0; // CUBLAS_OP_N
    private static final int T = 1; // CUBLAS_OP_T
    private static final int DEFAULT_ALGORITHM = -1;

    private final Precision precision;
    private final CUstream stream = new CUstream();
    private final cudnnHandle dnn = new cudnnHandle();
    private final cublasHandle blas = new cublasHandle();
    private final Pointer scalars = new Pointer();
    private final Pointer one;
    private final Pointer zero;

    /** An address on the device, as JCuda wants it. */
    static final class Address extends CUdeviceptr {
        private static final CUdeviceptr ORIGIN = new CUdeviceptr();

        Address(Tensor t) {
            super(ORIGIN, t.buffer().address());
        }
    }

    /** Opens the libraries; the context of an open backend {@code cuda} is current on this thread. */
    RawCuda(Precision precision) {
        this.precision = precision;
        check(cuStreamCreate(stream, 1), "cuStreamCreate");
        check(cudnnCreate(dnn), "cudnnCreate");
        check(cudnnSetStream(dnn, new cudaStream_t(stream)), "cudnnSetStream");
        check(cublasCreate(blas), "cublasCreate");
        check(cublasSetStream(blas, new cudaStream_t(stream)), "cublasSetStream");
        check(cuMemHostAlloc(scalars, 2 * Float.BYTES, 0), "cuMemHostAlloc");
        scalars.getByteBuffer(0, 2 * Float.BYTES)
                .order(ByteOrder.nativeOrder())
                .putFloat(1)
                .putFloat(0);
        one = scalars;
        zero = scalars.withByteOffset(Float.BYTES);
    }

    /** Throws unless a library was content. */
    static void check(int status, String call) {
        if (status != 0) throw new IllegalStateException(call + " answered " + status);
    }

    cudnnHandle dnn() {
        return dnn;
    }

    Pointer one() {
        return one;
    }

    Pointer zero() {
        return zero;
    }

    /** cuDNN's number for the type of the values. */
    int type() {
        return precision == Precision.BF16 ? cudnnDataType.CUDNN_DATA_BFLOAT16 : cudnnDataType.CUDNN_DATA_FLOAT;
    }

    /** cuDNN's number for the kind of arithmetic. */
    int math() {
        return switch (precision) {
            case FP32 -> cudnnMathType.CUDNN_FMA_MATH;
            case TF32 -> cudnnMathType.CUDNN_DEFAULT_MATH;
            case BF16 -> cudnnMathType.CUDNN_TENSOR_OP_MATH;
        };
    }

    /** y ← x · w, or x · wᵀ; cuBLAS reads rows as columns, so the factors change places. */
    Runnable product(boolean transposed, Tensor x, Tensor w, Tensor y) {
        int batch = w.shape().rank() == 2 ? 1 : w.shape().get(0);
        int n = y.shape().get(-1);
        int m = y.shape().size() / n / batch;
        int inner = x.shape().get(-1);
        int row = w.shape().get(-1);
        int type = precision == Precision.BF16 ? 14 : 0; // CUDA_R_16BF, CUDA_R_32F
        int compute = precision == Precision.TF32
                ? cublasComputeType.CUBLAS_COMPUTE_32F_FAST_TF32
                : cublasComputeType.CUBLAS_COMPUTE_32F;
        int operation = transposed ? T : N;
        Address a = new Address(x);
        Address b = new Address(w);
        Address c = new Address(y);
        if (batch == 1)
            return () -> check(
                    cublasGemmEx_new(
                            blas,
                            operation,
                            N,
                            n,
                            m,
                            inner,
                            one,
                            b,
                            type,
                            row,
                            a,
                            type,
                            inner,
                            zero,
                            c,
                            type,
                            n,
                            compute,
                            DEFAULT_ALGORITHM),
                    "cublasGemmEx");
        long nextA = (long) m * inner;
        long nextB = (long) inner * n;
        long nextC = (long) m * n;
        return () -> check(
                cublasGemmStridedBatchedEx_new(
                        blas,
                        operation,
                        N,
                        n,
                        m,
                        inner,
                        one,
                        b,
                        type,
                        row,
                        nextB,
                        a,
                        type,
                        inner,
                        nextA,
                        zero,
                        c,
                        type,
                        n,
                        nextC,
                        batch,
                        compute,
                        DEFAULT_ALGORITHM),
                "cublasGemmStridedBatchedEx");
    }

    /** The description of rows that are to be normalised each. */
    cudnnTensorDescriptor rows(Shape shape) {
        cudnnTensorDescriptor rows = new cudnnTensorDescriptor();
        check(cudnnCreateTensorDescriptor(rows), "cudnnCreateTensorDescriptor");
        int length = shape.get(-1);
        int count = shape.size() / length;
        check(
                cudnnSetTensor4dDescriptor(rows, cudnnTensorFormat.CUDNN_TENSOR_NCHW, type(), count, length, 1, 1),
                "cudnnSetTensor4dDescriptor");
        return rows;
    }

    /** y ← softmax(x). */
    Runnable softmax(cudnnTensorDescriptor rows, Tensor x, Tensor y) {
        Address from = new Address(x);
        Address to = new Address(y);
        return () -> check(
                cudnnSoftmaxForward(
                        dnn,
                        cudnnSoftmaxAlgorithm.CUDNN_SOFTMAX_ACCURATE,
                        cudnnSoftmaxMode.CUDNN_SOFTMAX_MODE_CHANNEL,
                        one,
                        rows,
                        from,
                        zero,
                        rows,
                        to),
                "cudnnSoftmaxForward");
    }

    /** dx ← the gradient of softmax, from its value and dy. */
    Runnable softmaxBackward(cudnnTensorDescriptor rows, Tensor y, Tensor dy, Tensor dx) {
        Address value = new Address(y);
        Address from = new Address(dy);
        Address to = new Address(dx);
        return () -> check(
                cudnnSoftmaxBackward(
                        dnn,
                        cudnnSoftmaxAlgorithm.CUDNN_SOFTMAX_ACCURATE,
                        cudnnSoftmaxMode.CUDNN_SOFTMAX_MODE_CHANNEL,
                        one,
                        rows,
                        value,
                        rows,
                        from,
                        zero,
                        rows,
                        to),
                "cudnnSoftmaxBackward");
    }

    /** Waits for the stream. */
    void synchronize() {
        check(cuStreamSynchronize(stream), "cuStreamSynchronize");
    }

    @Override
    public void close() {
        synchronize();
        check(cudnnDestroy(dnn), "cudnnDestroy");
        check(cublasDestroy(blas), "cublasDestroy");
        check(cuMemFreeHost(scalars), "cuMemFreeHost");
        check(cuStreamDestroy(stream), "cuStreamDestroy");
    }
}
