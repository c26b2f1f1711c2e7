package optim;

import java.util.LinkedHashMap;
import java.util.Map;
import nn.Parameter;
import tensor.Tensor;
import tensor.backend.AdamParams;

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
        Tensor[] m = new Tensor[updates.names().length];
        Tensor[] v = new Tensor[m.length];
        for (int i = 0; i < m.length; i++) {
            m[i] = mean.get(updates.names()[i]);
            v[i] = square.get(updates.names()[i]);
        }
        AdamParams params =
                new AdamParams(learningRate, beta1, beta2, eps, weightDecay, decoupled, steps, gradientScale);
        m[0].backend().adam(params, updates.values(), updates.gradients(), m, v);
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
