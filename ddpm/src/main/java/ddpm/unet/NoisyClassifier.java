package ddpm.unet;

import static autograd.ops.CrossEntropy.crossEntropy;
import static autograd.ops.Mean.mean;
import static autograd.ops.Scale.scale;

import autograd.Variable;
import java.util.ArrayList;
import java.util.List;
import nn.Conv2d;
import nn.GroupNorm;
import nn.Init;
import nn.Layer;
import nn.Linear;
import tensor.backend.NormParams;

/**
 * p(y | x_t, t): tells the class of a noisy picture, for classifier guidance. The way down of a {@link UNet2D}, told the
 * timestep in every block (Dhariwal and Nichol 2021, §4), at half the picture's resolution to be quick; then the mean over
 * the picture, where the paper pools by attention.
 *
 * <pre>x ─ 3x3/2 ─▶ [block ─ block, half] × (levels − 1) ─ block ─ norm, SiLU ─ mean over pixels ─ linear ─▶ logits</pre>
 */
public final class NoisyClassifier extends Layer {
    private static final int DIM = 32;
    private static final int GROUPS = 8;
    private static final int MOST_LEVELS = 3;
    /** The smallest side that is still halved. */
    private static final int SMALLEST = 8;

    private final int height;
    private final int width;
    private final int channels;
    private final int classes;
    private final Conv2d stem;
    private final TimeEmbedding time;
    private final TimeProjections times;
    private final List<UNet2DBlock> blocks = new ArrayList<>();
    private final GroupNorm norm;
    private final Linear logits;

    /** A classifier of pictures of one size; its parameters join the innermost scope. */
    public NoisyClassifier(int height, int width, int channels, int classes, Init init) {
        this.height = height;
        this.width = width;
        this.channels = channels;
        this.classes = classes;
        int h = (height + 1) / 2;
        int w = (width + 1) / 2;
        List<Integer> widths = new ArrayList<>(List.of(DIM));
        for (int side = 1; widths.size() < MOST_LEVELS && halves(h / side) && halves(w / side); side *= 2)
            widths.add(2 * DIM);
        // No dropout: a tape records when guiding, too, and the masks would be noise in the gradient.
        UNet2DConfig config = UNet2DConfig.ddpm(h, w, channels, widths, 1, List.of(), GROUPS, 0, true);
        stem = child("stem", new Conv2d(init, channels, DIM, 3, 2, 1));
        TimeFeatures features = child("time_proj", TimeFeatures.timesteps(init, DIM, 1, false));
        time = child("time_embedding", TimeEmbedding.named(init, features, config.timeWidth()));
        times = new TimeProjections(config.timeWidth(), config.activation());
        int in = DIM;
        for (int level = 0; level < widths.size(); level++) {
            in = block(config, init, in, widths.get(level), UNet2DBlock.Resample.NONE);
            if (level < widths.size() - 1) block(config, init, in, in, UNet2DBlock.Resample.HALF);
        }
        norm = child("norm", new GroupNorm(init, new NormParams(GROUPS, config.eps(), true), in));
        logits = child("logits", new Linear(init, in, classes));
    }

    private static boolean halves(int side) {
        return side % 2 == 0 && side >= SMALLEST;
    }

    private int block(UNet2DConfig config, Init init, int in, int out, UNet2DBlock.Resample resample) {
        blocks.add(child(
                "blocks." + blocks.size(), new UNet2DBlock(config, init, in, out, resample, 1, times, init::rng)));
        return out;
    }

    /** Number of classes it tells apart. */
    public int classes() {
        return classes;
    }

    /** x [N,H,W,C], t [N] → [N,classes]. */
    public Variable logits(Variable x, Variable t) {
        x.shape().expect(t.shape().get(0), height, width, channels);
        return local("classifier", () -> {
            Variable[] at = times.forward(time.forward(t));
            Variable h = stem.forward(x);
            for (UNet2DBlock block : blocks) h = block.forward(h, at);
            return logits.forward(mean(norm.forward(h), 1, 2));
        });
    }

    /** ln p(label | x, t) of each image: label [N] of whole numbers in 0 … classes−1 → [N]. */
    public Variable logProbability(Variable x, Variable t, Variable label) {
        return scale(crossEntropy(logits(x, t), label), -1);
    }
}
