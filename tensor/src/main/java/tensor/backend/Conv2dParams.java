package tensor.backend;

import tensor.Shape;

/**
 * How a filter moves over an image.
 *
 * @param stride step of the filter in both directions, at least 1
 * @param top rows of zeros above the image (likewise {@code left}, {@code bottom}, {@code right})
 * @param groups the channels are cut into this many groups that do not see each other; C groups make a depthwise
 *     convolution
 */
public record Conv2dParams(int stride, int top, int left, int bottom, int right, int groups) {
    public Conv2dParams {
        if (stride < 1 || groups < 1 || Math.min(Math.min(top, left), Math.min(bottom, right)) < 0)
            throw new IllegalArgumentException("bad convolution: stride " + stride + ", groups " + groups + ", padding "
                    + top + " " + left + " " + bottom + " " + right);
    }

    /** The same padding on all four sides, one group. */
    public static Conv2dParams of(int stride, int pad) {
        return new Conv2dParams(stride, pad, pad, pad, pad, 1);
    }

    /** Each channel has a filter of its own. */
    public static Conv2dParams depthwise(int pad, int channels) {
        return new Conv2dParams(1, pad, pad, pad, pad, channels);
    }

    /**
     * x [N,H,W,C], w [K,R,S,C/groups] → y [N,P,Q,K] with {@code P = (H + top + bottom − R) / stride + 1}.
     *
     * @throws IllegalArgumentException when the channels do not match or the padded image is smaller than the filter
     */
    public Shape outputShape(Shape x, Shape w) {
        w.expect(-1, -1, -1, -1);
        x.expect(-1, -1, -1, w.get(3) * groups);
        if (w.get(0) % groups != 0)
            throw new IllegalArgumentException(w.get(0) + " filters cannot be cut into " + groups + " groups");
        int p = x.get(1) + top + bottom - w.get(1);
        int q = x.get(2) + left + right - w.get(2);
        if (p < 0 || q < 0)
            throw new IllegalArgumentException("image " + x + " with its padding is smaller than the filter " + w);
        return Shape.of(x.get(0), p / stride + 1, q / stride + 1, w.get(0));
    }

    /**
     * The image shape that a transposed convolution makes from dy [N,P,Q,K] with w [K,R,S,C/groups]: the smallest x
     * with {@code outputShape(x, w) = dy}, so {@code H = (P − 1)·stride + R − top − bottom}.
     */
    public Shape transposedShape(Shape dy, Shape w) {
        dy.expect(-1, -1, -1, w.get(0));
        return Shape.of(
                dy.get(0),
                (dy.get(1) - 1) * stride + w.get(1) - top - bottom,
                (dy.get(2) - 1) * stride + w.get(2) - left - right,
                w.get(3) * groups);
    }
}
