package optim;

/** The step size as a function of the number of updates done, from 0. */
@FunctionalInterface
public interface LearningRate {
    /** α for the update after {@code step} updates. */
    double at(long step);

    /** Always the same. */
    static LearningRate constant(double peak) {
        return step -> peak;
    }

    /** From {@code peak} along half a cosine to 0 at {@code steps} (Loshchilov and Hutter 2017, without restarts). */
    static LearningRate cosine(double peak, long steps) {
        return step -> peak * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, (double) step / steps)));
    }

    /** From {@code peak} along a line to 0 at {@code steps}. */
    static LearningRate linear(double peak, long steps) {
        return step -> peak * Math.max(0, 1 - (double) step / steps);
    }

    /** This, multiplied for the first {@code warmup} updates by a factor that rises in a line to 1. */
    default LearningRate warmedUp(long warmup) {
        return step -> at(step) * (step < warmup ? (step + 1.0) / warmup : 1);
    }
}
