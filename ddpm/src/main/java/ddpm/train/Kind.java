package ddpm.train;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What values a {@link Setting} takes: how they are read from a command line and from JSON, and what is allowed. A bad
 * value throws {@link IllegalArgumentException} whose message says what is allowed and what was found.
 */
sealed interface Kind {
    /** Reads a value from a command line. */
    Object fromText(String text);

    /** Reads a value from JSON: String, Long, Double, Boolean or a List. */
    default Object fromJson(Object json) {
        if (json instanceof String text) return fromText(text);
        throw refuse(json);
    }

    /** What is allowed, for messages and help. */
    String allowed();

    private IllegalArgumentException refuse(Object found) {
        return new IllegalArgumentException("needs " + allowed() + ", not " + found);
    }

    /** A JSON object: written out in a file of settings, named by its file on a command line. */
    record Document() implements Kind {
        @Override
        public Object fromText(String text) {
            return documentOf(Path.of(text));
        }

        @Override
        public Object fromJson(Object json) {
            if (json instanceof Map<?, ?>) return json;
            throw ((Kind) this).refuse(json);
        }

        private static Object documentOf(Path file) {
            try {
                return RunFolder.readConfig(file);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        @Override
        public String allowed() {
            return "a JSON file";
        }
    }

    /** Free text. */
    record Text() implements Kind {
        @Override
        public Object fromText(String text) {
            return text;
        }

        @Override
        public String allowed() {
            return "text";
        }
    }

    /** One of a few words. */
    record Choice(List<String> words) implements Kind {
        /** The constants of an enum, in lower case with hyphens. */
        static Choice of(Class<? extends Enum<?>> type) {
            return new Choice(
                    Arrays.stream(type.getEnumConstants()).map(Choice::word).toList());
        }

        static String word(Enum<?> constant) {
            return constant.name().toLowerCase(Locale.ROOT).replace('_', '-');
        }

        @Override
        public Object fromText(String text) {
            if (!words.contains(text))
                throw new IllegalArgumentException(
                        "needs " + allowed() + ", not " + text + Spelling.suggestion(text, words));
            return text;
        }

        @Override
        public String allowed() {
            return "one of " + String.join(", ", words);
        }
    }

    /** A whole number in a range. */
    record Whole(long min, long max) implements Kind {
        @Override
        public Object fromText(String text) {
            try {
                return check(Long.parseLong(text));
            } catch (NumberFormatException e) {
                throw ((Kind) this).refuse(text);
            }
        }

        @Override
        public Object fromJson(Object json) {
            if (json instanceof Long whole) return check(whole);
            throw ((Kind) this).refuse(json);
        }

        private Long check(long value) {
            if (value < min || value > max) throw ((Kind) this).refuse(value);
            return value;
        }

        @Override
        public String allowed() {
            return max == Long.MAX_VALUE
                    ? "a whole number of at least " + min
                    : "a whole number in " + min + ".." + max;
        }
    }

    /** A number in a range, both ends included. */
    record Number(double min, double max) implements Kind {
        @Override
        public Object fromText(String text) {
            try {
                return check(Double.parseDouble(text));
            } catch (NumberFormatException e) {
                throw ((Kind) this).refuse(text);
            }
        }

        @Override
        public Object fromJson(Object json) {
            if (json instanceof Long || json instanceof Double) return check(((java.lang.Number) json).doubleValue());
            throw ((Kind) this).refuse(json);
        }

        private Double check(double value) {
            if (!(value >= min && value <= max)) throw ((Kind) this).refuse(value);
            return value;
        }

        @Override
        public String allowed() {
            return max == Double.MAX_VALUE ? "a number of at least " + min : "a number in " + min + ".." + max;
        }
    }

    /** Yes or no. */
    record Flag() implements Kind {
        @Override
        public Object fromText(String text) {
            if (text.equals("true") || text.equals("false")) return Boolean.valueOf(text);
            throw ((Kind) this).refuse(text);
        }

        @Override
        public Object fromJson(Object json) {
            if (json instanceof Boolean) return json;
            throw ((Kind) this).refuse(json);
        }

        @Override
        public String allowed() {
            return "true or false";
        }
    }

    /** Whole numbers separated by commas, or a JSON array of them. */
    record Wholes(long min) implements Kind {
        @Override
        public Object fromText(String text) {
            try {
                return check(
                        text.isBlank()
                                ? List.of()
                                : Arrays.stream(text.split(","))
                                        .map(s -> Long.valueOf(s.trim()))
                                        .toList());
            } catch (NumberFormatException e) {
                throw ((Kind) this).refuse(text);
            }
        }

        @Override
        public Object fromJson(Object json) {
            if (json instanceof List<?> list && list.stream().allMatch(Long.class::isInstance))
                return check(list.stream().map(Long.class::cast).toList());
            throw ((Kind) this).refuse(json);
        }

        private List<Long> check(List<Long> values) {
            if (values.stream().anyMatch(v -> v < min || v > 1 << 20)) throw ((Kind) this).refuse(values);
            return values;
        }

        @Override
        public String allowed() {
            return "whole numbers of at least " + min + " separated by commas";
        }
    }
}
