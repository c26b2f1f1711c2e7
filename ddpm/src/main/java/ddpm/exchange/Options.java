package ddpm.exchange;

import ddpm.io.Json;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * The options in a JSON object, each asked for by name and type; at the end, what nobody asked for is refused. So an
 * option of another version is never silently ignored.
 */
final class Options {
    private final String what;
    private final Map<String, Object> values = new LinkedHashMap<>();
    private final Set<String> asked = new HashSet<>();

    /**
     * The options of an object.
     *
     * @param what what it describes, for messages
     */
    Options(String what, Map<?, ?> json) {
        this.what = what;
        json.forEach((key, value) -> values.put((String) key, value));
    }

    private IllegalArgumentException refuse(String key, String allowed) {
        Object value = values.get(key);
        String shown = value instanceof Map || value instanceof List ? "this" : Json.escaped(String.valueOf(value));
        return new IllegalArgumentException(what + ": " + key + " " + allowed + ", not " + shown);
    }

    /** Whether there is a value other than null. */
    boolean has(String key) {
        asked.add(key);
        return values.get(key) != null;
    }

    private <T> T value(String key, Class<T> type, String allowed, T otherwise) {
        asked.add(key);
        if (!values.containsKey(key)) return otherwise;
        if (!type.isInstance(values.get(key))) throw refuse(key, "needs " + allowed);
        return type.cast(values.get(key));
    }

    int whole(String key, long otherwise, long min) {
        long value = value(key, Long.class, "a whole number of at least " + min, otherwise);
        if (value < min || value > 1 << 24) throw refuse(key, "needs a whole number in " + min + ".." + (1 << 24));
        return (int) value;
    }

    double number(String key, double otherwise) {
        asked.add(key);
        if (!values.containsKey(key)) return otherwise;
        if (values.get(key) instanceof Number number) return number.doubleValue();
        throw refuse(key, "needs a number");
    }

    boolean flag(String key, boolean otherwise) {
        return value(key, Boolean.class, "true or false", otherwise);
    }

    String text(String key, String otherwise) {
        return value(key, String.class, "a text", otherwise);
    }

    /** One of some words, as the constant of an enum of the same spelling in capitals. */
    <E extends Enum<E>> E choice(String key, Class<E> type, E otherwise) {
        String word = value(key, String.class, "a text", otherwise == null ? null : word(otherwise));
        List<String> known = new ArrayList<>();
        for (E constant : type.getEnumConstants()) {
            known.add(word(constant));
            if (known.get(known.size() - 1).equals(word)) return constant;
        }
        throw refuse(key, "can be " + String.join(", ", known) + " here");
    }

    private static String word(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT);
    }

    double[] numbers(String key) {
        asked.add(key);
        if (values.get(key) instanceof List<?> list && list.stream().allMatch(Number.class::isInstance))
            return list.stream().mapToDouble(v -> ((Number) v).doubleValue()).toArray();
        throw refuse(key, "needs a list of numbers");
    }

    List<Integer> wholes(String key, List<Integer> otherwise) {
        asked.add(key);
        if (!values.containsKey(key)) return otherwise;
        if (values.get(key) instanceof List<?> list
                && list.stream().allMatch(v -> v instanceof Long n && n >= 0 && n <= 1 << 24))
            return list.stream().map(v -> ((Long) v).intValue()).toList();
        throw refuse(key, "needs a list of whole numbers");
    }

    /** One number for all of so many levels, or one for each. */
    List<Integer> each(String key, int levels, int otherwise) {
        if (values.get(key) instanceof List<?>) return wholes(key, List.of());
        return Collections.nCopies(levels, whole(key, otherwise, 1));
    }

    /** One flag for all of so many levels, or one for each; empty when there is none, or it is false or null. */
    List<Boolean> flags(String key, int levels) {
        asked.add(key);
        Object value = values.get(key);
        if (value == null || value.equals(false)) return List.of();
        if (value.equals(true)) return Collections.nCopies(levels, true);
        if (value instanceof List<?> list && list.stream().allMatch(Boolean.class::isInstance))
            return list.stream().map(Boolean.class::cast).toList();
        throw refuse(key, "needs true, false or a list of them");
    }

    List<String> texts(String key, List<String> otherwise) {
        asked.add(key);
        if (!values.containsKey(key)) return otherwise;
        if (values.get(key) instanceof List<?> list && list.stream().allMatch(String.class::isInstance))
            return list.stream().map(String.class::cast).toList();
        throw refuse(key, "needs a list of texts");
    }

    /** Height and width: one number for both, or two. */
    int[] sides(String key) {
        asked.add(key);
        Object value = values.get(key);
        if (value instanceof Long side && side >= 1 && side <= 1 << 16)
            return new int[] {side.intValue(), side.intValue()};
        if (value instanceof List<?> list && list.size() == 2) {
            List<Integer> sides = wholes(key, List.of());
            return new int[] {sides.get(0), sides.get(1)};
        }
        throw refuse(key, "needs a side or [height, width]");
    }

    /** An option that has one value here. */
    void only(String key, Object allowed) {
        asked.add(key);
        if (!values.containsKey(key)) return;
        Object value = values.get(key);
        boolean same = value instanceof Number a && allowed instanceof Number b
                ? a.doubleValue() == b.doubleValue()
                : java.util.Objects.equals(value, allowed);
        if (!same) throw refuse(key, "can only be " + allowed + " here");
    }

    /** Facts that change nothing. */
    void ignore(String... keys) {
        asked.addAll(List.of(keys));
    }

    /** Refuses what nobody asked for. */
    void done() {
        for (String key : values.keySet())
            if (!asked.contains(key))
                throw new IllegalArgumentException(what + ": the option " + Json.escaped(key)
                        + " is not known here, so what it asks for would be missing");
    }
}
