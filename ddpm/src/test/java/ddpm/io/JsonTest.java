package ddpm.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonTest {
    @Test
    void whatIsWrittenIsReadBack() {
        Map<String, Object> value = new LinkedHashMap<>();
        value.put("text", "a\"b\\c\n\u0001é😀");
        value.put("whole", Long.MIN_VALUE);
        value.put("number", 1.0000000000000002);
        value.put("tiny", Double.MIN_VALUE);
        value.put("list", Arrays.asList(true, false, null, List.of(), Map.of()));
        assertEquals(value, Json.parse(Json.write(value)));
        assertEquals(value, Json.parse(Json.compact(value).getBytes(StandardCharsets.UTF_8)));
    }

    @Test
    void wholeNumbersStayApartFromOthers() {
        assertEquals(List.of(1L, 1.0, 1e0, -0L, 9007199254740993L), Json.parse("[1, 1.0, 1e0, -0, 9007199254740993]"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "{",
                "[1,]",
                "{\"a\":1,}",
                "{\"a\":1,\"a\":2}",
                "{a:1}",
                "'a'",
                "01",
                "1.",
                ".5",
                "+1",
                "1e",
                "NaN",
                "Infinity",
                "tru",
                "nul",
                "\"\\x\"",
                "\"\\u12\"",
                "\"\\ud800\"",
                "\"\\udc00x\"",
                "\"a\nb\"",
                "1 2",
                "// no\n1",
                "9223372036854775808",
                "[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]",
                "\"open"
            })
    void whatIsNotJsonIsRefused(String text) {
        assertThrows(JsonException.class, () -> Json.parse(text));
    }

    @Test
    void bytesThatAreNotUtf8AreRefused() {
        assertThrows(JsonException.class, () -> Json.parse(new byte[] {'"', (byte) 0xc0, (byte) 0xaf, '"'}));
        assertThrows(JsonException.class, () -> Json.parse(new byte[] {(byte) 0xff}));
    }

    @Test
    void numbersThatJsonDoesNotHaveAreNotWritten() {
        assertThrows(IllegalArgumentException.class, () -> Json.write(Double.NaN));
    }
}
