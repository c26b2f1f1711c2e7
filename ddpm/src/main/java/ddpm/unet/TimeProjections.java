package ddpm.unet;

import static autograd.ops.Cast.cast;
import static autograd.ops.Concat.concat;
import static autograd.ops.Split.split;

import autograd.Variable;
import autograd.ops.Add;
import java.util.ArrayList;
import java.util.List;
import nn.Conv2d;
import nn.Linear;

/**
 * Tells the time to every block of a network, by one product for all of them instead of a small one for each:
 *
 * <pre>pᵢ = Wᵢ act(t) + bᵢ</pre>
 *
 * A block makes its Wᵢ, bᵢ itself, under its own name, and adds it here; its place among the results is what it gets in
 * return.
 */
final class TimeProjections {
    private final int width;
    private final Activation activation;
    private final List<Linear> maps = new ArrayList<>();
    private final List<Conv2d> convolutions = new ArrayList<>();

    /** For a time embedding of this width. */
    TimeProjections(int width, Activation activation) {
        this.width = width;
        this.activation = activation;
    }

    /** Width of the time embedding. */
    int width() {
        return width;
    }

    /** A further block's projection. */
    int add(Linear map) {
        maps.add(map);
        return maps.size() - 1;
    }

    /** One that is added to the result of a convolution, whose bias comes with it. All of a network are of this kind, or none. */
    int add(Linear map, Conv2d convolution) {
        convolutions.add(convolution);
        return add(map);
    }

    /** t [N, width] → pᵢ [N, outᵢ], exact, for every block, in the order of their places. */
    Variable[] forward(Variable t) {
        Variable all = Linear.sideBySide(activation.of(t), maps.toArray(Linear[]::new));
        if (!convolutions.isEmpty())
            all = Add.add(
                    all, concat(0, convolutions.stream().map(c -> c.bias(t)).toArray(Variable[]::new)));
        return split(
                cast(all, t.value().dtype().exact()),
                1,
                maps.stream().mapToInt(Linear::out).toArray());
    }
}
