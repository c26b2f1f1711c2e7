package tensor.backend.cpu;

import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Conv2dParams;
import tensor.backend.Region;

/** Padding as a part of the image: around x [N,H,W,C] lie the rows and columns that a convolution would count as zeros. */
final class Border {
    private Border() {}

    /** The shape of an image of this shape with its border. */
    static Shape shape(Conv2dParams p, Shape x) {
        return x.with(1, x.get(1) + p.top() + p.bottom()).with(2, x.get(2) + p.left() + p.right());
    }

    /** The part of an image with a border that is the image, of shape x. */
    static Region inside(Conv2dParams p, Tensor bordered, Shape x) {
        return Region.of(bordered).slice(1, p.top(), x.get(1)).slice(2, p.left(), x.get(2));
    }
}
