package tensor.backend;

import tensor.Tensor;

/**
 * Calls that a device has noted down and does again when told, all of them for the price of one: {@link Backend#record}.
 * They read and write the same memory each time, so what goes in and what comes out lies in tensors that were made before.
 *
 * <p>Three kinds of numbers are read anew in each replay ({@link Numbers}): where in the random stream it draws, and what
 * an update depends on. Every other number that the body computed with is part of what was noted.
 */
public interface Recording extends AutoCloseable {
    /**
     * What changes from one replay to the next.
     *
     * @param draws position in the random stream at the first draw; the others keep their distance from it
     * @param learningRate α of the update
     * @param step number of the update, at least 1, for Adam's bias corrections
     * @param decay of the moving average of the weights
     */
    record Numbers(long draws, double learningRate, long step, double decay) {
        /** For calls that draw nothing and update nothing. */
        public static final Numbers NONE = new Numbers(0, 0, 1, 0);
    }

    /**
     * What is to be noted. The host cannot look at anything in between: nothing may be read or uploaded. Nor may parameters be
     * updated but by the recorder, once.
     */
    @FunctionalInterface
    interface Body {
        void run(Recorder recorder);
    }

    /** What a body may ask for beside the calls of its backend. */
    interface Recorder {
        /**
         * One update: the gradients are scaled by min(1, limit/‖dw‖) (limit 0: not at all), Adam changes w, m and v, and
         * the averages follow w. Nothing changes when ‖dw‖ or the loss is not finite, nor in any replay that was begun
         * before the host has been told that ({@link Replay#norm}).
         *
         * @param p β₁, β₂, eps and weight decay; the rest of it comes from {@link Numbers}
         * @param average moving averages of w, or {@code null}
         */
        void update(
                AdamParams p,
                double limit,
                Tensor loss,
                Tensor[] w,
                Tensor[] dw,
                Tensor[] m,
                Tensor[] v,
                Tensor[] average);

        /** After each replay the values of this tensor, which was made before, are sent to the host; one tensor. */
        void send(Tensor results);
    }

    /**
     * What a replay gives the host, which waits for it and for nothing that was begun after it. Of the last two replays it can be
     * asked for; with the next one, what the one before the last has sent is lost.
     */
    interface Replay {
        /** What {@link Recorder#send} was told to send. */
        float[] values();

        /** ‖dw‖ in the update. */
        double norm();
    }

    /** Does it all once more, with these numbers; returns before it is done. */
    Replay replay(Numbers now);

    /** Gives back what the device holds for it. */
    @Override
    void close();
}
