package tensor;

import tensor.backend.Backend;
import tensor.backend.Distribution;

/**
 * A stream of random numbers: a seed and how far it has been read. Because the generator is counter-based
 * ({@link tensor.backend.Philox}) this pair is the whole state; the same pair gives the same numbers on every backend, but
 * for the last bit of a normal one: logarithm, sine and cosine are the library's.
 */
public final class Rng {
    private final long seed;
    private long offset;

    /** The stream of {@code seed}, from its start. */
    public Rng(long seed) {
        this(seed, 0);
    }

    /** The stream of {@code seed}, continued at {@code offset}, a multiple of 4. */
    public Rng(long seed, long offset) {
        if (offset < 0 || offset % 4 != 0) throw new IllegalArgumentException("bad stream position " + offset);
        this.seed = seed;
        this.offset = offset;
    }

    /** Which stream this is. */
    public long seed() {
        return seed;
    }

    /** Index of the next draw. */
    public long offset() {
        return offset;
    }

    /** Continues at another position of the stream, a multiple of 4. */
    public void restart(long position) {
        offset = new Rng(seed, position).offset;
    }

    /** A new tensor of draws; moves the stream on by its size, rounded up to a multiple of 4. */
    public Tensor draw(Distribution distribution, Backend backend, DType dtype, Shape shape) {
        Tensor y = Tensor.empty(backend, dtype, shape);
        backend.random(distribution, seed, skip(shape.size()), y);
        return y;
    }

    /** Passes over this many draws, rounded up to a multiple of 4, for someone who makes them himself; where they begin. */
    public long skip(long draws) {
        long before = offset;
        offset += (draws + 3) / 4 * 4;
        return before;
    }

    /** Standard normal draws shaped like {@code x}. */
    public Tensor normalLike(Tensor x) {
        return draw(Distribution.NORMAL, x.backend(), x.dtype(), x.shape());
    }
}
