package ddpm.diffusion;

import static autograd.ops.Mean.mean;
import static autograd.ops.Pointwise.abs;
import static autograd.ops.Pointwise.huber;
import static autograd.ops.Pointwise.square;
import static autograd.ops.Reshape.reshape;
import static autograd.ops.Sub.sub;

import autograd.Variable;

/** How far the predicted noise is from the true one. */
public enum LossKind {
    /** |ε − ε_θ|. */
    L1,
    /** (ε − ε_θ)², L_simple of Ho et al. 2020, Eq. 14. */
    L2,
    /** Smooth L1 with beta 1: half the square inside [−1, 1], linear outside; what the notebook trains with. */
    HUBER;

    /** The mean over the elements of each image: [N, …], [N, …] → [N]. */
    public Variable perImage(Variable truth, Variable prediction) {
        Variable difference = sub(truth, prediction);
        Variable loss = switch (this) {
            case L1 -> abs(difference);
            case L2 -> square(difference);
            case HUBER -> huber(difference);
        };
        return mean(reshape(loss, truth.shape().get(0), -1), 1);
    }
}
