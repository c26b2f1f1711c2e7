package tensor.backend.reference;

import tensor.backend.AdamParams;

/** What happens to parameters after a backward pass, in place. */
final class Updates {
    private Updates() {}

    /**
     * Adam (Kingma and Ba 2015, Algorithm 1), with λ the weight decay and t the number of this step:
     *
     * <pre>g = dw · gradientScale           ( + λ w, unless decoupled)
     * m ← β₁ m + (1 − β₁) g           m̂ = m / (1 − β₁ᵗ)
     * v ← β₂ v + (1 − β₂) g²          v̂ = v / (1 − β₂ᵗ)
     * w ← w − α m̂ / (√v̂ + eps)        ( − α λ w, if decoupled: Loshchilov and Hutter 2019, Algorithm 2)</pre>
     */
    static void adam(AdamParams p, double[] w, double[] dw, double[] m, double[] v) {
        double correction1 = 1 - Math.pow(p.beta1(), p.step());
        double correction2 = 1 - Math.pow(p.beta2(), p.step());
        double coupled = p.decoupled() ? 0 : p.weightDecay();
        double decoupled = p.decoupled() ? p.weightDecay() : 0;
        for (int i = 0; i < w.length; i++) {
            double g = dw[i] * p.gradientScale() + coupled * w[i];
            m[i] = p.beta1() * m[i] + (1 - p.beta1()) * g;
            v[i] = p.beta2() * v[i] + (1 - p.beta2()) * g * g;
            double step = (m[i] / correction1) / (Math.sqrt(v[i] / correction2) + p.eps());
            w[i] -= p.learningRate() * (step + decoupled * w[i]);
        }
    }

    /** average ← decay · average + (1 − decay) · w. */
    static void exponentialAverage(double decay, double[] average, double[] w) {
        for (int i = 0; i < w.length; i++) average[i] = decay * average[i] + (1 - decay) * w[i];
    }
}
