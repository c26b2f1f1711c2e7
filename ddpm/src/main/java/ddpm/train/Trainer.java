package ddpm.train;

import java.util.Arrays;
import optim.LearningRate;

/**
 * Runs a {@link Training} to its end: how many steps, when to save, when to draw samples, when to stop. What it has to
 * tell goes to {@link Output}.
 *
 * <p>The length of a run is the smallest of {@code steps}, {@code epochs}, and what fits into {@code max-minutes}: the
 * time of the first steps is measured, the time for drawing samples is set aside, and the number of steps that comes of it
 * is written into {@code config.json}, so that a resumed run has the same learning rates.
 */
public final class Trainer {
    /** What the trainer reports to. */
    public interface Output {
        /** The number of steps is known now. */
        void planned(long steps, double secondsPerStep);

        /** After every update. */
        void step(StepReport report);

        /** Draws a grid of samples and files it under the step. */
        void samples(long step);

        /** Saves everything; returns when it is safely on disk. */
        void checkpoint(long step);
    }

    /** First steps that do not count: caches fill. */
    private static final int WARM = 4;
    /** Part of the time that does not count either: code is compiled, and steps become up to half again as fast meanwhile. */
    private static final double WARM_PART = 0.12;
    /** Steps that are measured to plan the run. */
    private static final int MEASURED = 12;
    /** Part of the time after which the run is planned, however few steps have been measured. */
    private static final double PLANNED_PART = 0.25;
    /** Seconds between checkpoints when the settings leave it open. */
    private static final double SAVE_SECONDS = 120;
    /** Parts of the run after which samples are drawn when the settings leave it open. */
    private static final double[] SAMPLE_AT = {0.1, 0.3, 0.6};

    private final Training training;
    private final Settings settings;
    private final Output output;
    private final Interrupts interrupts;
    private long lastSaved = -1;
    private int sampled; // of SAMPLE_AT
    private double savedAt = seconds();

    public Trainer(Training training, Output output, Interrupts interrupts) {
        this.training = training;
        this.settings = training.settings();
        this.output = output;
        this.interrupts = interrupts;
    }

    /**
     * Trains to the end, or until a stop is asked for; either way the last state is saved.
     *
     * @param planned number of steps when it is known already (a resumed run), else 0
     * @param samplingSeconds how long one sample grid takes, for planning
     * @return number of steps the run has in all; it is complete when {@code training.step()} has reached it
     */
    public long run(long planned, double samplingSeconds) {
        long steps = planned > 0 ? planned : bound();
        boolean open = planned == 0 && settings.maxMinutes() > 0;
        if (!open) output.planned(steps, Double.NaN);
        double[] times = new double[MEASURED];
        int measured = 0;
        double fastest = Double.POSITIVE_INFINITY;
        double total = settings.maxMinutes() * 60;
        long begin = training.step();
        while (sampled < SAMPLE_AT.length && begin >= sampleAt(steps)) sampled++;
        double start = seconds();
        while (training.step() < steps && (training.isUnderWay() || !interrupts.requested())) {
            LearningRate rate = settings.learningRate(steps);
            double before = seconds();
            long next = training.step() + 1;
            double passed = before - start;
            boolean late = open && next > begin + 1;
            late &= next > begin + WARM ? passed > PLANNED_PART * total : passed + fastest > total;
            boolean last = next == steps || late || open && measured + 1 >= MEASURED;
            boolean sampling = samplesAreDue(next, steps);
            boolean saving = saveIsDue(next);
            boolean looked = last || sampling || saving || interrupts.requested(); // at the state, after this step
            StepReport report = training.step(rate, !looked);
            boolean warm = training.step() - begin > WARM && passed > WARM_PART * total;
            double took = seconds() - before;
            fastest = Math.min(fastest, took);
            if (open && warm) times[measured++] = took;
            if (open && (measured == MEASURED || late || training.step() == steps)) {
                double perStep = measured == 0 ? fastest : median(Arrays.copyOf(times, measured));
                double left = total - (seconds() - start);
                long fitting = Math.max(0, fitting(left, perStep, samplingSeconds));
                steps = training.step() + Math.min(steps - training.step(), fitting);
                open = false;
                output.planned(steps, measured == 0 && !late ? Double.NaN : perStep);
            }
            output.step(report);
            if (next < steps) {
                if (sampling) output.samples(next);
                if (saving) save();
            }
        }
        if (lastSaved != training.step()) save();
        return steps;
    }

    /** The number of steps that the settings allow, not looking at time. */
    private long bound() {
        if (settings.steps() > 0) return settings.steps();
        if (settings.epochs() > 0) return Math.multiplyExact(settings.epochs(), training.stepsPerEpoch());
        return Long.MAX_VALUE;
    }

    /** How many steps fit into so many seconds with the samples on the way and those at the end. */
    private long fitting(double left, double perStep, double samplingSeconds) {
        if (settings.sampleEvery() == 0) return (long) ((left - samplingSeconds * (SAMPLE_AT.length + 1)) / perStep);
        return (long) ((left - samplingSeconds) / (perStep + samplingSeconds / settings.sampleEvery()));
    }

    private boolean samplesAreDue(long step, long steps) {
        if (settings.sampleEvery() > 0) return step % settings.sampleEvery() == 0;
        if (sampled == SAMPLE_AT.length || step < sampleAt(steps)) return false;
        sampled++;
        return true;
    }

    private long sampleAt(long steps) {
        return Math.round(SAMPLE_AT[sampled] * steps);
    }

    private boolean saveIsDue(long step) {
        return settings.saveEvery() > 0 ? step % settings.saveEvery() == 0 : seconds() - savedAt > SAVE_SECONDS;
    }

    private void save() {
        output.checkpoint(training.step());
        lastSaved = training.step();
        savedAt = seconds();
    }

    private static double median(double[] times) {
        double[] sorted = times.clone();
        Arrays.sort(sorted);
        return sorted[sorted.length / 2];
    }

    private static double seconds() {
        return System.nanoTime() * 1e-9;
    }
}
