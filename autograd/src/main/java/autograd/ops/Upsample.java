package autograd.ops;

import autograd.Op;
import autograd.Pullback;
import autograd.Tape;
import autograd.Variable;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.ReduceOp;
import tensor.backend.Region;

/**
 * Nearest-neighbour upsampling: every pixel becomes a square of factor × factor; dx sums the square. Shapes: x [N,H,W,C]
 * → y [N, H·factor, W·factor, C]. Keeps: nothing.
 */
public record Upsample(int factor) implements Op {
    public static Variable nearest(Variable x, int factor) {
        return Tape.record(new Upsample(factor), x);
    }

    @Override
    public Result apply(Tensor... in) {
        Shape s = in[0].shape().expect(-1, -1, -1, -1);
        Shape pixels = Shape.of(s.get(0), s.get(1), 1, s.get(2), 1, s.get(3));
        Shape squares = pixels.with(2, factor).with(4, factor);
        Tensor y = in[0].empty(Shape.of(s.get(0), s.get(1) * factor, s.get(2) * factor, s.get(3)));
        y.backend().copy(Region.of(in[0], pixels).repeat(2, factor).repeat(4, factor), Region.of(y, squares));
        return new Result(
                y,
                Pullback.perInput(
                        dy -> dy.reshape(squares).reduce(ReduceOp.SUM, pixels).reshape(s)));
    }
}
