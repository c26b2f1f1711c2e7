package tensor.backend;

import java.util.Arrays;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;

/**
 * One call under inspection by {@link Checks}: every operand is measured against the call's backend and dtype.
 *
 * @param name what errors call it
 * @param backend where it runs
 * @param dtype the element type of all its tensors
 */
record Call(String name, Backend backend, DType dtype) {
    static Call of(String name, Backend backend, Tensor first) {
        if (first == null) throw new IllegalArgumentException(name + ": a tensor is null");
        return new Call(name, backend, first.dtype());
    }

    /** A call whose tensors have a type that loses nothing. */
    static Call ofExact(String name, Backend backend, Tensor first) {
        Call call = of(name, backend, first);
        if (call.dtype != call.dtype.exact())
            throw call.wrong("the tensors are " + call.dtype + ", needs " + call.dtype.exact());
        return call;
    }

    /** A sentence about this call, as an exception to throw. */
    IllegalArgumentException wrong(String sentence) {
        return new IllegalArgumentException(name + ": " + sentence);
    }

    /** Present, live, here, and of this call's dtype; its contents are made now if they were put off. */
    Call operand(String role, Tensor t) {
        unasked(role, t);
        t.buffer().block();
        return this;
    }

    /** The same for an input whose contents may stay put off: a backend may know what they would be made of. */
    Call unasked(String role, Tensor t) {
        if (t == null) throw wrong(role + " is null");
        if (t.backend() != backend)
            throw wrong(role + " lives on backend " + t.backend().name() + ", the call runs on " + backend.name()
                    + "; one backend must hold both");
        if (t.dtype() != dtype) throw wrong(role + " is " + t.dtype() + " where the other tensors are " + dtype);
        t.buffer().requireLive();
        return this;
    }

    /** An operand with these extents; {@code letters} names the axes, −1 stands for any extent. */
    Call operand(String role, Tensor t, String letters, int... extents) {
        operand(role, t);
        Shape shape = t.shape();
        boolean same = shape.rank() == extents.length;
        for (int i = 0; same && i < extents.length; i++) same = extents[i] == -1 || extents[i] == shape.get(i);
        if (!same) throw wrong(role + " has shape " + shape + ", needs " + letters + wanted(extents));
        return this;
    }

    /** An operand with these extents, of the type for exact values. */
    Call exact(String role, Tensor t, String letters, int... extents) {
        if (t != null && t.dtype() != dtype.exact())
            throw wrong(role + " is " + t.dtype() + ", beside tensors of " + dtype + " it must be " + dtype.exact());
        new Call(name, backend, dtype.exact()).operand(role, t, letters, extents);
        return this;
    }

    /** An operand of exactly this shape. */
    Call operand(String role, Tensor t, String letters, Shape wanted) {
        operand(role, t);
        if (!t.shape().equals(wanted))
            throw wrong(role + " has shape " + t.shape() + ", needs " + letters + " = " + wanted);
        return this;
    }

    /** Two operands that are both there or both absent. */
    void together(String roles, Tensor a, Tensor b) {
        if ((a == null) != (b == null)) throw wrong(roles + " must both be given or both be null");
    }

    /** An output that shares no memory with any input. */
    Call apart(String role, Tensor output, Tensor... inputs) {
        for (Tensor input : inputs)
            if (input != null && output != null && input.buffer() == output.buffer())
                throw wrong(role + " " + output.shape() + " shares its memory with an input or another output of shape "
                        + input.shape() + "; only pointwise calls may");
        return this;
    }

    private static String wanted(int[] extents) {
        for (int extent : extents) if (extent == -1) return "";
        return " = " + Arrays.toString(extents);
    }
}
