package tensor.backend;

import java.util.function.DoubleBinaryOperator;

/**
 * The pointwise functions of two arguments, broadcast against each other. The rows ending in {@code _GRAD} are
 * pullbacks of a {@link UnaryOp}: {@code a} is what the forward pass kept (its argument x, or its result y where the
 * comment says so) and {@code b} the incoming gradient dy.
 */
public enum BinaryOp {
    ADD("a + b", (a, b) -> a + b),
    SUB("a - b", (a, b) -> a - b),
    MUL("a * b", (a, b) -> a * b),
    DIV("a / b", (a, b) -> a / b),
    /** The larger; NaN where either is, for a comparison with it is false. */
    MAX("a > b || a != a ? a : b", (a, b) -> a > b || a != a ? a : b),
    /** The smaller, likewise. */
    MIN("a < b || a != a ? a : b", (a, b) -> a < b || a != a ? a : b),
    /** 1 where a ≥ b, else 0. */
    GREATER_EQUAL("a >= b ? 1 : 0", (a, b) -> a >= b ? 1 : 0),
    ABS_GRAD("a > 0 ? b : a < 0 ? -b : 0", (a, b) -> a > 0 ? b : a < 0 ? -b : 0),
    SQUARE_GRAD("2 * a * b", (a, b) -> 2 * a * b),
    /** a = y = √x. */
    SQRT_GRAD("b / (2 * a)", (a, b) -> b / (2 * a)),
    /** a = y = 1/√x. */
    RSQRT_GRAD("-0.5 * a * a * a * b", (a, b) -> -0.5 * a * a * a * b),
    /** a = y = 1/x. */
    RECIPROCAL_GRAD("-a * a * b", (a, b) -> -a * a * b),
    SIN_GRAD("cos(a) * b", (a, b) -> Math.cos(a) * b),
    COS_GRAD("-sin(a) * b", (a, b) -> -Math.sin(a) * b),
    /** a = y = tanh x. */
    TANH_GRAD("(1 - a * a) * b", (a, b) -> (1 - a * a) * b),
    RELU_GRAD("a <= 0 ? 0 : b", (a, b) -> a <= 0 ? 0 : b),
    /** a = y = sigmoid x. */
    SIGMOID_GRAD("a * (1 - a) * b", (a, b) -> a * (1 - a) * b),
    SILU_GRAD("b * (1 + a * (1 - 1 / (1 + exp(-a)))) / (1 + exp(-a))", (a, b) -> {
        double sigmoid = 1 / (1 + Math.exp(-a));
        return b * (1 + a * (1 - sigmoid)) * sigmoid;
    }),
    /** Φ(a) + a φ(a), times b. */
    GELU_GRAD(
            "b * (0.5 * (1 + erf(a * SQRT1_2)) + a * SQRT1_2PI * exp(-0.5 * a * a))",
            (a, b) -> b
                    * (0.5 * (1 + Special.erf(a * Special.SQRT1_2)) + a * Special.SQRT1_2PI * Math.exp(-0.5 * a * a))),
    GELU_TANH_GRAD("b * gelu_tanh_derivative(a)", (a, b) -> b * Special.geluTanhDerivative(a)),
    HUBER_GRAD("a > 1 ? b : a < -1 ? -b : a * b", (a, b) -> a > 1 ? b : a < -1 ? -b : a * b);

    private final String expression;
    private final DoubleBinaryOperator function;

    BinaryOp(String expression, DoubleBinaryOperator function) {
        this.expression = expression;
        this.function = function;
    }

    /** The formula as C text in {@code a} and {@code b}. */
    public String expression() {
        return expression;
    }

    /** f(a, b). */
    public double apply(double a, double b) {
        return function.applyAsDouble(a, b);
    }
}
