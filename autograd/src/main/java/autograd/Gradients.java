package autograd;

import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.Map;
import tensor.DType;
import tensor.Tensor;
import tensor.memory.Scope;

/**
 * dL/dx for every x that asked for it: the result of {@link Tape#backward}, keyed by variable. There is no mutable
 * {@code .grad} field, hence nothing to zero. A gradient that was rounded on its way may be of another type than x
 * ({@link autograd.ops.CastAll}); a pullback is given it in the type of x all the same. The tensors belong to the scope in
 * which {@code backward} was called.
 */
public final class Gradients {
    /**
     * A gradient, or two parts of one that are not summed yet: perhaps a pullback takes both and adds its own.
     *
     * @param own whether the memory of {@code first} is ours alone, so that it may be added to in place
     * @param second may be {@code null}
     */
    private record Entry(Tensor first, boolean own, Tensor second) {}

    private final Map<Variable, Entry> entries = new IdentityHashMap<>();

    /** dL/dx for a leaf x; {@code null} when the loss does not depend on x, and for what is no leaf: the sweep lets go of that. */
    public Tensor of(Variable x) {
        Entry entry = sum(x);
        return entry == null ? null : entry.first;
    }

    /**
     * Adds a contribution; a variable used twice receives both. A tensor that was handed in is never written to: the
     * pullback of {@code add} hands the same dy to both its inputs.
     */
    void add(Variable x, Tensor dx) {
        dx.buffer().retain();
        Entry before = sum(x);
        entries.put(x, before == null ? new Entry(dx, false, null) : new Entry(before.first, before.own, dx));
    }

    /** Adds up what there is of dL/dx; {@code null} when there is nothing. */
    private Entry sum(Variable x) {
        return entries.computeIfPresent(x, Gradients::summed);
    }

    private static Entry summed(Variable x, Entry entry) {
        if (entry.second == null) return entry;
        try (Scope scope = Scope.open("sum")) {
            boolean alike = entry.first.dtype() == entry.second.dtype();
            if (entry.own && alike) {
                entry.first.add_(entry.second);
                scope.own(entry.second.buffer());
                return new Entry(entry.first, true, null);
            }
            DType type = alike ? entry.first.dtype() : x.value().dtype().exact();
            Tensor sum = in(type, entry.first).add(in(type, entry.second));
            sum.buffer().retain();
            pass(entry);
            return new Entry(sum, true, null);
        }
    }

    private static Tensor in(DType type, Tensor x) {
        return x.dtype() == type ? x : x.cast(type);
    }

    /** Removes dL/dx, in the type of x, and passes its reference to the innermost scope; {@code null} when there is none. */
    Tensor take(Variable x) {
        sum(x);
        Tensor[] parts = takeParts(x);
        return parts.length == 0 ? null : parts[0];
    }

    /** The same for the tensors, at most two, whose sum is dL/dx; an empty array when there are none. */
    Tensor[] takeParts(Variable x) {
        Entry entry = entries.remove(x);
        if (entry == null) return new Tensor[0];
        return Arrays.stream(pass(entry))
                .map(part -> in(x.value().dtype(), part))
                .toArray(Tensor[]::new);
    }

    /** Passes the references of an entry to the innermost scope. */
    private static Tensor[] pass(Entry entry) {
        Tensor[] parts = entry.second == null ? new Tensor[] {entry.first} : new Tensor[] {entry.first, entry.second};
        for (Tensor part : parts) Scope.innermost().own(part.buffer());
        return parts;
    }

    /** Adds up all that is not summed yet. */
    void sum() {
        entries.replaceAll(Gradients::summed);
    }

    /** Passes every reference to the innermost scope: the sweep is over. */
    void settle() {
        for (Entry entry : entries.values()) pass(entry);
    }
}
