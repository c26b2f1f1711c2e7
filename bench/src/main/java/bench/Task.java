package bench;

/**
 * Something that several contestants can do, written {@code kind:what:batch}.
 *
 * @param kind what sort of thing
 * @param what a preset, or for a kernel its case and call, as {@code KernelCall} writes them
 * @param batch images; 0 for a kernel, whose case says it
 */
public record Task(Kind kind, String what, int batch) {
    /** Sorts of tasks. */
    public enum Kind {
        /** One training step of a preset: batch, forward, backward, update. */
        STEP,
        /** One step of sampling with a preset's network: forward, and x_t to x_{t−1}. */
        SAMPLE,
        /** One call of an op at a network's shape. */
        KERNEL,
        /** One of the distinct calls of a preset's training step, {@code PRESET/NUMBER}, as {@code StepCalls} counts. */
        CALL
    }

    /** A kernel's task. */
    public static Task kernel(String call) {
        return new Task(Kind.KERNEL, call, 0);
    }

    /** Reads what {@link #toString} writes. */
    public static Task of(String text) {
        int first = text.indexOf(':');
        int last = text.lastIndexOf(':');
        try {
            return new Task(
                    Kind.valueOf(text.substring(0, first).toUpperCase(java.util.Locale.ROOT)),
                    text.substring(first + 1, last),
                    Integer.parseInt(text.substring(last + 1)));
        } catch (IllegalArgumentException | IndexOutOfBoundsException e) {
            throw new IllegalArgumentException(
                    "\"" + text + "\" is not a task; one is step:annotated-resnet:32 or kernel:CASE / CALL:0", e);
        }
    }

    @Override
    public String toString() {
        return kind.name().toLowerCase(java.util.Locale.ROOT) + ":" + what + ":" + batch;
    }
}
