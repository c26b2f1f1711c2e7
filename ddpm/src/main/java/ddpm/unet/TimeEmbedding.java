package ddpm.unet;

import static autograd.ops.Pointwise.gelu;
import static autograd.ops.Pointwise.silu;

import autograd.Variable;
import nn.Init;
import nn.Layer;
import nn.Linear;

/**
 * Tells the network the timestep: {@link TimeFeatures}, then a small MLP.
 *
 * <pre>y = W₂ act(W₁ features(t) + b₁) + b₂</pre>
 *
 * t [N] → [N, width].
 */
final class TimeEmbedding extends Layer {
    private final TimeFeatures features;
    private final Linear first;
    private final Linear second;
    private final boolean gelu;

    private TimeEmbedding(TimeFeatures features, Linear first, Linear second, boolean gelu) {
        this.features = features;
        this.first = first;
        this.second = second;
        this.gelu = gelu;
    }

    /** A GELU inside; the layers are named 1 and 3, the features, where they have weights, 0. */
    static TimeEmbedding numbered(Init init, TimeFeatures features, int width) {
        TimeEmbedding made = new TimeEmbedding(
                features, new Linear(init, features.width(), width), new Linear(init, width, width), true);
        made.child("0", features);
        made.child("1", made.first);
        made.child("3", made.second);
        return made;
    }

    /** A SiLU inside; the layers are named linear_1 and linear_2, and the features are the caller's to name. */
    static TimeEmbedding named(Init init, TimeFeatures features, int width) {
        TimeEmbedding made = new TimeEmbedding(
                features, new Linear(init, features.width(), width), new Linear(init, width, width), false);
        made.child("linear_1", made.first);
        made.child("linear_2", made.second);
        return made;
    }

    Variable forward(Variable t) {
        Variable h = first.forward(features.forward(t));
        return second.forward(gelu ? gelu(h) : silu(h));
    }
}
