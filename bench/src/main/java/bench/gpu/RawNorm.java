package bench.gpu;

import static bench.gpu.RawCuda.check;
import static jcuda.jcudnn.JCudnn.*;
import static jcuda.jcudnn.cudnnBatchNormMode.CUDNN_BATCHNORM_SPATIAL;

import bench.gpu.RawCuda.Address;
import jcuda.Pointer;
import jcuda.jcudnn.cudnnDataType;
import jcuda.jcudnn.cudnnTensorDescriptor;
import jcuda.jcudnn.cudnnTensorFormat;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;

/**
 * The norm of whole images by cuDNN, which has no group norm: to it a batch of N images is one image of N channels, each
 * normalised by itself with a gain of 1 and a shift of 0, which is batch norm. The channels last of ours do not matter to it.
 */
final class RawNorm implements AutoCloseable {
    private final RawCuda cuda;
    private final double eps;
    private final cudnnTensorDescriptor images = new cudnnTensorDescriptor();
    private final cudnnTensorDescriptor each = new cudnnTensorDescriptor();
    private final Tensor ones;
    private final Tensor zeros;
    private final Tensor mean;
    private final Tensor rstd;

    /** For images of this shape [N,H,W,C]; what it needs beside them joins the innermost scope. */
    RawNorm(RawCuda cuda, Tensor like, double eps) {
        this.cuda = cuda;
        this.eps = eps;
        Shape s = like.shape();
        describe(images, cuda.type(), s.get(0), s.get(1) * s.get(2), s.get(3));
        describe(each, cudnnDataType.CUDNN_DATA_FLOAT, s.get(0), 1, 1);
        ones = Tensor.full(like.backend(), DType.F32, Shape.of(s.get(0)), 1);
        zeros = ones.fullLike(0);
        mean = ones.emptyLike();
        rstd = ones.emptyLike();
    }

    private static void describe(cudnnTensorDescriptor d, int type, int channels, int h, int w) {
        check(cudnnCreateTensorDescriptor(d), "cudnnCreateTensorDescriptor");
        check(
                cudnnSetTensor4dDescriptor(d, cudnnTensorFormat.CUDNN_TENSOR_NCHW, type, 1, channels, h, w),
                "cudnnSetTensor4dDescriptor");
    }

    /** y ← (x − mean) · rstd, and both are kept. */
    Runnable forward(Tensor x, Tensor y) {
        Address from = new Address(x);
        Address to = new Address(y);
        Address gain = new Address(ones);
        Address shift = new Address(zeros);
        Address means = new Address(mean);
        Address rstds = new Address(rstd);
        return () -> check(
                cudnnBatchNormalizationForwardTraining(
                        cuda.dnn(),
                        CUDNN_BATCHNORM_SPATIAL,
                        cuda.one(),
                        cuda.zero(),
                        images,
                        from,
                        images,
                        to,
                        each,
                        gain,
                        shift,
                        0,
                        new Pointer(),
                        new Pointer(),
                        eps,
                        means,
                        rstds),
                "cudnnBatchNormalizationForwardTraining");
    }

    /** dx ← the gradient of {@link #forward}, which has been done once. */
    Runnable backward(Tensor x, Tensor dy, Tensor dx) {
        Address from = new Address(x);
        Address gradient = new Address(dy);
        Address to = new Address(dx);
        Address gain = new Address(ones);
        Address dgain = new Address(ones.emptyLike());
        Address dshift = new Address(ones.emptyLike());
        Address means = new Address(mean);
        Address rstds = new Address(rstd);
        return () -> check(
                cudnnBatchNormalizationBackward(
                        cuda.dnn(),
                        CUDNN_BATCHNORM_SPATIAL,
                        cuda.one(),
                        cuda.zero(),
                        cuda.one(),
                        cuda.zero(),
                        images,
                        from,
                        images,
                        gradient,
                        images,
                        to,
                        each,
                        gain,
                        dgain,
                        dshift,
                        eps,
                        means,
                        rstds),
                "cudnnBatchNormalizationBackward");
    }

    @Override
    public void close() {
        check(cudnnDestroyTensorDescriptor(images), "cudnnDestroyTensorDescriptor");
        check(cudnnDestroyTensorDescriptor(each), "cudnnDestroyTensorDescriptor");
    }
}
