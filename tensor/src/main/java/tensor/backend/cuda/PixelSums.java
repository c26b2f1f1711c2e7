package tensor.backend.cuda;

import tensor.Tensor;
import tensor.memory.Buffer;

/**
 * The sums of a gradient over the pixels of each image, left with it ({@link Buffer#companion}) by the kernel that made it. The
 * gradient of a bias that was added to these images is their sum over the images, and so need not read them again.
 *
 * @param sums floats, a row for each image, or for each slice of one, and a column for each channel
 * @param first the column of the gradient's first channel, where it is a part of what was made
 * @param channels of the gradient
 * @param version of the gradient's contents, of which these are the sums
 */
record PixelSums(Tensor sums, int first, int channels, long version) implements AutoCloseable {
    /** Leaves the columns from {@code first} on with dx, unless that outlives the recording that they are part of. */
    static void leave(Engine engine, Tensor dx, Tensor sums, int first) {
        Buffer buffer = dx.buffer();
        if (!engine.owns(buffer)) return;
        sums.buffer().retain();
        buffer.companion(new PixelSums(sums, first, dx.shape().get(-1), buffer.version()));
    }

    /** Leaves with dx what was left with another gradient, whose contents have come to be its own. */
    static void move(Engine engine, Tensor other, Tensor dx) {
        if (other.buffer().companion() instanceof PixelSums left) leave(engine, dx, left.sums, left.first);
    }

    /** Makes dbias of what was left with dy, when somebody asks for it; whether there was something. */
    static boolean take(Engine engine, Tensor dy, Tensor dbias) {
        if (!(dy.buffer().companion() instanceof PixelSums left)) return false;
        boolean valid = left.version == dy.buffer().version()
                && left.channels == dy.shape().get(-1)
                && engine.owns(left.sums.buffer());
        if (!valid) return false;
        int row = left.sums.shape().get(-1);
        engine.sums().add(left.sums.buffer(), left.sums.shape().size() / row, row, left.first, dbias);
        return true;
    }

    @Override
    public void close() {
        sums.buffer().release();
    }
}
