package tensor.backend.cuda;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.backend.Precision;

/** Tests that have the backend for themselves, in 32-bit floats; skipped where there is no device. */
abstract class CudaTest {
    Backend backend;

    @BeforeEach
    void open() {
        try {
            backend = Backends.open("cuda", 0, Precision.FP32).backend();
        } catch (IllegalStateException e) {
            Assumptions.abort(e.getMessage());
        }
    }

    @AfterEach
    void close() {
        if (backend != null) backend.close();
    }
}
