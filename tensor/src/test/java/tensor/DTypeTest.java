package tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import tensor.backend.Backend;
import tensor.backend.NormInputs;
import tensor.backend.NormParams;
import tensor.backend.reference.ReferenceBackend;
import tensor.memory.Scope;

class DTypeTest {
    private static float rounded(float x) {
        return DType.fromBf16(DType.toBf16(x));
    }

    @Test
    void bf16RoundsToNearestAndTiesToEven() {
        // 8 bits: between 1 and 2 the values are 1 + k/128
        assertEquals(1 + 3f / 128, rounded(1 + 3f / 128));
        assertEquals(1f, rounded(1 + 0.49f / 128));
        assertEquals(1 + 1f / 128, rounded(1 + 0.51f / 128));
        assertEquals(1f, rounded(1 + 0.5f / 128), "0 is even");
        assertEquals(1 + 2f / 128, rounded(1 + 1.5f / 128), "2 is even");
        assertEquals(-1 - 2f / 128, rounded(-1 - 1.5f / 128));
        assertEquals(2f, rounded(Math.nextDown(2f)));
        assertEquals(Float.POSITIVE_INFINITY, rounded(Float.MAX_VALUE));
        assertEquals(Float.NEGATIVE_INFINITY, rounded(Float.NEGATIVE_INFINITY));
        assertTrue(Float.isNaN(rounded(Float.intBitsToFloat(0x7f800001))), "not an infinity");
    }

    @Test
    void tensorsOfBf16AreRoundedWhereTheyAreStored() {
        try (Backend backend = new ReferenceBackend();
                Scope scope = Scope.open("test")) {
            Tensor x = Tensor.of(backend, DType.BF16, Shape.of(2), 1 + 0.51 / 128, 0.1);
            assertEquals(1 + 1.0 / 128, x.toDoubles()[0]);
            assertEquals(4, x.buffer().bytes());
            assertEquals(1.1, x.add(x.scalar(1)).toDoubles()[1], 1.0 / 256);
            Tensor exact = x.cast(DType.F32);
            assertEquals(DType.F32, exact.dtype());
            assertEquals(x.toDoubles()[1], exact.toDoubles()[1]);
        }
    }

    @Test
    void whatMustBeExactBesideBf16IsAskedFor() {
        try (Backend backend = new ReferenceBackend();
                Scope scope = Scope.open("test")) {
            Tensor x = Tensor.full(backend, DType.BF16, Shape.of(1, 2, 4), 1);
            Tensor mean = x.empty(Shape.of(1, 2));
            NormParams p = new NormParams(2, 1e-5, false);
            String message = assertThrows(
                            IllegalArgumentException.class,
                            () -> backend.groupNorm(p, null, NormInputs.of(x), x.emptyLike(), mean, mean))
                    .getMessage();
            assertEquals("groupNorm: mean is BF16, beside tensors of BF16 it must be F32", message);
            Tensor exact = x.emptyExact(Shape.of(1, 2));
            backend.groupNorm(p, null, NormInputs.of(x), x.emptyLike(), exact, exact.emptyLike());
            assertEquals(1, exact.toDoubles()[0]);
            assertEquals(8 + 2, backend.sumOfSquares(new Tensor[] {x, exact.fullLike(1)}));
        }
    }
}
