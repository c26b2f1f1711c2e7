package tensor.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.reference.ReferenceBackend;
import tensor.memory.Scope;

class PhiloxTest {
    private final Backend backend = new ReferenceBackend();
    private Scope scope;

    @BeforeEach
    void open() {
        scope = Scope.open("test");
    }

    @AfterEach
    void close() {
        scope.close();
    }

    private double[] draw(Distribution distribution, long seed, long offset, int count) {
        Tensor y = Tensor.empty(backend, DType.F64, Shape.of(count));
        backend.random(distribution, seed, offset, y);
        return y.toDoubles();
    }

    /** The vectors of philox4x32-10 that Random123 publishes in its file kat_vectors. */
    @Test
    void thePublishedAnswersComeOut() {
        assertImage(new int[] {0, 0, 0, 0}, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8);
        assertImage(new int[] {-1, -1, -1, -1}, -1, -1, 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd);
        assertImage(
                new int[] {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, // digits of π
                0xa4093822,
                0x299f31d0,
                0xd16cfe09,
                0x94fdcceb,
                0x5001e420,
                0x24126ea1);
    }

    private static void assertImage(int[] counter, int key0, int key1, int... expected) {
        Philox.permute(key0, key1, counter);
        assertArrayEquals(expected, counter);
    }

    @Test
    void seedIsTheKeyAndBlockTheCounter() {
        int[] words = new int[4];
        Philox.block(0x299f31d0_a4093822L, 0x85a308d3_243f6a88L, words);
        int[] expected = {0x243f6a88, 0x85a308d3, 0, 0};
        Philox.permute(0xa4093822, 0x299f31d0, expected);
        assertArrayEquals(expected, words);
    }

    @Test
    void anyPartOfTheStreamEqualsTheSamePartOfTheWhole() {
        Distribution[] all = {
            Distribution.UNIFORM, Distribution.NORMAL, Distribution.integers(1000), Distribution.keep(0.7)
        };
        for (Distribution d : all) {
            double[] whole = draw(d, 42, 0, 103);
            for (int start = 0; start < 100; start += 4)
                for (int count : new int[] {1, 2, 3}) {
                    double[] part = draw(d, 42, start, count);
                    for (int i = 0; i < count; i++) assertEquals(whole[start + i], part[i]);
                }
        }
    }

    @Test
    void otherSeedsGiveOtherStreams() {
        double[] a = draw(Distribution.UNIFORM, 1, 0, 1000);
        double[] b = draw(Distribution.UNIFORM, 2, 0, 1000);
        int equal = 0;
        for (int i = 0; i < a.length; i++) if (a[i] == b[i]) equal++;
        assertEquals(0, equal);
    }

    @Test
    void uniformHasTheMomentsOfTheUnitInterval() {
        double[] x = draw(Distribution.UNIFORM, 3, 0, 100_000);
        for (double value : x) assertTrue(value >= 0 && value < 1 && value * 0x1p24 == Math.rint(value * 0x1p24));
        assertMoment(0.5, Math.sqrt(1 / 12.0), x, 1);
        assertMoment(1 / 3.0, Math.sqrt(4 / 45.0), x, 2);
    }

    @Test
    void normalHasTheMomentsOfTheBell() {
        double[] x = draw(Distribution.NORMAL, 4, 0, 100_000);
        assertMoment(0, 1, x, 1);
        assertMoment(1, Math.sqrt(2), x, 2);
        assertMoment(0, Math.sqrt(15), x, 3);
        assertMoment(3, Math.sqrt(96), x, 4);
        double lag = 0;
        for (int i = 0; i + 1 < x.length; i++) lag += x[i] * x[i + 1];
        assertEquals(0, lag / x.length, 5 / Math.sqrt(x.length));
    }

    @Test
    void everyIntegerBelowTheBoundIsAsLikely() {
        int bound = 7;
        double[] x = draw(Distribution.integers(bound), 5, 0, 70_000);
        int[] count = new int[bound];
        for (double value : x) count[(int) value]++;
        for (int c : count) assertEquals(10_000, c, 5 * Math.sqrt(10_000));
        assertEquals(0, draw(Distribution.integers(1), 5, 0, 1)[0]);
    }

    @Test
    void keepLeavesTheMeanAtOne() {
        double[] x = draw(Distribution.keep(0.8), 6, 0, 100_000);
        for (double value : x) assertTrue(value == 0 || value == 1 / 0.8);
        assertMoment(1, Math.sqrt(0.25), x, 1);
        for (double value : draw(Distribution.keep(1), 6, 0, 1000)) assertEquals(1, value);
    }

    @Test
    void impossibleDistributionsAreRefused() {
        assertThrows(IllegalArgumentException.class, () -> Distribution.integers(0));
        assertThrows(IllegalArgumentException.class, () -> Distribution.integers((1 << 24) + 1));
        assertThrows(IllegalArgumentException.class, () -> Distribution.keep(0));
        assertThrows(IllegalArgumentException.class, () -> Distribution.keep(1.1));
    }

    /** The mean of x to a power, within five standard errors. */
    private static void assertMoment(double expected, double deviation, double[] x, int power) {
        double sum = 0;
        for (double value : x) sum += Math.pow(value, power);
        assertEquals(expected, sum / x.length, 5 * deviation / Math.sqrt(x.length));
    }
}
