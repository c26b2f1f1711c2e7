package tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.backend.reference.ReferenceBackend;
import tensor.memory.Scope;

/** The examples of the chapters in {@code package-info.java}, line by line, with what they claim. */
class ChapterTest {
    @Test
    void arraysAndMemory() {
        try (Backend backend = Backends.open("reference").backend();
                Scope model = Scope.open("model")) {
            Tensor images = Tensor.full(backend, DType.F32, Shape.of(2, 13, 7, 3), 1); // [N, H, W, C]
            Tensor bias = Tensor.of(backend, Shape.of(3), 0.5f, 0, -0.5f);
            double mean;
            try (Scope step = Scope.open("step")) {
                Tensor shifted = images.add(bias); // broadcast to [2, 13, 7, 3]
                mean = shifted.sum().item() / shifted.shape().size(); // 1.0
            } // shifted and the sum are given back here
            assertEquals(1.0, mean);
            assertEquals(4 * (images.shape().size() + 3), backend.memory().live());
        }
    }

    @Test
    void whoGivesItBack() {
        try (Backend backend = Backends.open("reference").backend();
                Scope root = Scope.open("root")) {
            Tensor sum;
            try (Scope step = Scope.open("step")) {
                Tensor x = Tensor.full(backend, DType.F32, Shape.of(1000), 2);
                sum = step.keep(x.mul(x).sum()); // lives on in root
            }
            assertEquals(4000, sum.item());
            assertEquals(4, backend.memory().live());
        }
    }

    @Test
    void backends() {
        Backends.Choice choice = Backends.open("auto");
        assertFalse(choice.explanation().isBlank());
        try (Backend backend = choice.backend();
                Scope scope = Scope.open("example")) {
            Tensor a = Tensor.of(backend, Shape.of(2, 2), 1, 2, 3, 4);
            Tensor b = Tensor.of(backend, Shape.of(2, 2), 5, 6, 7, 8);
            Tensor y = a.emptyLike();
            backend.matmul(false, false, a, b, null, y); // 19 22 / 43 50
            assertArrayEquals(new float[] {19, 22, 43, 50}, y.toFloats());
        }
    }

    @Test
    void theDefinition() {
        try (Backend backend = new ReferenceBackend();
                Scope scope = Scope.open("example")) {
            Tensor x = Tensor.of(backend, Shape.of(3), 1e8f, 1, -1e8f);
            assertEquals(1, x.sum().item()); // float alone would say 0
            assertTrue(
                    Double.isNaN(Tensor.empty(backend, DType.F32, Shape.of(1)).item()));
        }
    }
}
