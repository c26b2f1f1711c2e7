package tensor.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertIterableEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class PointwiseTableTest {
    /** Rows whose derivative reads the result y in place of the argument x. */
    private static final Set<UnaryOp> KEEP_RESULT =
            EnumSet.of(UnaryOp.SQRT, UnaryOp.RSQRT, UnaryOp.RECIPROCAL, UnaryOp.TANH, UnaryOp.SIGMOID);

    /** Values of erf to 17 digits (Abramowitz and Stegun, table 7.1, extended by series in high precision). */
    @ParameterizedTest
    @CsvSource({
        "0,      0",
        "0.1,    0.11246291601828490",
        "0.5,    0.52049987781304654",
        "1,      0.84270079294971487",
        "1.5,    0.96610514647531073",
        "2,      0.99532226501895273",
        "3,      0.99997790950300141",
        "4,      0.99999998458274210",
        "7,      1",
        "-0.5,  -0.52049987781304654"
    })
    void erfIsRightTo15Digits(double x, double expected) {
        assertEquals(expected, Special.erf(x), 1e-15);
    }

    @Test
    void erfStartsAsAStraightLineAndEndsAtOne() {
        assertEquals(2 / Math.sqrt(Math.PI) * 1e-200, Special.erf(1e-200), 1e-215);
        assertEquals(1, Special.erf(Double.POSITIVE_INFINITY));
        assertEquals(-1, Special.erf(Double.NEGATIVE_INFINITY));
        assertTrue(Double.isNaN(Special.erf(Double.NaN)));
    }

    /** Every row called F_GRAD is the derivative of row F, times b, by central differences. */
    @ParameterizedTest
    @EnumSource(UnaryOp.class)
    void theGradientRowIsTheDerivative(UnaryOp f) {
        BinaryOp gradient = Arrays.stream(BinaryOp.values())
                .filter(row -> row.name().equals(f.name() + "_GRAD"))
                .findFirst()
                .orElse(null);
        if (gradient == null) {
            // derivatives that are compositions of other rows, or zero
            assertTrue(EnumSet.of(UnaryOp.NEG, UnaryOp.SIGN, UnaryOp.EXP, UnaryOp.LOG)
                    .contains(f));
            return;
        }
        boolean positive = f == UnaryOp.SQRT || f == UnaryOp.RSQRT;
        double h = 1e-5;
        for (double x : new double[] {-2.7, -1.3, -0.4, 0.3, 0.9, 1.1, 2.6}) {
            if (positive && x < 0) continue;
            double expected = 1.7 * (f.apply(x + h) - f.apply(x - h)) / (2 * h);
            double kept = KEEP_RESULT.contains(f) ? f.apply(x) : x;
            assertEquals(expected, gradient.apply(kept, 1.7), 1e-8 * (1 + Math.abs(expected)), f + " at " + x);
        }
    }

    /** Calls cross into native code by the number of a row. */
    @Test
    void theNativeTableHasTheSameRowsInTheSameOrder() throws IOException {
        List<String> rows = new ArrayList<>();
        for (UnaryOp f : UnaryOp.values()) rows.add("UNARY(" + f + ", " + f.expression() + ")");
        for (BinaryOp f : BinaryOp.values()) rows.add("BINARY(" + f + ", " + f.expression() + ")");
        List<String> table = Files.readAllLines(Path.of("../native/src/main/cpp/pointwise.def")).stream()
                .filter(line -> !line.startsWith("//"))
                .toList();
        assertIterableEquals(rows, table);
    }

    @Test
    void kinksAndTiesAreDecidedOnce() {
        assertEquals(0, BinaryOp.ABS_GRAD.apply(0, 5));
        assertEquals(0, BinaryOp.RELU_GRAD.apply(0, 5));
        assertEquals(1, BinaryOp.GREATER_EQUAL.apply(2, 2));
        assertEquals(0, UnaryOp.SIGN.apply(0));
        assertEquals(0.5, UnaryOp.HUBER.apply(-1));
        assertEquals(-5, BinaryOp.HUBER_GRAD.apply(-3, 5));
    }

    @Test
    void whatChoosesAnArgumentLetsNaNThrough() {
        double nan = Double.NaN;
        assertTrue(Double.isNaN(UnaryOp.RELU.apply(nan)));
        for (BinaryOp f : new BinaryOp[] {BinaryOp.MAX, BinaryOp.MIN})
            for (double other : new double[] {-1, 0, 1, nan}) {
                assertTrue(Double.isNaN(f.apply(nan, other)), f + " of NaN and " + other);
                assertTrue(Double.isNaN(f.apply(other, nan)), f + " of " + other + " and NaN");
            }
        assertEquals(0, UnaryOp.RELU.apply(-0.0)); // assertEquals tells it from -0.0
        assertEquals(3, BinaryOp.RELU_GRAD.apply(nan, 3));
    }

    @Test
    void saturationIsExact() {
        assertEquals(0, UnaryOp.SILU.apply(-800), 1e-300);
        assertEquals(800, UnaryOp.SILU.apply(800));
        assertEquals(0, UnaryOp.SIGMOID.apply(-800));
        assertEquals(1, UnaryOp.SIGMOID.apply(800));
        assertEquals(0, BinaryOp.SILU_GRAD.apply(-700, 1), 1e-300);
        assertEquals(1, BinaryOp.SILU_GRAD.apply(800, 1));
    }
}
