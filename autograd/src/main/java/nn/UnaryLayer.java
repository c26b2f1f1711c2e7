package nn;

import autograd.Variable;

/** A layer with one input and one output, so that it can stand in a {@link Sequential}. */
public abstract class UnaryLayer extends Layer {
    /** y = layer(x). */
    public abstract Variable forward(Variable x);

    /** A layer without parameters: an activation, a rearrangement. */
    public static UnaryLayer of(java.util.function.UnaryOperator<Variable> function) {
        return new UnaryLayer() {
            @Override
            public Variable forward(Variable x) {
                return function.apply(x);
            }
        };
    }
}
