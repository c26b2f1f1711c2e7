package tensor.backend.cuda;

import static jcuda.jcudnn.JCudnn.*;

import jcuda.driver.CUstream;
import jcuda.jcudnn.JCudnn;
import jcuda.jcudnn.cudnnActivationDescriptor;
import jcuda.jcudnn.cudnnActivationMode;
import jcuda.jcudnn.cudnnConvolutionDescriptor;
import jcuda.jcudnn.cudnnConvolutionMode;
import jcuda.jcudnn.cudnnDataType;
import jcuda.jcudnn.cudnnFilterDescriptor;
import jcuda.jcudnn.cudnnHandle;
import jcuda.jcudnn.cudnnNanPropagation;
import jcuda.jcudnn.cudnnTensorDescriptor;
import jcuda.jcudnn.cudnnTensorFormat;
import jcuda.runtime.cudaStream_t;
import tensor.DType;

/** cuDNN's handles, one for each stream, and the descriptions of arrays that it wants. */
final class Dnn implements AutoCloseable {
    private final CudaContext context;
    private final cudnnHandle main;
    private final cudnnHandle side;

    Dnn(CudaContext context) {
        this.context = context;
        JCudnn.setExceptionsEnabled(false);
        main = handle(context.main());
        side = handle(context.side());
    }

    private static cudnnHandle handle(CUstream stream) {
        cudnnHandle handle = new cudnnHandle();
        Status.dnn(cudnnCreate(handle), "cudnnCreate");
        Status.dnn(cudnnSetStream(handle, new cudaStream_t(stream)), "cudnnSetStream");
        return handle;
    }

    /** That of the stream where calls go now. */
    cudnnHandle handle() {
        return context.isAside() ? side : main;
    }

    /** Version of cuDNN: {@code 9.5.1}. */
    static String version() {
        long v = cudnnGetVersion();
        return v / 10000 + "." + v / 100 % 100 + "." + v % 100;
    }

    private static int type(DType dtype) {
        return dtype == DType.BF16 ? cudnnDataType.CUDNN_DATA_BFLOAT16 : cudnnDataType.CUDNN_DATA_FLOAT;
    }

    /** [n, h, w, c] with channels last. */
    static cudnnTensorDescriptor image(DType dtype, int n, int h, int w, int c) {
        return tensor(cudnnTensorFormat.CUDNN_TENSOR_NHWC, dtype, n, c, h, w);
    }

    /** [outer, length, inner], to be normalised along its middle axis. */
    static cudnnTensorDescriptor lines(DType dtype, int outer, int length, int inner) {
        return tensor(cudnnTensorFormat.CUDNN_TENSOR_NCHW, dtype, outer, length, inner, 1);
    }

    /** [n, c, h, w] in this order. */
    static cudnnTensorDescriptor planes(DType dtype, int n, int c, int h, int w) {
        return tensor(cudnnTensorFormat.CUDNN_TENSOR_NCHW, dtype, n, c, h, w);
    }

    private static cudnnTensorDescriptor tensor(int format, DType dtype, int n, int c, int h, int w) {
        cudnnTensorDescriptor descriptor = new cudnnTensorDescriptor();
        Status.dnn(cudnnCreateTensorDescriptor(descriptor), "cudnnCreateTensorDescriptor");
        Status.dnn(
                cudnnSetTensor4dDescriptor(descriptor, format, type(dtype), n, c, h, w), "cudnnSetTensor4dDescriptor");
        return descriptor;
    }

    /** [k, r, s, c] with channels last. */
    static cudnnFilterDescriptor filter(DType dtype, int k, int r, int s, int c) {
        cudnnFilterDescriptor descriptor = new cudnnFilterDescriptor();
        Status.dnn(cudnnCreateFilterDescriptor(descriptor), "cudnnCreateFilterDescriptor");
        Status.dnn(
                cudnnSetFilter4dDescriptor(descriptor, type(dtype), cudnnTensorFormat.CUDNN_TENSOR_NHWC, k, c, r, s),
                "cudnnSetFilter4dDescriptor");
        return descriptor;
    }

    /** How the filter moves; sums in 32-bit floats. */
    static cudnnConvolutionDescriptor convolution(int padH, int padW, int stride, int groups, int math) {
        cudnnConvolutionDescriptor descriptor = new cudnnConvolutionDescriptor();
        Status.dnn(cudnnCreateConvolutionDescriptor(descriptor), "cudnnCreateConvolutionDescriptor");
        Status.dnn(
                cudnnSetConvolution2dDescriptor(
                        descriptor,
                        padH,
                        padW,
                        stride,
                        stride,
                        1,
                        1,
                        cudnnConvolutionMode.CUDNN_CROSS_CORRELATION,
                        cudnnDataType.CUDNN_DATA_FLOAT),
                "cudnnSetConvolution2dDescriptor");
        Status.dnn(cudnnSetConvolutionGroupCount(descriptor, groups), "cudnnSetConvolutionGroupCount");
        Status.dnn(cudnnSetConvolutionMathType(descriptor, math), "cudnnSetConvolutionMathType");
        return descriptor;
    }

    /** The activation that does nothing. */
    static cudnnActivationDescriptor identity() {
        cudnnActivationDescriptor descriptor = new cudnnActivationDescriptor();
        Status.dnn(cudnnCreateActivationDescriptor(descriptor), "cudnnCreateActivationDescriptor");
        Status.dnn(
                cudnnSetActivationDescriptor(
                        descriptor,
                        cudnnActivationMode.CUDNN_ACTIVATION_IDENTITY,
                        cudnnNanPropagation.CUDNN_NOT_PROPAGATE_NAN,
                        0),
                "cudnnSetActivationDescriptor");
        return descriptor;
    }

    @Override
    public void close() {
        Status.dnn(cudnnDestroy(main), "cudnnDestroy");
        Status.dnn(cudnnDestroy(side), "cudnnDestroy");
    }
}
