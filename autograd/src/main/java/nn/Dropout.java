package nn;

import autograd.Tape;
import autograd.Variable;
import java.util.function.Supplier;
import tensor.Rng;
import tensor.Shape;
import tensor.backend.Mask;

/**
 * Sets each value to zero with a probability and scales the others by 1/(1 − probability), while a tape records;
 * without a tape (sampling, evaluation) it does nothing. The masks come from the training stream, so a resumed run draws
 * the same ones.
 */
public final class Dropout extends UnaryLayer {
    private final double probability;
    private final Supplier<Rng> rng;

    public Dropout(double probability, Supplier<Rng> rng) {
        if (!(probability >= 0 && probability < 1))
            throw new IllegalArgumentException("dropout needs a probability in [0, 1), not " + probability);
        this.probability = probability;
        this.rng = rng;
    }

    @Override
    public Variable forward(Variable x) {
        Mask mask = mask(x.shape());
        return mask == null ? x : autograd.ops.Dropout.dropout(x, mask);
    }

    /** The next mask, for values of this shape; {@code null} when nothing is dropped. */
    Mask mask(Shape shape) {
        if (probability == 0 || !Tape.isRecording()) return null;
        Rng stream = rng.get();
        return new Mask(1 - probability, stream.seed(), stream.skip(shape.size()));
    }
}
