package ddpm.diffusion;

import autograd.Variable;
import autograd.ops.HuberLoss;
import autograd.ops.L1Loss;
import autograd.ops.MeanSquaredError;

/** How far the predicted noise is from the true one; the mean over all elements. */
public enum LossKind {
    /** |ε − ε_θ|. */
    L1,
    /** (ε − ε_θ)², L_simple of Ho et al. 2020, Eq. 14. */
    L2,
    /** Smooth L1 with beta 1: half the square inside [−1, 1], linear outside; what the notebook trains with. */
    HUBER;

    /** The loss between two tensors of one shape, rank 0. */
    public Variable between(Variable truth, Variable prediction) {
        return switch (this) {
            case L1 -> L1Loss.l1Loss(truth, prediction);
            case L2 -> MeanSquaredError.meanSquaredError(truth, prediction);
            case HUBER -> HuberLoss.huberLoss(truth, prediction);
        };
    }
}
