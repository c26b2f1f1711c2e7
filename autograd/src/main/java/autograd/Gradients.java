package autograd;

import java.util.IdentityHashMap;
import java.util.Map;
import tensor.Tensor;
import tensor.memory.Scope;

/**
 * dL/dx for every x that asked for it: the result of {@link Tape#backward}, keyed by variable. There is no mutable
 * {@code .grad} field, hence nothing to zero. The tensors belong to the scope in which {@code backward} was called.
 */
public final class Gradients {
    /** A gradient and whether its memory is ours alone, so that it may be added to in place. */
    private record Entry(Tensor tensor, boolean own) {}

    private final Map<Variable, Entry> entries = new IdentityHashMap<>();

    /** dL/dx, or {@code null} when the loss does not depend on x. */
    public Tensor of(Variable x) {
        Entry entry = entries.get(x);
        return entry == null ? null : entry.tensor;
    }

    /**
     * Adds a contribution; a variable used twice receives both. A tensor that was handed in is never written to: the
     * pullback of {@code add} hands the same dy to both its inputs.
     */
    void add(Variable x, Tensor dx) {
        Entry before = entries.get(x);
        if (before == null) {
            dx.buffer().retain();
            entries.put(x, new Entry(dx, false));
        } else if (before.own) {
            before.tensor.add_(dx);
        } else {
            Tensor sum = before.tensor.add(dx);
            sum.buffer().retain();
            before.tensor.buffer().release();
            entries.put(x, new Entry(sum, true));
        }
    }

    /** Removes dL/dx and passes its reference to the innermost scope; {@code null} when there is none. */
    Tensor take(Variable x) {
        Entry entry = entries.remove(x);
        if (entry == null) return null;
        Scope.innermost().own(entry.tensor.buffer());
        return entry.tensor;
    }

    /** Passes every reference to the innermost scope: the sweep is over. */
    void settle() {
        for (Entry entry : entries.values()) Scope.innermost().own(entry.tensor.buffer());
    }
}
