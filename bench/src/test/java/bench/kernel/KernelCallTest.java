package bench.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import org.junit.jupiter.api.Test;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.backend.Region;
import tensor.memory.Scope;

/** Calls that are counted as one are the same work. */
class KernelCallTest {
    /** Two images are joined. */
    private static String joined(Backend on, DType type, int side) {
        Region one = Region.of(Tensor.empty(on, type, Shape.of(2, side, side, 8)));
        return KernelCall.describe("copy", new Object[] {new Region[] {one, one}, new Region[] {one, one}});
    }

    private static String cast(Backend on, DType from, DType to) {
        Shape shape = Shape.of(2, 3);
        return KernelCall.describe("cast", new Object[] {Tensor.empty(on, from, shape), Tensor.empty(on, to, shape)});
    }

    @Test
    void callsOfOtherShapesOrTypesAreOthers() {
        try (Backend on = Backends.open("reference").backend();
                Scope scope = Scope.open("test")) {
            assertEquals(joined(on, DType.F32, 14), joined(on, DType.F32, 14));
            assertNotEquals(joined(on, DType.F32, 14), joined(on, DType.F32, 7));
            assertNotEquals(joined(on, DType.F32, 14), joined(on, DType.BF16, 14));
            assertEquals(cast(on, DType.F32, DType.BF16), cast(on, DType.F32, DType.BF16));
            assertNotEquals(cast(on, DType.F32, DType.BF16), cast(on, DType.BF16, DType.F32));
        }
    }
}
