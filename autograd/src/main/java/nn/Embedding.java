package nn;

import autograd.Variable;
import autograd.ops.Gather;
import tensor.Shape;

/**
 * A learned vector for each of a few words, labels or positions: {@code weight} [V, width]; index [N] of whole numbers in
 * 0 … V−1 → [N, width]. Starts at zero, so that a network to which it is added is, at first, the one without it.
 */
public final class Embedding extends UnaryLayer {
    private final Parameter weight;

    public Embedding(Init init, int count, int width) {
        weight = parameter("weight", init.constant(Shape.of(count, width), 0), Parameter.Layout.PLAIN);
    }

    @Override
    public Variable forward(Variable index) {
        return Gather.gather(weight.variable(), index);
    }
}
