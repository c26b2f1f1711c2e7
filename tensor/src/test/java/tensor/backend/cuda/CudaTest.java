package tensor.backend.cuda;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.backend.Precision;
import tensor.backend.cuda.ConvolutionAlgorithm.Direction;

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
