package optim;

import java.util.LinkedHashMap;
import java.util.Map;
import nn.Parameter;
import tensor.Tensor;
import tensor.memory.Scope;

/**
 * Exponential moving average of the weights: {@code w̄ ← d w̄ + (1 − d) w} after every update. Samples are drawn from w̄.
 *
 * <p>Warm-up: {@code d = min(decay, (1 + n) / (10 + n))} at update n (from 0), so that early averages follow the fast
 * changes; without it the average is mostly the random start for thousands of steps.
 */
public final class Ema {
    private final double decay;
    private final Map<String, Tensor> average = new LinkedHashMap<>();
    private final Tensor[] from;
    private final Tensor[] to;

    /** Starts as a copy of the parameters; the averages join the innermost scope. */
    public Ema(Map<String, Parameter> parameters, double decay) {
        if (!(decay >= 0 && decay < 1))
            throw new IllegalArgumentException("the EMA decay must be in [0, 1), not " + decay);
        this.decay = decay;
        parameters.forEach((name, p) -> average.put(name, p.value().emptyLike().set_(p.value())));
        from = parameters.values().stream().map(Parameter::value).toArray(Tensor[]::new);
        to = average.values().toArray(Tensor[]::new);
    }

    /** Starts again as a copy of the parameters, after these were set to something new. */
    public void restart() {
        for (int i = 0; i < from.length; i++) to[i].set_(from[i]);
    }

    /** To be called after update number {@code step}, from 0. */
    public void update(long step) {
        from[0].backend().exponentialAverage(decayAt(step), to, from);
    }

    /** d at update {@code step}. */
    public double decayAt(long step) {
        return Math.min(decay, (1.0 + step) / (10.0 + step));
    }

    /** w̄ by parameter name. */
    public Map<String, Tensor> average() {
        return average;
    }

    /** Runs {@code body} with the averages in the parameters' place and puts the parameters back, whatever happens. */
    public void within(Runnable body) {
        int swapped = 0;
        try {
            for (; swapped < from.length; swapped++) swap(swapped);
            body.run();
        } finally {
            while (swapped > 0) swap(--swapped);
        }
    }

    private void swap(int i) {
        try (Scope scope = Scope.open("swap")) {
            // where memory is short, this fails, and nothing is changed
            Tensor kept = from[i].emptyLike().set_(from[i]);
            from[i].set_(to[i]);
            to[i].set_(kept);
        }
    }
}
