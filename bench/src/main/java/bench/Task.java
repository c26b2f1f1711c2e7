package bench;

import java.util.Locale;
import tensor.backend.Precision;

/**
 * Something that several contestants can do, written {@code kind:what:batch}, and with {@code :bf16} behind it where it is
 * to be computed in bfloat16.
 *
 * @param kind what sort of thing
 * @param what a preset with other settings behind it if need be, {@code annotated-resnet,dim=64} ({@link Workload}); for a
 *     kernel its case and call, as {@code KernelCall} writes them
 * @param batch images; 0 for a kernel, whose case says it
 * @param precision how exactly
 */
public record Task(Kind kind, String what, int batch, Precision precision) {
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
    public static Task kernel(String call, Precision precision) {
        return new Task(Kind.KERNEL, call, 0, precision);
    }

    /** Reads what {@link #toString} writes. */
    public static Task of(String text) {
        Precision precision = Precision.FP32;
        String rest = text;
        for (Precision each : Precision.values())
            if (text.endsWith(":" + each)) {
                precision = each;
                rest = text.substring(0, text.length() - each.toString().length() - 1);
            }
        int first = rest.indexOf(':');
        int last = rest.lastIndexOf(':');
        try {
            return new Task(
                    Kind.valueOf(rest.substring(0, first).toUpperCase(Locale.ROOT)),
                    rest.substring(first + 1, last),
                    Integer.parseInt(rest.substring(last + 1)),
                    precision);
        } catch (IllegalArgumentException | IndexOutOfBoundsException e) {
            throw new IllegalArgumentException(
                    "\"" + text
                            + "\" is not a task; one is step:annotated-resnet:32, step:annotated-resnet:32:bf16 or"
                            + " kernel:CASE / CALL:0",
                    e);
        }
    }

    @Override
    public String toString() {
        return kind.name().toLowerCase(Locale.ROOT) + ":" + what + ":" + batch
                + (precision == Precision.FP32 ? "" : ":" + precision);
    }
}
