package autograd.ops;

import static autograd.ops.Mean.mean;
import static autograd.ops.Reshape.reshape;

import autograd.Variable;
import tensor.Shape;

/** The mean of every square of size × size pixels. Shapes: x [N,H,W,C] → y [N, H/size, W/size, C]. */
public final class AveragePool {
    private AveragePool() {}

    public static Variable averagePool(Variable x, int size) {
        Shape s = x.shape().expect(-1, -1, -1, -1);
        if (s.get(1) % size != 0 || s.get(2) % size != 0)
            throw new IllegalArgumentException("an image " + s + " has no whole squares of " + size);
        return mean(reshape(x, s.get(0), s.get(1) / size, size, s.get(2) / size, size, s.get(3)), 2, 4);
    }
}
