package autograd.ops;

import autograd.Op;
import autograd.Pullback;
import autograd.Tape;
import autograd.Variable;
import java.util.function.UnaryOperator;
import tensor.Tensor;
import tensor.backend.BinaryOp;
import tensor.backend.UnaryOp;

/**
 * {@code y = f(x)} for the functions of the pointwise table; dx = dy · f′(x), one row of the table again. Keeps x, or y
 * where the derivative is simpler in y.
 */
public record Pointwise(UnaryOp function) implements Op {
    public static Variable of(UnaryOp function, Variable x) {
        return Tape.record(new Pointwise(function), x);
    }

    /** −x. */
    public static Variable neg(Variable x) {
        return of(UnaryOp.NEG, x);
    }

    /** |x|. */
    public static Variable abs(Variable x) {
        return of(UnaryOp.ABS, x);
    }

    /** x². */
    public static Variable square(Variable x) {
        return of(UnaryOp.SQUARE, x);
    }

    /** √x. */
    public static Variable sqrt(Variable x) {
        return of(UnaryOp.SQRT, x);
    }

    /** 1/√x. */
    public static Variable rsqrt(Variable x) {
        return of(UnaryOp.RSQRT, x);
    }

    /** 1/x. */
    public static Variable reciprocal(Variable x) {
        return of(UnaryOp.RECIPROCAL, x);
    }

    /** eˣ. */
    public static Variable exp(Variable x) {
        return of(UnaryOp.EXP, x);
    }

    /** ln x. */
    public static Variable log(Variable x) {
        return of(UnaryOp.LOG, x);
    }

    /** sin x. */
    public static Variable sin(Variable x) {
        return of(UnaryOp.SIN, x);
    }

    /** cos x. */
    public static Variable cos(Variable x) {
        return of(UnaryOp.COS, x);
    }

    /** tanh x. */
    public static Variable tanh(Variable x) {
        return of(UnaryOp.TANH, x);
    }

    /** max(x, 0). */
    public static Variable relu(Variable x) {
        return of(UnaryOp.RELU, x);
    }

    /** 1 / (1 + e⁻ˣ). */
    public static Variable sigmoid(Variable x) {
        return of(UnaryOp.SIGMOID, x);
    }

    /** x / (1 + e⁻ˣ). */
    public static Variable silu(Variable x) {
        return of(UnaryOp.SILU, x);
    }

    /** x Φ(x), Φ the normal distribution function. */
    public static Variable gelu(Variable x) {
        return of(UnaryOp.GELU, x);
    }

    /** GELU with Φ approximated by tanh. */
    public static Variable geluTanh(Variable x) {
        return of(UnaryOp.GELU_TANH, x);
    }

    /** ½x² inside [−1, 1], |x| − ½ outside. */
    public static Variable huber(Variable x) {
        return of(UnaryOp.HUBER, x);
    }

    @Override
    public String name() {
        return function.name();
    }

    @Override
    public Result apply(Tensor... in) {
        Tensor x = in[0];
        Tensor y = x.map(function);
        UnaryOperator<Tensor> dx = switch (function) {
            case NEG -> dy -> dy.map(UnaryOp.NEG);
            case ABS -> dy -> x.map(BinaryOp.ABS_GRAD, dy);
            case SIGN -> dy -> dy.fullLike(0);
            case RECIPROCAL -> dy -> y.map(BinaryOp.RECIPROCAL_GRAD, dy);
            case SQUARE -> dy -> x.map(BinaryOp.SQUARE_GRAD, dy);
            case SQRT -> dy -> y.map(BinaryOp.SQRT_GRAD, dy);
            case RSQRT -> dy -> y.map(BinaryOp.RSQRT_GRAD, dy);
            case EXP -> dy -> y.mul(dy);
            case LOG -> dy -> dy.div(x);
            case SIN -> dy -> x.map(BinaryOp.SIN_GRAD, dy);
            case COS -> dy -> x.map(BinaryOp.COS_GRAD, dy);
            case TANH -> dy -> y.map(BinaryOp.TANH_GRAD, dy);
            case RELU -> dy -> x.map(BinaryOp.RELU_GRAD, dy);
            case SIGMOID -> dy -> y.map(BinaryOp.SIGMOID_GRAD, dy);
            case SILU -> dy -> x.map(BinaryOp.SILU_GRAD, dy);
            case GELU -> dy -> x.map(BinaryOp.GELU_GRAD, dy);
            case GELU_TANH -> dy -> x.map(BinaryOp.GELU_TANH_GRAD, dy);
            case HUBER -> dy -> x.map(BinaryOp.HUBER_GRAD, dy);
        };
        return new Result(y, Pullback.perInput(dx));
    }
}
