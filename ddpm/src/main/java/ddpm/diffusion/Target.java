package ddpm.diffusion;

import static autograd.ops.Mul.mul;
import static autograd.ops.Pointwise.reciprocal;
import static autograd.ops.Sub.sub;

import autograd.Variable;
import tensor.Tensor;

/**
 * What the network predicts. With a = √ᾱ_t, b = √(1−ᾱ_t), so that x_t = a x₀ + b ε and a² + b² = 1, any one of the three
 * gives the other two:
 *
 * <pre>ε     x̂₀ = (x_t − b ε) / a
 * x₀    ε̂ = (x_t − a x₀) / b
 * v = a ε − b x₀     x̂₀ = a x_t − b v      ε̂ = b x_t + a v        (Salimans and Ho 2022, §4 and appendix D)</pre>
 */
public enum Target {
    /** The noise, as in Ho et al. 2020. Says nothing about x₀ where ᾱ_t = 0. */
    EPSILON {
        @Override
        Variable start(Variable xt, Variable a, Variable b, Variable output) {
            return mul(sub(xt, mul(b, output)), reciprocal(a));
        }

        @Override
        public Tensor truth(Tensor x0, Tensor eps, Tensor a, Tensor b) {
            return eps;
        }
    },
    /** The image. */
    X0 {
        @Override
        Variable start(Variable xt, Variable a, Variable b, Variable output) {
            return output;
        }

        @Override
        public Tensor truth(Tensor x0, Tensor eps, Tensor a, Tensor b) {
            return x0;
        }
    },
    /** The velocity: equally well posed at every t, ᾱ_t = 0 included. */
    V {
        @Override
        Variable start(Variable xt, Variable a, Variable b, Variable output) {
            return sub(mul(a, xt), mul(b, output));
        }

        @Override
        public Tensor truth(Tensor x0, Tensor eps, Tensor a, Tensor b) {
            return a.mul(eps).sub(b.mul(x0));
        }
    };

    /** x̂₀ [N,H,W,C] from the output, with a = √ᾱ_t and b = √(1−ᾱ_t) [N,1,1,1] or single numbers. */
    abstract Variable start(Variable xt, Variable a, Variable b, Variable output);

    /** What the network should have said: x0, eps [N,H,W,C], a, b [N,1,1,1] → [N,H,W,C]. */
    public abstract Tensor truth(Tensor x0, Tensor eps, Tensor a, Tensor b);
}
