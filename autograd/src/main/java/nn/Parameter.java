package nn;

import autograd.Variable;
import autograd.ops.Cast;
import tensor.Shape;
import tensor.Tensor;

/**
 * A tensor that training changes, with the path that names it in checkpoints, logs and test failures
 * ({@code downs.0.1.block1.proj.weight}). Names and order are those of PyTorch's {@code state_dict} for the same
 * network; so is the exchanged shape, see {@link #exchangeShape}.
 */
public final class Parameter {
    /** How the memory relates to PyTorch's. */
    public enum Layout {
        /** The same. */
        PLAIN,
        /** A filter: [K, R, S, C] here, [K, C, R, S] there. */
        FILTER,
        /** One value for each channel: [C] here, [1, C, 1, 1] there. */
        CHANNEL
    }

    private final Variable variable;
    private final Layout layout;
    /** The value in the type of a network that is being run, or {@code null}; see {@link Layer#rounded}. */
    private Variable rounded;

    Parameter(Variable variable, Layout layout) {
        this.variable = variable;
        this.layout = layout;
    }

    /** What stands on the tape: a leaf, or a constant when this is not to be trained. */
    public Variable variable() {
        return variable;
    }

    /** What stands on the tape, in the type of x: rounded anew, unless the whole network has been. */
    public Variable like(Variable x) {
        boolean there = rounded != null && rounded.value().dtype() == x.value().dtype();
        return there ? rounded : Cast.like(variable, x);
    }

    boolean isRounded() {
        return rounded != null;
    }

    void rounded(Variable value) {
        rounded = value;
    }

    /** The current value; optimizers write into it. */
    public Tensor value() {
        return variable.value();
    }

    /** The shape in which files hold this parameter: PyTorch's. */
    public Shape exchangeShape() {
        Shape s = value().shape();
        return switch (layout) {
            case PLAIN -> s;
            case FILTER -> Shape.of(s.get(0), s.get(3), s.get(1), s.get(2));
            case CHANNEL -> Shape.of(1, s.get(0), 1, 1);
        };
    }

    /** {@code x}, shaped like this parameter, in the order in which files hold it. */
    public float[] toExchange(Tensor x) {
        float[] values = x.toFloats();
        if (layout != Layout.FILTER) return values;
        Shape s = value().shape();
        return transposed(values, s.get(0), s.get(1) * s.get(2), s.get(3));
    }

    /** Writes values in file order into {@code target}, shaped like this parameter. */
    public void fromExchange(float[] values, Tensor target) {
        Shape s = value().shape();
        float[] ours = layout != Layout.FILTER ? values : transposed(values, s.get(0), s.get(3), s.get(1) * s.get(2));
        target.backend().upload(ours, target);
    }

    /** Swaps the two inner axes of [outer, rows, columns]. */
    private static float[] transposed(float[] x, int outer, int rows, int columns) {
        float[] y = new float[x.length];
        for (int o = 0, i = 0; o < outer; o++)
            for (int r = 0; r < rows; r++)
                for (int c = 0; c < columns; c++, i++) y[(o * columns + c) * rows + r] = x[i];
        return y;
    }
}
