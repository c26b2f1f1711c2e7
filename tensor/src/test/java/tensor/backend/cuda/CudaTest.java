package tensor.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.backend.Precision;
import tensor.backend.cuda.ConvolutionAlgorithm.Direction;
import tensor.memory.Scope;

/** Tests that have the backend for themselves, in 32-bit floats; skipped where there is no device. */
abstract class CudaTest {
    Backend backend;

    @BeforeEach
    void open() {
        backend = open(Precision.FP32);
    }

    /** The backend in a precision; the test is skipped where there is no device. */
    static Backend open(Precision precision) {
        try {
            return Backends.open("cuda", 0, precision).backend();
        } catch (IllegalStateException e) {
            return Assumptions.abort(e.getMessage());
        }
    }

    /** Takes all blocks of so many values that there are, for as long as the scope is open. */
    static void fill(Scope scope, Tensor x, int size) {
        try {
            for (; ; ) scope.own(x.empty(Shape.of(size)).buffer().retain());
        } catch (OutOfMemoryError full) {
            assertTrue(full.getMessage().contains("are in use"), full.getMessage());
        }
    }

    /** Makes a search needless, for a backend that is opened afterwards. */
    static void note(Precision precision, Direction direction, Geometry g, ConvolutionAlgorithm algorithm) {
        try (Engine engine = new Engine(precision)) {
            SearchFile.ofUser("convolutions", engine.context(), Dnn.version() + "-" + precision)
                    .put(direction + "-" + g.key(), algorithm.words());
        }
    }

    @AfterEach
    void close() {
        if (backend != null) backend.close();
    }
}
