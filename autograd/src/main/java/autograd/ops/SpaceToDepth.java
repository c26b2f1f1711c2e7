package autograd.ops;

import autograd.Op;
import autograd.Pullback;
import autograd.Tape;
import autograd.Variable;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Region;

/**
 * Squares of block × block pixels become channels; nothing is lost. Channel c of the pixel in row i, column j of a square
 * becomes channel {@code c·block² + i·block + j}, the order of {@code "b c (h i) (w j) -> b (c i j) h w"}. Shapes:
 * x [N,H,W,C] → y [N, H/block, W/block, C·block²]. Keeps: nothing.
 */
public record SpaceToDepth(int block) implements Op {
    public static Variable spaceToDepth(Variable x, int block) {
        return Tape.record(new SpaceToDepth(block), x);
    }

    @Override
    public Result apply(Tensor... in) {
        Shape s = in[0].shape().expect(-1, -1, -1, -1);
        int h = s.get(1) / block;
        int w = s.get(2) / block;
        if (h * block != s.get(1) || w * block != s.get(2))
            throw new IllegalArgumentException("an image " + s + " has no whole squares of " + block);
        Shape squares = Shape.of(s.get(0), h, block, w, block, s.get(3)); // n h i w j c
        Tensor y = in[0].empty(Shape.of(s.get(0), h, w, s.get(3) * block * block));
        Shape depth = Shape.of(s.get(0), h, w, s.get(3), block, block); // n h w c i j
        y.backend().copy(Region.of(in[0], squares).permute(0, 1, 3, 5, 2, 4), Region.of(y, depth));
        return new Result(y, Pullback.perInput(dy -> {
            Tensor dx = dy.empty(s);
            dy.backend().copy(Region.of(dy, depth), Region.of(dx, squares).permute(0, 1, 3, 5, 2, 4));
            return dx;
        }));
    }
}
