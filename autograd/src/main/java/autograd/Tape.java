package autograd;

import java.util.ArrayList;
import java.util.List;
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
    private record Node(String op, Variable[] x, Variable y, Pullback pullback, Scope saved) {
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
        Tensor[] inputs = new Tensor[x.length];
        boolean needsGradient = false;
        for (int k = 0; k < x.length; k++) {
            inputs[k] = x[k].value();
            needsGradient |= x[k].needsGradient();
        }
        Tape tape = OPEN.get();
        if (tape == null || !needsGradient)
            return Variable.constant(
                    Scope.local(op.name(), () -> op.apply(inputs).value()));
        Scope saved = Scope.open(op.name());
        try {
            Op.Result result = op.apply(inputs);
            Variable y = Variable.recorded(result.value());
            tape.nodes.add(new Node(op.name(), x.clone(), y, result.pullback(), saved.leave()));
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
                if (node.y == loss) continue; // its value stays readable
                node.saved.close();
                nodes.remove(i);
            }
        } finally {
            gradients.settle();
        }
        return gradients;
    }

    /** One step of the sweep: takes dy and adds to the gradient of every input. */
    private static void pullBack(Node node, Gradients gradients) {
        try (Scope scope = Scope.open(node.op + "'")) {
            Tensor dy = gradients.take(node.y);
            if (dy == null) return; // y does not reach the loss
            Tensor[] dx = node.pullback.apply(dy, node.needed());
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
