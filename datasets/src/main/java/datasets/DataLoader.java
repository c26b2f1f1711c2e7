package datasets;

import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;

/**
 * An endless sequence of shuffled batches, prepared ahead by one background thread.
 *
 * <pre>epoch e:  π_e = permutation(seed, e)      batch b:  images π_e[b·B], …, π_e[min((b+1)·B, n) − 1]
 * batches per epoch = ⌈n/B⌉, of which the last may be short</pre>
 *
 * What batch (e, b) holds, flips included, depends on (seed, e, b) alone ({@link Shuffle}): not on threads, not on what was
 * read before. So {@link State} is three numbers, and a loader restored to it goes on bit for bit.
 *
 * <p>The buffers of a few batches circulate between the two threads; no pixels are allocated per batch. The loader itself is
 * for one thread. The background thread is a daemon and starts with the first {@link #next()}.
 */
public final class DataLoader implements AutoCloseable {
    /** Batches prepared ahead. */
    private static final int AHEAD = 3;

    private final Dataset dataset;
    private final int batchSize;
    private final boolean randomFlips;
    private final int batchesPerEpoch;
    private State state;
    private Producer producer;
    private Batch lent;
    private boolean closed;

    /**
     * The exact position: of what {@link #next()} has handed out, whatever has been prepared ahead.
     *
     * @param seed of the shuffle and the flips
     * @param epoch of the next batch, from 0
     * @param nextBatch its place in that epoch, from 0; below {@link #batchesPerEpoch()}
     */
    public record State(long seed, long epoch, int nextBatch) {
        State after(int batchesPerEpoch) {
            return nextBatch + 1 < batchesPerEpoch
                    ? new State(seed, epoch, nextBatch + 1)
                    : new State(seed, epoch + 1, 0);
        }
    }

    /** What a loader is made of. Unless said otherwise: no flips. */
    public static final class Builder {
        private final Dataset dataset;
        private final int batchSize;
        private final long seed;
        private boolean randomFlips;

        private Builder(Dataset dataset, int batchSize, long seed) {
            this.dataset = dataset;
            this.batchSize = batchSize;
            this.seed = seed;
        }

        /** Mirror every image left to right with probability ½, anew in every epoch. */
        public Builder randomFlips(boolean on) {
            randomFlips = on;
            return this;
        }

        /**
         * The loader, at the first batch of epoch 0.
         *
         * @throws DatasetException if a batch would be empty, or not fit into an array
         */
        public DataLoader open() {
            return new DataLoader(this);
        }
    }

    /** A loader over a set, in batches of {@code batchSize}. */
    public static Builder over(Dataset dataset, int batchSize, long seed) {
        return new Builder(dataset, batchSize, seed);
    }

    private DataLoader(Builder builder) {
        dataset = builder.dataset;
        batchSize = builder.batchSize;
        randomFlips = builder.randomFlips;
        if (batchSize < 1 || (long) batchSize * dataset.values() > Integer.MAX_VALUE - 16) {
            throw new DatasetException("batch size " + batchSize + ": expected 1.."
                    + (Integer.MAX_VALUE - 16) / dataset.values() + " for images of " + dataset.values() + " values");
        }
        batchesPerEpoch = (dataset.size() - 1) / batchSize + 1;
        state = new State(builder.seed, 0, 0);
    }

    /**
     * The next batch; waits for it if need be. The previous one is recycled by this call.
     *
     * @throws DatasetException if reading it failed on the background thread; the cause is the failure itself
     * @throws IllegalStateException if the loader is closed or the waiting thread is interrupted
     */
    public Batch next() {
        if (closed) {
            throw new IllegalStateException("this loader is closed");
        }
        if (producer == null) {
            producer = new Producer(state);
            producer.start();
        }
        if (lent != null) {
            producer.free.add(lent);
            lent = null;
        }
        lent = producer.take();
        state = state.after(batchesPerEpoch);
        return lent;
    }

    /** Where {@link #next()} will go on. */
    public State state() {
        return state;
    }

    /**
     * Goes on from a state of a loader over the same set with the same batch size and options. Its seed replaces this one's.
     *
     * @throws IllegalArgumentException if there is no such batch
     */
    public void restore(State to) {
        if (to.epoch() < 0 || to.nextBatch() < 0 || to.nextBatch() >= batchesPerEpoch) {
            throw new IllegalArgumentException(
                    to + ": no such batch: expected epoch 0.. and batch 0.." + (batchesPerEpoch - 1));
        }
        stop();
        state = to;
    }

    /** ⌈n/B⌉. */
    public int batchesPerEpoch() {
        return batchesPerEpoch;
    }

    /** Ends the background thread and waits for it. The batch handed out last stays readable. */
    @Override
    public void close() {
        closed = true;
        stop();
    }

    private void stop() {
        if (producer != null) {
            producer.stop();
            producer = null;
            lent = null;
        }
    }

    /** The background thread of one uninterrupted stretch: takes free buffers, hands on full ones, in order. */
    private final class Producer implements Runnable {
        final BlockingQueue<Batch> free = new ArrayBlockingQueue<>(AHEAD + 1);
        private final BlockingQueue<Batch> ready = new ArrayBlockingQueue<>(AHEAD + 2);
        private final Batch failed = new Batch(0, 0);
        private final Thread thread = new Thread(this, "data-loader");
        private final State from;
        private volatile Throwable failure;

        Producer(State from) {
            this.from = from;
        }

        void start() {
            for (int k = 0; k <= AHEAD; k++) {
                free.add(new Batch(batchSize, dataset.values()));
            }
            thread.setDaemon(true);
            thread.start();
        }

        @Override
        public void run() {
            try {
                int[] order = new int[dataset.size()];
                Shuffle.permute(from.seed(), from.epoch(), order);
                for (State at = from; ; at = at.after(batchesPerEpoch)) {
                    if (at.nextBatch() == 0) {
                        Shuffle.permute(at.seed(), at.epoch(), order);
                    }
                    Batch batch = free.take();
                    int start = at.nextBatch() * batchSize;
                    batch.fill(dataset, order, start, Math.min(batchSize, dataset.size() - start), at, randomFlips);
                    ready.put(batch);
                }
            } catch (InterruptedException e) {
                // stop() asked for it
            } catch (Throwable e) {
                failure = e;
                ready.add(failed);
            }
        }

        Batch take() {
            try {
                Batch batch = ready.take();
                if (batch != failed) {
                    return batch;
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException("interrupted while waiting for a batch", e);
            }
            ready.add(failed); // the next call finds it too
            throw new DatasetException(
                    dataset.name() + ": reading batch " + state.nextBatch() + " of epoch " + state.epoch() + " failed: "
                            + failure,
                    failure);
        }

        void stop() {
            thread.interrupt();
            boolean interrupted = false;
            while (thread.isAlive()) {
                try {
                    thread.join();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
