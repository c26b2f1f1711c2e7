package tensor.backend.cuda;

import java.util.ArrayList;
import java.util.List;
import tensor.DType;
import tensor.Tensor;
import tensor.memory.Buffer;

/**
 * Filters turned round, kept beside those that they were made of ({@link Buffer#companion}) until these change. An update changes
 * all of a network at once, so when one is wanted after it, all that have been wanted since the last time that this one was are
 * turned, in one launch:
 *
 * <pre>y[c, taps − 1 − t, k] = w[k, t, c]</pre>
 *
 * What is made in a recording is part of it, and is neither used beside it nor the other way round; it holds the filters that are
 * turned in it, which may be those of another network.
 */
final class TurnedFilters {
    private final Engine engine;
    private final List<Turned> all = new ArrayList<>();
    private final Turns turns = new Turns();
    /** How many times some were wanted. */
    private long calls;

    TurnedFilters(Engine engine) {
        this.engine = engine;
    }

    private final class Turned implements AutoCloseable {
        private final Buffer w;
        private final DType dtype;
        private final int k;
        private final int taps;
        private final int c;
        private Buffer filters; // null when there are none
        private long version;
        private long wanted; // which time was the last; 0 before there was one

        Turned(Tensor w, Geometry g) {
            this.w = w.buffer();
            dtype = w.dtype();
            k = g.k();
            taps = g.r() * g.s();
            c = g.c();
            all.add(this);
        }

        boolean suits(Tensor w, Geometry g) {
            return dtype == w.dtype() && k == g.k() && taps == g.r() * g.s() && c == g.c();
        }

        boolean isValid() {
            return filters != null && version == w.version();
        }

        /** Whether the other ones have been wanted since these were. */
        boolean isBefore(Turned other) {
            return wanted > 0 && other.wanted > wanted && other.dtype == dtype;
        }

        void make() {
            if (filters == null) filters = engine.scratch((long) k * taps * c * dtype.bytes());
            if (engine.recording() != null) engine.recording().holds(w);
            turns.add(w.address(), filters.address(), k, taps, c);
            version = w.version();
        }

        void drop() {
            if (filters != null) filters.release();
            filters = null;
        }

        @Override
        public void close() {
            drop();
            all.remove(this);
        }
    }

    /** The filters w of a convolution turned round; they stay as they are until w is written to. */
    Buffer of(Geometry g, Tensor w) {
        if (!(w.buffer().companion() instanceof Turned own && own.suits(w, g)))
            w.buffer().companion(new Turned(w, g));
        Turned turned = (Turned) w.buffer().companion();
        if (!turned.isValid()) {
            for (Turned each : List.copyOf(all))
                if (each == turned || turned.isBefore(each) && !each.isValid()) {
                    each.make();
                    if (turns.isFull()) launch(turned.dtype);
                }
            if (!turns.isEmpty()) launch(turned.dtype);
        }
        turned.wanted = ++calls;
        return turned.filters;
    }

    private void launch(DType dtype) {
        engine.launch(Kernel.TURN_FILTERS, dtype).entries(turns).grid(turns.pieces(), 1, 32, 8, 0);
        turns.clear();
    }

    /** Lets go of those of w, which are not wanted after all. */
    void forget(Tensor w) {
        if (w.buffer().companion() instanceof Turned) w.buffer().companion(null);
    }

    /** Lets go of them: what comes next is another recording, or none, or has other weights. When they were wanted stays known. */
    void drop() {
        all.forEach(Turned::drop);
    }
}
