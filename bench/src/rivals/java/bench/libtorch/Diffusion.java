package bench.libtorch;

import static bench.libtorch.Ops.free;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/** Linear beta schedule, q_sample and p_sample. */
final class Diffusion {
    final int steps;
    private final Tensor sqrtAcp;
    private final Tensor sqrtOneMinusAcp;
    private final Tensor betas;
    private final Tensor sqrtRecipAlphas;
    private final Tensor posteriorStd;

    Diffusion(int steps) {
        this.steps = steps;
        float[][] v = new float[5][steps];
        double acp = 1;
        for (int i = 0; i < steps; i++) {
            double beta = 1e-4 + (0.02 - 1e-4) * i / (steps - 1);
            double prev = acp;
            acp *= 1 - beta;
            v[0][i] = (float) Math.sqrt(acp);
            v[1][i] = (float) Math.sqrt(1 - acp);
            v[2][i] = (float) beta;
            v[3][i] = (float) Math.sqrt(1 / (1 - beta));
            v[4][i] = (float) Math.sqrt(beta * (1 - prev) / (1 - acp));
        }
        sqrtAcp = Tensor.create(v[0]);
        sqrtOneMinusAcp = Tensor.create(v[1]);
        betas = Tensor.create(v[2]);
        sqrtRecipAlphas = Tensor.create(v[3]);
        posteriorStd = Tensor.create(v[4]);
    }

    private static Tensor at(Tensor table, Tensor t) {
        return table.index_select(0, t).reshape(t.size(0), 1, 1, 1);
    }

    Tensor qSample(Tensor x0, Tensor t, Tensor noise) {
        Tensor a = at(sqrtAcp, t).mul(x0);
        Tensor b = at(sqrtOneMinusAcp, t).mul(noise);
        Tensor x = a.add(b);
        free(a, b);
        return x;
    }

    /** One reverse step; the last one (t = 0) adds no noise. */
    Tensor pSample(Net net, Tensor x, Tensor t, boolean last) {
        Tensor eps = net.forward(x, t).to(torch.ScalarType.Float);
        Tensor mean = at(sqrtRecipAlphas, t).mul(x.sub(at(betas, t).mul(eps).div(at(sqrtOneMinusAcp, t))));
        if (last) {
            return mean;
        }
        return mean.add(at(posteriorStd, t).mul(torch.randn_like(x)));
    }

    Tensor randomT(long batch) {
        return torch.randint(steps, new long[] {batch}, new TensorOptions()).to(torch.ScalarType.Long);
    }
}
