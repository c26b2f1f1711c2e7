package tensor.backend;

import java.util.function.DoubleUnaryOperator;

/**
 * The pointwise functions of one argument: one row states the formula for the Java loop and, in C, for the compiled
 * ones. The native table {@code pointwise.def} repeats name and C text row by row; a test holds the two together.
 */
public enum UnaryOp {
    NEG("-x", x -> -x),
    ABS("abs(x)", Math::abs),
    SIGN("x > 0 ? 1 : x < 0 ? -1 : 0", x -> x > 0 ? 1 : x < 0 ? -1 : 0),
    RECIPROCAL("1 / x", x -> 1 / x),
    SQUARE("x * x", x -> x * x),
    SQRT("sqrt(x)", Math::sqrt),
    /** 1 / √x. */
    RSQRT("1 / sqrt(x)", x -> 1 / Math.sqrt(x)),
    EXP("exp(x)", Math::exp),
    LOG("log(x)", Math::log),
    SIN("sin(x)", Math::sin),
    COS("cos(x)", Math::cos),
    TANH("tanh(x)", Math::tanh),
    /** max(x, 0); NaN stays NaN. */
    RELU("x <= 0 ? 0 : x", x -> x <= 0 ? 0 : x),
    SIGMOID("1 / (1 + exp(-x))", x -> 1 / (1 + Math.exp(-x))),
    /** x · sigmoid(x), also called swish. */
    SILU("x / (1 + exp(-x))", x -> x / (1 + Math.exp(-x))),
    /** x · Φ(x), Φ the normal distribution function (Hendrycks and Gimpel 2016). */
    GELU("0.5 * x * (1 + erf(x * SQRT1_2))", x -> 0.5 * x * (1 + Special.erf(x * Special.SQRT1_2))),
    /** GELU with Φ approximated by tanh (Hendrycks and Gimpel 2016). */
    GELU_TANH(
            "0.5 * x * (1 + tanh(SQRT2_PI * (x + 0.044715 * x * x * x)))",
            x -> 0.5 * x * (1 + Math.tanh(Special.SQRT2_PI * (x + 0.044715 * x * x * x)))),
    /** Smooth L1 with beta = 1: quadratic inside [−1, 1], linear outside. */
    HUBER("abs(x) < 1 ? 0.5 * x * x : abs(x) - 0.5", x -> Math.abs(x) < 1 ? 0.5 * x * x : Math.abs(x) - 0.5);

    private final String expression;
    private final DoubleUnaryOperator function;

    UnaryOp(String expression, DoubleUnaryOperator function) {
        this.expression = expression;
        this.function = function;
    }

    /** The formula as C text in {@code x}. */
    public String expression() {
        return expression;
    }

    /** f(x). */
    public double apply(double x) {
        return function.applyAsDouble(x);
    }
}
