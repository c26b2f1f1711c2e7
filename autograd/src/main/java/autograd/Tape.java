package autograd;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import tensor.Tensor;
import tensor.memory.Scope;

/**
 * The Wengert list: what was computed, in order. While a tape is open on a thread, every {@link #record}ed op with an
 * input that needs a gradient is noted; {@link #backward} runs the list in reverse. With no open tape nothing is noted
 * and the same layers compute the same values: that is sampling.
 *
 * <p>Memory: each node owns, in a {@link Scope} of its own, what its op made (the value, and whatever the pullback
 * captured), and lets go of it as soon as the sweep has passed, so memory falls during the backward pass. Values on
 * the tape are therefore gone after {@code backward}, but for the loss itself: read them before, or copy them.
 */
public final class Tape implements AutoCloseable {
    /** (dy₀, dy₁, …), what other uses of x₀ have contributed ↦ (dx₀, dx₁, …). */
    @FunctionalInterface
    private interface Step {
        Tensor[] apply(Tensor[] dy, Tensor[] before, boolean[] needed);
    }

    /** y = op(x): what the reverse sweep needs to know; whether dx₀ has what was there before added to it. */
    private record Node(String op, Variable[] x, Variable[] y, Step pullback, boolean adds, Scope saved) {
        boolean[] needed() {
            boolean[] needed = new boolean[x.length];
            for (int k = 0; k < x.length; k++) needed[k] = x[k].needsGradient();
            return needed;
        }
    }

    private static final ThreadLocal<Tape> OPEN = new ThreadLocal<>();

    private final List<Node> nodes = new ArrayList<>();

    private Tape() {}

    /**
     * Opens a tape on this thread.
     *
     * @throws IllegalStateException when one is open: there are no derivatives of derivatives here
     */
    public static Tape start() {
        if (OPEN.get() != null) throw new IllegalStateException("a tape is open on this thread already");
        Tape tape = new Tape();
        OPEN.set(tape);
        return tape;
    }

    /** Whether a tape is open on this thread. */
    public static boolean isRecording() {
        return OPEN.get() != null;
    }

    /** y = op(x), noted when a tape is open and some x needs a gradient. */
    public static Variable record(Op op, Variable... x) {
        return note(
                op.name(),
                inputs -> {
                    Op.Result result = op.apply(inputs);
                    Tensor[] value = {result.value()};
                    return result.pullback() instanceof Pullback.Adding adding
                            ? new Noted(value, (dy, before, needed) -> adding.apply(dy[0], before, needed), true)
                            : new Noted(
                                    value,
                                    (dy, before, needed) -> result.pullback().apply(dy[0], needed),
                                    false);
                },
                x)[0];
    }

    /** (y₀, y₁, …) = op(x), likewise. */
    public static Variable[] recordAll(JointOp op, Variable... x) {
        return note(
                op.name(),
                inputs -> {
                    JointOp.Result result = op.apply(inputs);
                    return new Noted(
                            result.values(),
                            (dy, before, needed) -> result.pullback().apply(dy, needed),
                            false);
                },
                x);
    }

    /** What applying an op of either kind yields. */
    private record Noted(Tensor[] values, Step pullback, boolean adds) {}

    private static Variable[] note(String name, Function<Tensor[], Noted> op, Variable... x) {
        Tensor[] inputs = new Tensor[x.length];
        boolean needsGradient = false;
        for (int k = 0; k < x.length; k++) {
            inputs[k] = x[k].value();
            needsGradient |= x[k].needsGradient();
        }
        Tape tape = OPEN.get();
        if (tape == null || !needsGradient)
            try (Scope scope = Scope.open(name)) {
                Tensor[] values = op.apply(inputs).values();
                for (Tensor value : values) scope.keep(value);
                return variables(values, Variable::constant);
            }
        Scope saved = Scope.open(name);
        try {
            Noted result = op.apply(inputs);
            Variable[] y = variables(result.values(), Variable::recorded);
            tape.nodes.add(new Node(name, x.clone(), y, result.pullback(), result.adds(), saved.leave()));
            return y;
        } catch (RuntimeException | Error e) {
            saved.close();
            throw e;
        }
    }

    private static Variable[] variables(Tensor[] values, Function<Tensor, Variable> kind) {
        return Arrays.stream(values).map(kind).toArray(Variable[]::new);
    }

    /**
     * dL/dx for every leaf x that L depends on. Execution order is a topological order, so the reverse sweep is a loop
     * that counts down. The tape can be swept once.
     *
     * @param loss L, of size 1, the result of a recorded op
     */
    public Gradients backward(Variable loss) {
        if (loss.shape().size() != 1)
            throw new IllegalArgumentException("backward starts from one number, not from shape " + loss.shape());
        Gradients gradients = new Gradients();
        try {
            try (Scope scope = Scope.open("loss")) {
                gradients.add(loss, loss.value().fullLike(1)); // dL/dL = 1
            }
            for (int i = nodes.size() - 1; i >= 0; i--) {
                Node node = nodes.get(i);
                pullBack(node, gradients);
                if (Arrays.asList(node.y).contains(loss)) continue; // its value stays readable
                node.saved.close();
                nodes.remove(i);
            }
            gradients.sum();
        } finally {
            gradients.settle();
        }
        return gradients;
    }

    /** One step of the sweep: takes dy and adds to the gradient of every input. */
    private static void pullBack(Node node, Gradients gradients) {
        try (Scope scope = Scope.open(node.op + "'")) {
            Tensor[] dy = Arrays.stream(node.y).map(gradients::take).toArray(Tensor[]::new);
            if (Arrays.stream(dy).allMatch(Objects::isNull)) return; // y does not reach the loss
            Tensor[] before = node.adds && node.x[0].needsGradient() ? gradients.takeParts(node.x[0]) : new Tensor[0];
            Tensor[] dx = node.pullback.apply(dy, before, node.needed());
            for (int k = 0; k < node.x.length; k++) // a variable used twice receives both contributions
            if (node.x[k].needsGradient() && dx[k] != null) gradients.add(node.x[k], dx[k].sumTo(node.x[k].shape()));
        }
    }

    /** Forgets everything that was noted and releases it. */
    @Override
    public void close() {
        for (int i = nodes.size() - 1; i >= 0; i--) nodes.get(i).saved.close();
        nodes.clear();
        OPEN.remove();
    }
}
