package tensor.backend.cuda;

import static jcuda.jcudnn.JCudnn.*;

import java.util.HashMap;
import java.util.Map;
import jcuda.jcudnn.cudnnSoftmaxAlgorithm;
import jcuda.jcudnn.cudnnSoftmaxMode;
import jcuda.jcudnn.cudnnTensorDescriptor;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;

/** Softmax along one axis, by cuDNN: the array is read as [outer, length, inner] and normalised along its middle axis. */
final class Softmaxes implements AutoCloseable {
    private record Lines(DType dtype, int outer, int length, int inner) {
        static Lines of(int axis, Tensor x) {
            Shape s = x.shape();
            int inner = (int) s.strides()[axis];
            return new Lines(x.dtype(), s.size() / s.get(axis) / inner, s.get(axis), inner);
        }
    }

    private final Engine engine;
    private final Dnn dnn;
    private final Map<Lines, cudnnTensorDescriptor> descriptors = new HashMap<>();

    Softmaxes(Engine engine, Dnn dnn) {
        this.engine = engine;
        this.dnn = dnn;
    }

    private cudnnTensorDescriptor descriptor(int axis, Tensor x) {
        return descriptors.computeIfAbsent(Lines.of(axis, x), l -> Dnn.lines(l.dtype, l.outer, l.length, l.inner));
    }

    /** {@link tensor.backend.Backend#softmax}. */
    void forward(int axis, Tensor x, Tensor y) {
        cudnnTensorDescriptor lines = descriptor(axis, x);
        Status.dnn(
                cudnnSoftmaxForward(
                        dnn.handle(),
                        cudnnSoftmaxAlgorithm.CUDNN_SOFTMAX_ACCURATE,
                        cudnnSoftmaxMode.CUDNN_SOFTMAX_MODE_CHANNEL,
                        engine.one(),
                        lines,
                        Engine.pointer(x),
                        engine.zero(),
                        lines,
                        Engine.pointer(y)),
                "cudnnSoftmaxForward");
    }

    /** {@link tensor.backend.Backend#softmaxBackward}. */
    void backward(int axis, Tensor y, Tensor dy, Tensor dx) {
        cudnnTensorDescriptor lines = descriptor(axis, y);
        Status.dnn(
                cudnnSoftmaxBackward(
                        dnn.handle(),
                        cudnnSoftmaxAlgorithm.CUDNN_SOFTMAX_ACCURATE,
                        cudnnSoftmaxMode.CUDNN_SOFTMAX_MODE_CHANNEL,
                        engine.one(),
                        lines,
                        Engine.pointer(y),
                        lines,
                        Engine.pointer(dy),
                        engine.zero(),
                        lines,
                        Engine.pointer(dx)),
                "cudnnSoftmaxBackward");
    }

    @Override
    public void close() {
        for (cudnnTensorDescriptor d : descriptors.values())
            Status.dnn(cudnnDestroyTensorDescriptor(d), "cudnnDestroyTensorDescriptor");
    }
}
