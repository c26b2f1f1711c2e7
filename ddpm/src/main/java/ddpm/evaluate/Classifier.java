package ddpm.evaluate;

import static autograd.ops.Reshape.reshape;

import autograd.Variable;
import java.util.function.Supplier;
import nn.Conv2d;
import nn.Dropout;
import nn.GroupNorm;
import nn.Init;
import nn.Layer;
import nn.Linear;
import tensor.Rng;
import tensor.Shape;
import tensor.backend.NormParams;

/**
 * The eye of the evaluation: a small network that tells the ten kinds of Fashion-MNIST apart, and whose {@value #FEATURES}
 * features before the last layer are the space in which generated and real images are compared.
 *
 * <pre>28x28x1 ─ 5x5/2 ─▶ 14x14x32 ─ 3x3 ─▶ 14x14x48 ─ 3x3/2 ─▶ 7x7x96 ─ 1x1 ─▶ 7x7x24 ─ linear ─▶ 512 ─ linear ─▶ 10</pre>
 *
 * Group norm and SiLU after every convolution, SiLU on the features.
 */
public final class Classifier extends Layer {
    /** Side of the images that it sees. */
    public static final int SIDE = 28;
    /** Numbers that describe an image. */
    public static final int FEATURES = 512;
    /** Kinds it tells apart. */
    public static final int CLASSES = 10;

    private static final int GROUPS = 8;
    private static final double EPS = 1e-5;
    private static final double DROPOUT = 0.25;
    private static final int BOTTOM = SIDE / 4;

    private final Conv2d conv1;
    private final GroupNorm norm1;
    private final Conv2d conv2;
    private final GroupNorm norm2;
    private final Conv2d conv3;
    private final GroupNorm norm3;
    private final Conv2d conv4;
    private final GroupNorm norm4;
    private final Linear features;
    private final Linear classes;
    private final Dropout dropout;

    /** Its parameters join the innermost scope. */
    public Classifier(Init init, Supplier<Rng> random) {
        conv1 = child("conv1", new Conv2d(init, 1, 32, 5, 2, 2));
        norm1 = child("norm1", norm(init, 32));
        conv2 = child("conv2", new Conv2d(init, 32, 48, 3, 1, 1));
        norm2 = child("norm2", norm(init, 48));
        conv3 = child("conv3", new Conv2d(init, 48, 96, 3, 2, 1));
        norm3 = child("norm3", norm(init, 96));
        conv4 = child("conv4", new Conv2d(init, 96, 24, 1, 1, 0));
        norm4 = child("norm4", norm(init, 24));
        features = child("features", new Linear(init, BOTTOM * BOTTOM * 24, FEATURES));
        classes = child("classes", new Linear(init, FEATURES, CLASSES));
        dropout = new Dropout(DROPOUT, random);
    }

    private static GroupNorm norm(Init init, int channels) {
        return new GroupNorm(init, new NormParams(GROUPS, EPS, true), channels);
    }

    /** x [N,28,28,1] in [−1, 1] → [N,512]. */
    public Variable features(Variable x) {
        Shape shape = x.shape().expect(-1, SIDE, SIDE, 1);
        return local("features", () -> {
            Variable h = norm1.forward(conv1.forward(x));
            h = norm2.forward(conv2.forward(h));
            h = norm3.forward(conv3.forward(h));
            h = norm4.forward(conv4.forward(h));
            return autograd.ops.Pointwise.silu(features.forward(reshape(h, shape.get(0), -1)));
        });
    }

    /** features [N,512] → logits [N,10]. */
    public Variable logits(Variable features) {
        return classes.forward(dropout.forward(features));
    }
}
