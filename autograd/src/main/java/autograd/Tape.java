package autograd;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
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
    /** y = op(x): what the reverse sweep needs to know. */
    private record Node(String op, Variable[] x, Variable[] y, JointOp.Pullback pullback, Scope saved) {}

    /** The pullback of an op with one value as that of an op with several. */
    private record OfOne(Pullback pullback) implements JointOp.Pullback {
        @Override
        public Tensor[] apply(Tensor[] dy, boolean[] needed) {
            return pullback.apply(dy[0], needed);
        }
    }

    private static final ThreadLocal<Tape> OPEN = new ThreadLocal<>();

    private final List<Node> nodes = new ArrayList<>();
    private boolean swept;

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
        JointOp one = inputs -> {
            Op.Result result = op.apply(inputs);
            return new JointOp.Result(new Tensor[] {result.value()}, new OfOne(result.pullback()));
        };
        return note(op.name(), one, x)[0];
    }

    /** (y₀, y₁, …) = op(x), likewise. */
    public static Variable[] recordAll(JointOp op, Variable... x) {
        return note(op.name(), op, x);
    }

    private static Variable[] note(String name, JointOp op, Variable... x) {
        Tensor[] inputs = Arrays.stream(x).map(Variable::value).toArray(Tensor[]::new);
        Tape tape = OPEN.get();
        if (tape == null || Arrays.stream(x).noneMatch(Variable::needsGradient))
            try (Scope scope = Scope.open(name)) {
                Tensor[] values = op.apply(inputs).values();
                return Arrays.stream(values)
                        .map(scope::keep)
                        .map(Variable::constant)
                        .toArray(Variable[]::new);
            }
        Scope saved = Scope.open(name);
        try {
            JointOp.Result result = op.apply(inputs);
            Variable[] y =
                    Arrays.stream(result.values()).map(Variable::recorded).toArray(Variable[]::new);
            tape.nodes.add(new Node(name, x.clone(), y, result.pullback(), saved.leave()));
            return y;
        } catch (RuntimeException | Error e) {
            saved.close();
            throw e;
        }
    }

    /**
     * dL/dx for every leaf x that L depends on. Execution order is a topological order, so the reverse sweep is a loop
     * that counts down. The tape can be swept once.
     *
     * @param loss L, of size 1, the result of an op on this tape
     */
    public Gradients backward(Variable loss) {
        if (loss.shape().size() != 1)
            throw new IllegalArgumentException("backward starts from one number, not from shape " + loss.shape());
        if (swept) throw new IllegalStateException("this tape has been swept: compute the loss anew on a new one");
        int made = nodes.size() - 1;
        while (made >= 0 && !Arrays.asList(nodes.get(made).y).contains(loss)) made--;
        if (made < 0)
            throw new IllegalArgumentException(
                    "the loss was not computed, while this tape was open, from anything that needs a gradient");
        swept = true;
        Gradients gradients = new Gradients();
        try {
            try (Scope scope = Scope.open("loss")) {
                gradients.add(loss, loss.value().fullLike(1)); // dL/dL = 1
            }
            for (int i = nodes.size() - 1; i >= 0; i--) {
                Node node = nodes.get(i);
                pullBack(node, gradients);
                if (i == made) continue; // the loss stays readable
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
            boolean[] needed = new boolean[node.x.length];
            for (int k = 0; k < needed.length; k++) needed[k] = node.x[k].needsGradient();
            Tensor[] dx = node.pullback instanceof OfOne one && one.pullback instanceof Pullback.Adding adding
                    ? adding.apply(dy[0], gradients.takeParts(node.x[0]), needed)
                    : node.pullback.apply(dy, needed);
            for (int k = 0; k < needed.length; k++)
                if (needed[k] && dx[k] != null) gradients.add(node.x[k], dx[k].sumTo(node.x[k].shape()));
        }
    }

    /** Forgets everything that was noted and releases it. */
    @Override
    public void close() {
        for (int i = nodes.size() - 1; i >= 0; i--) nodes.get(i).saved.close();
        nodes.clear();
        if (OPEN.get() == this) OPEN.remove(); // closed twice, it leaves the next one open
    }
}
