package optim;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import nn.Parameter;
import tensor.Tensor;
import tensor.backend.AdamParams;
import tensor.backend.Recording;

/**
 * Adam (Kingma and Ba 2015, Algorithm 1) and AdamW (Loshchilov and Hutter 2019):
 *
 * <pre>m ← β₁ m + (1 − β₁) g        v ← β₂ v + (1 − β₂) g²
 * w ← w − α (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)        AdamW first: w ← w − α λ w</pre>
 *
 * All parameters are updated in one call of the backend.
 */
public final class Adam implements Optimizer {
    private final double beta1;
    private final double beta2;
    private final double eps;
    private final double weightDecay;
    private final boolean decoupled;
    private final Map<String, Tensor> mean = new LinkedHashMap<>();
    private final Map<String, Tensor> square = new LinkedHashMap<>();
    private long steps;

    private Adam(
            Map<String, Parameter> parameters,
            double beta1,
            double beta2,
            double eps,
            double weightDecay,
            boolean decoupled) {
        this.beta1 = beta1;
        this.beta2 = beta2;
        this.eps = eps;
        this.weightDecay = weightDecay;
        this.decoupled = decoupled;
        parameters.forEach((name, parameter) -> {
            mean.put(name, parameter.value().fullLike(0));
            square.put(name, parameter.value().fullLike(0));
        });
    }

    /** Adam with β = (0.9, 0.999), ε = 1e−8; its moments join the innermost scope. */
    public static Adam adam(Map<String, Parameter> parameters) {
        return new Adam(parameters, 0.9, 0.999, 1e-8, 0, false);
    }

    /** Adam with an L2 penalty: λ w is added to the gradient. */
    public static Adam adam(
            Map<String, Parameter> parameters, double beta1, double beta2, double eps, double weightDecay) {
        return new Adam(parameters, beta1, beta2, eps, weightDecay, false);
    }

    /** AdamW: weights decay beside the update. */
    public static Adam adamW(
            Map<String, Parameter> parameters, double beta1, double beta2, double eps, double weightDecay) {
        return new Adam(parameters, beta1, beta2, eps, weightDecay, true);
    }

    @Override
    public void step(Updates updates, double learningRate, double gradientScale) {
        steps++;
        if (updates.names().length == 0) return;
        Tensor[] m = moments(mean, updates);
        Tensor[] v = moments(square, updates);
        AdamParams params =
                new AdamParams(learningRate, beta1, beta2, eps, weightDecay, decoupled, steps, gradientScale);
        m[0].backend().adam(params, updates.values(), updates.gradients(), m, v);
    }

    /**
     * Notes an update down in a recording: clipping to {@code limit}, this, and the average, in one. The step size, the
     * number of the update and the average's decay come from the recording's numbers.
     *
     * @param loss a gradient of a loss that is not finite is not used
     * @param ema may be {@code null}
     */
    public void record(Recording.Recorder recorder, Updates updates, double limit, Tensor loss, Ema ema) {
        Tensor[] m = moments(mean, updates);
        Tensor[] v = moments(square, updates);
        Tensor[] average = ema == null ? null : moments(ema.average(), updates);
        AdamParams params = new AdamParams(0, beta1, beta2, eps, weightDecay, decoupled, 1, 1);
        recorder.update(params, limit, loss, updates.values(), updates.gradients(), m, v, average);
    }

    private static Tensor[] moments(Map<String, Tensor> all, Updates updates) {
        return Arrays.stream(updates.names()).map(all::get).toArray(Tensor[]::new);
    }

    @Override
    public long steps() {
        return steps;
    }

    @Override
    public Map<String, Tensor> state() {
        Map<String, Tensor> state = new LinkedHashMap<>();
        mean.forEach((name, m) -> state.put("exp_avg/" + name, m));
        square.forEach((name, v) -> state.put("exp_avg_sq/" + name, v));
        return state;
    }

    @Override
    public void restore(long steps) {
        this.steps = steps;
    }
}
