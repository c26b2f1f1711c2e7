package tensor.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.Random;
import java.util.function.DoubleBinaryOperator;
import nativelib.Kernels;
import nativelib.NativeLibrary;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import tensor.backend.UnaryOp;

/**
 * The elementary functions of {@code kernels_math.h} beside those of doubles, over every magnitude; sums on any number of
 * threads.
 */
class KernelsTest {
    private static final float[] SPECIAL = {
        0,
        -0.0f,
        Float.POSITIVE_INFINITY,
        Float.NEGATIVE_INFINITY,
        Float.NaN,
        Float.MIN_VALUE,
        -Float.MIN_VALUE,
        Float.MIN_NORMAL,
        -Float.MIN_NORMAL,
        Float.MAX_VALUE,
        -Float.MAX_VALUE,
        1,
        -1
    };

    @BeforeAll
    static void needsTheLibrary() {
        assumeTrue(NativeLibrary.isAvailable(), NativeLibrary.whyNot());
    }

    private static float[] compute(UnaryOp f, float... x) {
        NativeLibrary.threads(1);
        long address = Kernels.allocate(4L * x.length);
        float[] y = new float[x.length];
        Kernels.upload(false, x, address);
        Kernels.unary(false, f.ordinal(), address, address, x.length);
        Kernels.download(false, address, y);
        Kernels.free(address);
        return y;
    }

    /** Of every order of magnitude up to a limit, those of denormal numbers too, and of either sign. */
    private static float[] upTo(float limit) {
        Random random = new Random(1);
        float[] x = new float[500_000];
        for (int i = 0; i < x.length; i++) {
            float size = random.nextBoolean()
                    ? limit * random.nextFloat()
                    : Float.intBitsToFloat(random.nextInt(Float.floatToIntBits(limit) + 1));
            x[i] = random.nextBoolean() ? size : -size;
        }
        return x;
    }

    /** |computed − f(x)| ≤ allowed(x, f(x)), or both are the same float or NaN. */
    private static void isWithin(DoubleBinaryOperator allowed, UnaryOp f, float[] x) {
        float[] y = compute(f, x);
        for (int i = 0; i < x.length; i++) {
            double expected = f.apply(x[i]);
            boolean same = Float.isNaN(y[i]) ? Double.isNaN(expected) : y[i] == (float) expected;
            double bound = allowed.applyAsDouble(x[i], expected);
            if (!same && !(Math.abs(y[i] - expected) <= bound))
                fail(f + "(" + x[i] + ") is " + y[i] + ", not " + expected + " within " + bound);
        }
    }

    private static DoubleBinaryOperator ulps(double count) {
        return (x, y) -> count * Math.ulp((float) y);
    }

    @Test
    void expLogAndTanhAreWithinTwoUnitsInTheLastPlace() {
        for (UnaryOp f : new UnaryOp[] {UnaryOp.EXP, UnaryOp.LOG, UnaryOp.TANH})
            for (float limit : new float[] {1, 2, 10, 110, Float.MAX_VALUE}) isWithin(ulps(2), f, upTo(limit));
    }

    @Test
    void rootsAreWithinTwoUnitsInTheLastPlace() {
        isWithin(ulps(0.5), UnaryOp.SQRT, upTo(Float.MAX_VALUE));
        isWithin(ulps(2), UnaryOp.RSQRT, upTo(Float.MAX_VALUE));
    }

    @Test
    void sinAndCosAreExactToTwoUnitsOfTheirLargestValueUpTo3e9() {
        for (UnaryOp f : new UnaryOp[] {UnaryOp.SIN, UnaryOp.COS}) {
            isWithin(ulps(2), f, upTo(100));
            isWithin((x, y) -> 1.2e-7, f, upTo(1e9f));
            isWithin((x, y) -> 2e-7, f, upTo(3e9f));
        }
    }

    /** erf as it is found in GELU, x/2 · (1 + erf(x / √2)), which rounds three times beside. */
    @Test
    void erfIsWithin3em7() {
        for (float limit : new float[] {1, 2, 10, Float.MAX_VALUE})
            isWithin((x, y) -> Math.abs(x) / 2 * 3e-7 + 2 * Math.ulp((float) y), UnaryOp.GELU, upTo(limit));
    }

    @Test
    void zerosInfinitiesAndNaNComeOutAsTheyShould() {
        UnaryOp[] all = {
            UnaryOp.EXP,
            UnaryOp.LOG,
            UnaryOp.TANH,
            UnaryOp.SQRT,
            UnaryOp.RSQRT,
            UnaryOp.SIGMOID,
            UnaryOp.SILU,
            UnaryOp.GELU
        };
        for (UnaryOp f : all) isWithin(ulps(4), f, SPECIAL);
        float[] x = {0, -0.0f, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, Float.NaN};
        for (UnaryOp f : new UnaryOp[] {UnaryOp.SIN, UnaryOp.COS}) isWithin(ulps(0), f, x);
        assertArrayEquals(new float[] {Float.POSITIVE_INFINITY, 0}, compute(UnaryOp.EXP, 89, -104));
        assertArrayEquals(new float[] {1, -1}, compute(UnaryOp.TANH, 20, -20));
    }
}
