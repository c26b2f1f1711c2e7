package tensor.memory;

import java.lang.ref.Cleaner;
import java.util.concurrent.atomic.AtomicLong;

/**
 * One block of memory with a lifetime: reference-counted, by {@link Scope} and the tape only. A new buffer has one
 * reference; the last {@link #release} gives the block back to where it came from.
 *
 * <p>An unreachable buffer that was never released is a bug in the program: the {@linkplain #leaks() leak alarm} counts
 * and reports it, and its block is given back. Run with {@code -Dtensor.track=true} to learn where such a block was
 * allocated, and where one that is used after its release was released.
 */
public final class Buffer {
    /** The memory behind a buffer, given back exactly once. It must not refer to the buffer. */
    public interface Block {
        /** The address of the block, or 0 when the storage is a Java array. */
        long address();

        /** Size in bytes. */
        long bytes();

        /** Gives the block back; called on the thread that released the buffer. */
        void free();

        /** Gives the block back from the cleaner's thread, after a leak. */
        void freeAbandoned();
    }

    private static final System.Logger LOG = System.getLogger("tensor.memory");
    private static final boolean TRACK = Boolean.getBoolean("tensor.track");
    private static final Cleaner CLEANER = Cleaner.create();
    private static final AtomicLong LEAKS = new AtomicLong();

    /** What the cleaner may see: everything but the buffer itself. */
    private static final class State implements Runnable {
        Block block;
        final Throwable allocated = TRACK ? new Throwable("allocated here") : null;
        boolean freed;

        State(Block block) {
            this.block = block;
        }

        @Override
        public void run() {
            synchronized (this) {
                if (freed) return;
                freed = true;
            }
            LEAKS.incrementAndGet();
            LOG.log(
                    System.Logger.Level.WARNING,
                    "leaked a block of " + block.bytes() + " bytes"
                            + (TRACK ? "" : "; run with -Dtensor.track=true to see where it was allocated"),
                    allocated);
            block.freeAbandoned();
        }
    }

    private final State state;
    private final Cleaner.Cleanable cleanable;
    private int references = 1;
    private long version;
    private Throwable released;
    private Runnable making;
    private Runnable fence;
    private Runnable guard;
    private AutoCloseable companion;
    private Scope root;

    /** Takes over a block, with one reference. */
    public Buffer(Block block) {
        state = new State(block);
        cleanable = CLEANER.register(this, state);
    }

    /** Number of blocks so far that became unreachable without being released. */
    public static long leaks() {
        return LEAKS.get();
    }

    /**
     * The memory itself.
     *
     * @throws IllegalStateException after the last release
     */
    public Block block() {
        requireLive();
        if (making != null) {
            Runnable first = making;
            making = null;
            first.run();
        }
        awaitFence();
        return state.block;
    }

    private void awaitFence() {
        if (fence == null) return;
        Runnable first = fence;
        fence = null;
        first.run();
    }

    /** The memory as it is: nothing is made, and nobody waits. */
    Block unasked() {
        requireLive();
        return state.block;
    }

    /** Throws as {@link #block} does, and makes nobody wait. */
    public void requireLive() {
        if (references == 0)
            throw new IllegalStateException(
                    "this tensor's memory was released: it belonged to a scope that is closed, or to a tape that has"
                            + " swept past it (keep it with Scope.keep, or read it earlier)",
                    released);
    }

    /**
     * The contents are made when somebody asks for the block, and not at all when nobody does before its release.
     *
     * @param make writes them
     */
    public void putOff(Runnable make) {
        making = make;
    }

    /**
     * Whoever asks for the block next waits first: a backend still writes into it, beside the order in which it does its other
     * calls. What there was to wait for before is waited for, too.
     *
     * @param wait returns when the block may be used
     */
    public void fence(Runnable wait) {
        Runnable before = fence;
        fence = before == null
                ? wait
                : () -> {
                    before.run();
                    wait.run();
                };
    }

    /** Whether who asks for the block next may have to wait. */
    public boolean isAwaited() {
        return fence != null;
    }

    /**
     * Whoever writes into the block next waits first: it is still read beside that order.
     *
     * @param wait returns when the block may be written to
     */
    public void guard(Runnable wait) {
        guard = wait;
    }

    /** The address of the block; throws as {@link #block} does. */
    public long address() {
        return block().address();
    }

    /** Size in bytes. */
    public long bytes() {
        return state.block.bytes();
    }

    /** Whether the block is still there. */
    public boolean isLive() {
        return references > 0;
    }

    /**
     * Exchanges the contents for those of a buffer of the same backend, for tensors of the same size, by exchanging blocks: like
     * who writes into them it waits for who still reads.
     */
    public void exchange(Buffer other) {
        Block mine = block();
        state.block = other.block();
        other.state.block = mine;
        written();
        other.written();
    }

    /** Counts the writes: what is derived from the contents (a reordered copy, say) is valid for one version. */
    public long version() {
        return version;
    }

    /** To be called by a backend before it writes into the block. */
    public void written() {
        version++;
        Runnable first = guard;
        guard = null;
        if (first != null) first.run();
    }

    /** What a backend has derived from the contents, or {@code null}; closed with this buffer. */
    public AutoCloseable companion() {
        return companion;
    }

    /** Attaches what a backend has derived from the contents, or {@code null}; closes what was attached before. */
    public void companion(AutoCloseable derived) {
        AutoCloseable before = companion;
        companion = derived;
        close(before);
    }

    private static void close(AutoCloseable derived) {
        if (derived == null) return;
        try {
            derived.close();
        } catch (Exception e) {
            throw new IllegalStateException("could not release what was derived from a buffer", e);
        }
    }

    /** Notes the scope tree in which this buffer was made: its root must not close before the last release. */
    void madeUnder(Scope root) {
        if (this.root != null) return;
        this.root = root;
        root.made();
    }

    /** One more owner. */
    public Buffer retain() {
        requireLive();
        references++;
        return this;
    }

    /** One owner less; the last one gives the block back. */
    public void release() {
        requireLive();
        if (references == 1) awaitFence();
        if (--references > 0) return;
        if (TRACK) released = new Throwable("released here");
        synchronized (state) {
            state.freed = true;
        }
        cleanable.clean();
        state.block.free();
        if (root != null) root.unmade();
        close(companion);
    }
}
