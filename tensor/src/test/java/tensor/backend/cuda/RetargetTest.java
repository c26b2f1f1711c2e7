package tensor.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class RetargetTest {
    private static byte[] bridge() throws IOException {
        try (InputStream in = RetargetTest.class.getResourceAsStream("/lib/libJCublas2-12.6.0-linux-x86_64.so")) {
            return in.readAllBytes();
        }
    }

    @Test
    void theHashIsThatOfTheSystemVInterface() {
        // the examples that the specification's readers know
        assertEquals(0x077905a6, Retarget.hash("printf"));
        assertEquals(0, Retarget.hash(""));
        assertEquals('a' * 16 + 'b', Retarget.hash("ab"));
    }

    @Test
    void onlyTheNameAndItsHashChange() throws IOException {
        byte[] before = bridge();
        byte[] after = Retarget.retarget(before, "libcublas.so.12", "libcublas.so.13");
        assertEquals(before.length, after.length);
        int changed = 0;
        for (int i = 0; i < before.length; i++) if (before[i] != after[i]) changed++;
        assertEquals(2, changed, "the last digit of the name, and the last byte of the hash");
        assertTrue(new String(after, StandardCharsets.ISO_8859_1).contains("libcublas.so.13"));
    }

    @Test
    void whatCannotBeRetargetedIsRefused() throws IOException {
        byte[] library = bridge();
        assertThrows(
                IllegalArgumentException.class, () -> Retarget.retarget(library, "libcudnn.so.12", "libcudnn.so.13"));
        assertThrows(
                IllegalArgumentException.class, () -> Retarget.retarget(library, "libcublas.so.12", "libcublas.so.9"));
        assertThrows(IllegalArgumentException.class, () -> Retarget.retarget(new byte[100], "a", "b"));
    }
}
