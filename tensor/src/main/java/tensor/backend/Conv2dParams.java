package tensor.backend;

import tensor.Shape;

/**
 * How a filter moves over an image.
 *
 * @param stride step of the filter in both directions, at least 1
 * @param top rows of zeros above the image (likewise {@code left}, {@code bottom}, {@code right})
 * @param groups the channels are cut into this many groups that do not see each other; C groups make a depthwise
 *     convolution
 * @param enlarge 1; or 2: what the filter moves over is [N,2H,2W,C], in which every pixel of x stands 2x2 times
 */
public record Conv2dParams(int stride, int top, int left, int bottom, int right, int groups, int enlarge) {
    public Conv2dParams {
        if (stride < 1
                || groups < 1
                || Math.min(Math.min(top, left), Math.min(bottom, right)) < 0
                || enlarge < 1
                || enlarge > 2)
            throw new IllegalArgumentException("bad convolution: stride " + stride + ", groups " + groups + ", padding "
                    + top + " " + left + " " + bottom + " " + right + ", enlarge " + enlarge);
    }

    /** Over x as it is. */
    public Conv2dParams(int stride, int top, int left, int bottom, int right, int groups) {
        this(stride, top, left, bottom, right, groups, 1);
    }

    /** The same padding on all four sides, one group. */
    public static Conv2dParams of(int stride, int pad) {
        return new Conv2dParams(stride, pad, pad, pad, pad, 1);
    }

    /** Each channel has a filter of its own. */
    public static Conv2dParams depthwise(int pad, int channels) {
        return new Conv2dParams(1, pad, pad, pad, pad, channels);
    }

    /** The same over an image that has the padding around it already. */
    public Conv2dParams bordered() {
        return new Conv2dParams(stride, 0, 0, 0, 0, groups, enlarge);
    }

    /** The same over an image enlarged so many times, or as it is. */
    public Conv2dParams enlarging(int times) {
        return new Conv2dParams(stride, top, left, bottom, right, groups, times);
    }

    /**
     * x [N,H,W,C], w [K,R,S,C/groups] → y [N,P,Q,K] with {@code P = (enlarge·H + top + bottom − R) / stride + 1}.
     *
     * @throws IllegalArgumentException when the channels do not match or the padded image is smaller than the filter
     */
    public Shape outputShape(Shape x, Shape w) {
        w.expect(-1, -1, -1, -1);
        x.expect(-1, -1, -1, w.get(3) * groups);
        if (w.get(0) % groups != 0)
            throw new IllegalArgumentException(w.get(0) + " filters cannot be cut into " + groups + " groups");
        int p = enlarge * x.get(1) + top + bottom - w.get(1);
        int q = enlarge * x.get(2) + left + right - w.get(2);
        if (p < 0 || q < 0)
            throw new IllegalArgumentException("image " + x + " with its padding is smaller than the filter " + w);
        return Shape.of(x.get(0), p / stride + 1, q / stride + 1, w.get(0));
    }

    /**
     * The image shape that a transposed convolution makes from dy [N,P,Q,K] with w [K,R,S,C/groups]: the smallest x
     * with {@code outputShape(x, w) = dy}, so {@code enlarge·H = (P − 1)·stride + R − top − bottom}.
     *
     * @throws IllegalArgumentException when that is no multiple of {@code enlarge}
     */
    public Shape transposedShape(Shape dy, Shape w) {
        dy.expect(-1, -1, -1, w.get(0));
        int rows = (dy.get(1) - 1) * stride + w.get(1) - top - bottom;
        int columns = (dy.get(2) - 1) * stride + w.get(2) - left - right;
        if (rows % enlarge != 0 || columns % enlarge != 0)
            throw new IllegalArgumentException(rows + " rows and " + columns + " columns are no image enlarged");
        return Shape.of(dy.get(0), rows / enlarge, columns / enlarge, w.get(3) * groups);
    }
}
