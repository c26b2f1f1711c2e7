package tensor.backend;

/** The constants and the one special function that the pointwise table needs and {@link Math} lacks. */
public final class Special {
    /** 1/√2. */
    public static final double SQRT1_2 = 0.70710678118654752440;
    /** √(2/π). */
    public static final double SQRT2_PI = 0.79788456080286535588;
    /** 1/√(2π). */
    public static final double SQRT1_2PI = 0.39894228040143267794;

    private Special() {}

    /**
     * The error function, {@code 2/√π ∫₀ˣ exp(−t²) dt}, to about 1e−16: by Kummer's series
     * {@code 2/√π · exp(−x²) · Σ 2ⁿ x²ⁿ⁺¹ / (2n+1)!!}, whose terms all have one sign, so nothing cancels.
     */
    public static double erf(double x) {
        if (Math.abs(x) > 6) return Math.signum(x);
        double term = x;
        double sum = x;
        for (int n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
            term *= 2 * x * x / (2 * n + 1);
            sum += term;
        }
        return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
    }

    /** d/dx of {@link UnaryOp#GELU_TANH}. */
    public static double geluTanhDerivative(double x) {
        double t = Math.tanh(SQRT2_PI * (x + 0.044715 * x * x * x));
        return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * SQRT2_PI * (1 + 3 * 0.044715 * x * x);
    }
}
