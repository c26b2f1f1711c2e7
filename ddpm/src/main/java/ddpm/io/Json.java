package ddpm.io;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * JSON (RFC 8259), strictly: UTF-8 without a mark, no comments, no trailing commas, no duplicate keys, no lone
 * surrogates, nesting at most 16 deep. Objects are {@link LinkedHashMap}s, arrays {@link List}s, and whole numbers stay
 * {@link Long}s apart from {@link Double}s; {@code null} is {@code null}.
 */
public final class Json {
    private static final int DEPTH = 16;

    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    /** Reads one value that fills the text. */
    public static Object parse(byte[] utf8) {
        try {
            return parse(StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(utf8))
                    .toString());
        } catch (CharacterCodingException e) {
            throw new JsonException("the text is not UTF-8");
        }
    }

    /** Reads one value that fills the text. */
    public static Object parse(String text) {
        Json json = new Json(text);
        Object value = json.value(0);
        json.space();
        if (json.at < text.length()) throw json.wrong("nothing after the value");
        return value;
    }

    private JsonException wrong(String expected) {
        String found = at < text.length() ? "'" + escaped(text.substring(at, at + 1)) + "'" : "the end";
        return new JsonException("at character " + at + ": expected " + expected + ", found " + found);
    }

    private void space() {
        while (at < text.length() && " \t\n\r".indexOf(text.charAt(at)) >= 0) at++;
    }

    private boolean take(char c) {
        space();
        if (at >= text.length() || text.charAt(at) != c) return false;
        at++;
        return true;
    }

    private void need(char c) {
        if (!take(c)) throw wrong("'" + c + "'");
    }

    private Object value(int depth) {
        space();
        if (depth > DEPTH) throw new JsonException("at character " + at + ": nested deeper than " + DEPTH);
        if (at >= text.length()) throw wrong("a value");
        return switch (text.charAt(at)) {
            case '{' -> object(depth);
            case '[' -> array(depth);
            case '"' -> string();
            case 't' -> word("true", true);
            case 'f' -> word("false", false);
            case 'n' -> word("null", null);
            default -> number();
        };
    }

    private Object word(String word, Object value) {
        if (!text.startsWith(word, at)) throw wrong("a value");
        at += word.length();
        return value;
    }

    private Map<String, Object> object(int depth) {
        Map<String, Object> object = new LinkedHashMap<>();
        need('{');
        if (take('}')) return object;
        do {
            space();
            String key = string();
            need(':');
            Object value = value(depth + 1);
            if (object.containsKey(key)) throw new JsonException("the key \"" + escaped(key) + "\" stands twice");
            object.put(key, value);
        } while (take(','));
        need('}');
        return object;
    }

    private List<Object> array(int depth) {
        List<Object> array = new ArrayList<>();
        need('[');
        if (take(']')) return array;
        do array.add(value(depth + 1));
        while (take(','));
        need(']');
        return array;
    }

    private Object number() {
        int start = at;
        if (peek('-')) at++;
        if (peek('0')) at++;
        else digits();
        boolean whole = true;
        if (peek('.')) {
            at++;
            whole = false;
            digits();
        }
        if (peek('e') || peek('E')) {
            at++;
            whole = false;
            if (peek('+') || peek('-')) at++;
            digits();
        }
        String number = text.substring(start, at);
        try {
            return whole ? (Object) Long.valueOf(number) : Double.valueOf(number);
        } catch (NumberFormatException e) {
            throw new JsonException("at character " + start + ": the whole number " + number + " has over 64 bits");
        }
    }

    private boolean peek(char c) {
        return at < text.length() && text.charAt(at) == c;
    }

    private void digits() {
        int start = at;
        while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') at++;
        if (at == start) throw wrong("a value");
    }

    private String string() {
        if (!peek('"')) throw wrong("a string");
        at++;
        StringBuilder s = new StringBuilder();
        for (; ; at++) {
            if (at >= text.length()) throw wrong("the end of a string");
            char c = text.charAt(at);
            if (c == '"') break;
            if (c < ' ') throw wrong("no control character in a string");
            s.append(c == '\\' ? escape() : c);
        }
        at++;
        String string = s.toString();
        if (!StandardCharsets.UTF_8.newEncoder().canEncode(string))
            throw new JsonException("at character " + at + ": the string before holds half a surrogate pair");
        return string;
    }

    private char escape() {
        at++;
        if (at >= text.length()) throw wrong("an escape");
        int simple = "\"\\/bfnrt".indexOf(text.charAt(at));
        if (simple >= 0) return "\"\\/\b\f\n\r\t".charAt(simple);
        if (text.charAt(at) != 'u' || at + 4 >= text.length()) throw wrong("an escape");
        String hex = text.substring(at + 1, at + 5);
        if (!hex.matches("[0-9a-fA-F]{4}")) throw wrong("an escape of four hexadecimal digits");
        at += 4;
        return (char) Integer.parseInt(hex, 16);
    }

    /** The value as indented text; the same value gives the same text, and {@link #parse} gives the same value back. */
    public static String write(Object value) {
        StringBuilder out = new StringBuilder();
        write(out, value, "\n");
        return out.append('\n').toString();
    }

    /** The value on one line without spaces. */
    public static String compact(Object value) {
        StringBuilder out = new StringBuilder();
        write(out, value, null);
        return out.toString();
    }

    private static void write(StringBuilder out, Object value, String newline) {
        if (value instanceof Map<?, ?> map) {
            String inner = newline == null ? "" : newline + "  ";
            String separator = "";
            out.append('{');
            for (Map.Entry<?, ?> entry : map.entrySet()) {
                out.append(separator).append(inner);
                quote(out, (String) entry.getKey());
                out.append(newline == null ? ":" : ": ");
                write(out, entry.getValue(), newline == null ? null : inner);
                separator = ",";
            }
            out.append(newline == null || map.isEmpty() ? "" : newline).append('}');
        } else if (value instanceof List<?> list) {
            String separator = "";
            out.append('[');
            for (Object element : list) {
                out.append(separator);
                write(out, element, newline);
                separator = newline == null ? "," : ", ";
            }
            out.append(']');
        } else if (value instanceof String string) {
            quote(out, string);
        } else if (value instanceof Double d && !Double.isFinite(d)) {
            throw new IllegalArgumentException("JSON has no " + d);
        } else if (value == null || value instanceof Long || value instanceof Double || value instanceof Boolean) {
            out.append(value);
        } else {
            throw new IllegalArgumentException("not a JSON value: " + value.getClass());
        }
    }

    private static void quote(StringBuilder out, String string) {
        out.append('"').append(escaped(string)).append('"');
    }

    /** A string with everything that could disturb a line of text written as an escape. */
    public static String escaped(String string) {
        StringBuilder out = new StringBuilder();
        for (char c : string.toCharArray()) {
            if (c == '"' || c == '\\') out.append('\\').append(c);
            else if (c < ' ' || c == 0x7f || c >= 0x80 && c < 0xa0 || Character.isSurrogate(c) && string.length() == 1)
                out.append(String.format(Locale.ROOT, "\\u%04x", (int) c));
            else out.append(c);
        }
        return out.toString();
    }
}
