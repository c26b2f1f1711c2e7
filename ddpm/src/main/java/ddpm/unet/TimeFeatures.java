package ddpm.unet;

import static autograd.ops.Concat.concat;
import static autograd.ops.Gather.gather;
import static autograd.ops.Mul.mul;
import static autograd.ops.Pointwise.cos;
import static autograd.ops.Pointwise.log;
import static autograd.ops.Pointwise.sin;
import static autograd.ops.Reshape.reshape;
import static autograd.ops.Scale.scale;

import autograd.Variable;
import nn.Init;
import nn.Parameter;
import nn.UnaryLayer;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Distribution;

/**
 * A timestep as a row of numbers that a linear layer can use: t [N] → [N, width].
 *
 * <p>Sinusoids turn t by up to a thousand radians, where the last bit of a frequency is visible in the result. So the
 * frequencies are rounded to single precision in the order in which the published classes round them.
 */
abstract class TimeFeatures extends UnaryLayer {
    private final int width;

    private TimeFeatures(int width) {
        this.width = width;
    }

    /** Numbers in a row. */
    final int width() {
        return width;
    }

    /** sin(t ω_i) then cos(t ω_i), ω_i = θ^{−i/(h−1)}, i = 0 … h−1, h = dim/2 (Vaswani et al. 2017, §3.5). */
    static TimeFeatures sinusoids(Init init, int dim, double theta) {
        int half = dim / 2;
        float slope = (float) (-Math.log(theta) / (half - 1));
        double[] omega = new double[half];
        for (int i = 0; i < half; i++) omega[i] = (float) Math.exp(i * slope);
        return new Sinusoids(init, omega, false);
    }

    /** The same with ω_i = 10000^{−i/(h−shift)}, and the cosines first when asked, as diffusers has it. */
    static TimeFeatures timesteps(Init init, int dim, int shift, boolean cosinesFirst) {
        int half = dim / 2;
        double[] omega = new double[half];
        for (int i = 0; i < half; i++)
            omega[i] = (float) Math.exp((float) -Math.log(10000) * i / (float) (half - shift));
        return new Sinusoids(init, omega, cosinesFirst);
    }

    private static final class Sinusoids extends TimeFeatures {
        private final Variable frequencies; // [1, h]
        private final boolean cosinesFirst;

        Sinusoids(Init init, double[] omega, boolean cosinesFirst) {
            super(2 * omega.length);
            frequencies = Variable.constant(Tensor.of(init.backend(), init.dtype(), Shape.of(1, omega.length), omega));
            this.cosinesFirst = cosinesFirst;
        }

        @Override
        public Variable forward(Variable t) {
            Variable angle = mul(reshape(t, -1, 1), frequencies); // [N, h]
            return cosinesFirst ? concat(1, cos(angle), sin(angle)) : concat(1, sin(angle), cos(angle));
        }
    }

    /** sin(2π w_i x) then cos(2π w_i x), after x itself when asked; the w are drawn, and trained only when asked. */
    static final class Fourier extends TimeFeatures {
        private final Parameter frequencies; // [h]
        private final boolean ofLogarithm;
        private final boolean withInput;

        private Fourier(Init init, String name, int half, double spread, boolean trained, boolean log, boolean input) {
            super(2 * half + (input ? 1 : 0));
            Tensor w = init.rule() == Init.Rule.ZERO
                    ? init.constant(Shape.of(half), 0)
                    : init.rng()
                            .draw(Distribution.NORMAL, init.backend(), init.dtype(), Shape.of(half))
                            .mul(spread);
            frequencies = trained ? parameter(name, w, Parameter.Layout.PLAIN) : fixed(name, w, Parameter.Layout.PLAIN);
            ofLogarithm = log;
            withInput = input;
        }

        @Override
        public Variable forward(Variable t) {
            Variable x = reshape(t, -1, 1);
            if (ofLogarithm) x = log(x);
            // In this order, each product rounded, as in the published classes.
            double pi = frequencies.value().dtype() == DType.F64 ? Math.PI : (float) Math.PI;
            Variable angle = scale(scale(mul(x, reshape(frequencies.variable(), 1, -1)), 2), pi); // [N, h]
            return withInput ? concat(1, x, sin(angle), cos(angle)) : concat(1, sin(angle), cos(angle));
        }
    }

    /** Diffusers' random features of ln t, never trained. */
    static TimeFeatures fourier(Init init, int dim) {
        return new Fourier(init, "weight", dim, 16, false, true, false);
    }

    /** Lucidrains' features of t, with t itself in front; {@code dim} is even. */
    static TimeFeatures learned(Init init, int dim, boolean trained) {
        return new Fourier(init, "weights", dim / 2, 1, trained, false, true);
    }

    /** One learned row for each of T timesteps. */
    static TimeFeatures table(Init init, int timesteps, int dim) {
        return new TimeFeatures(dim) {
            private final Parameter rows = parameter(
                    "weight",
                    init.rule() == Init.Rule.ZERO
                            ? init.constant(Shape.of(timesteps, dim), 0)
                            : init.rng()
                                    .draw(Distribution.NORMAL, init.backend(), init.dtype(), Shape.of(timesteps, dim)),
                    Parameter.Layout.PLAIN);

            @Override
            public Variable forward(Variable t) {
                return gather(rows.variable(), t);
            }
        };
    }
}
