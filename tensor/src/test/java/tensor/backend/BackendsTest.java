package tensor.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import tensor.backend.reference.ReferenceBackend;

class BackendsTest {
    @Test
    void autoTakesTheFirstThatOpensAndSaysWhichAndWhy() {
        Backends.Choice choice = Backends.open("auto", 1);
        try (Backend backend = choice.backend()) {
            assertTrue(Backends.names().contains(backend.name()));
            assertTrue(choice.explanation().startsWith("backend " + backend.name()), choice.explanation());
            assertTrue(choice.explanation().contains(backend.description()), choice.explanation());
            for (String faster : Backends.names().subList(0, Backends.names().indexOf(backend.name())))
                assertTrue(
                        choice.explanation().contains("not " + faster + ": ") || System.getProperty("backend") != null,
                        choice.explanation());
        }
    }

    /** A fast backend that cannot be opened, before one that can. */
    private static final List<Backends.Candidate> BROKEN_FIRST = List.of(
            new Backends.Candidate("fast", List.of(Precision.TF32), (threads, precision) -> {
                throw new IllegalStateException("its library is not here: install it");
            }),
            new Backends.Candidate("slow", List.of(Precision.FP32), (threads, precision) -> new ReferenceBackend()));

    @Test
    void autoTellsWhyItRefused() {
        String property = System.clearProperty(Backends.PROPERTY);
        try {
            Backends.Choice choice = Backends.open(BROKEN_FIRST, "auto", 0, null);
            assertTrue(
                    choice.explanation().endsWith("; not fast: its library is not here: install it"),
                    choice.explanation());
        } finally {
            if (property != null) System.setProperty(Backends.PROPERTY, property);
        }
    }

    @Test
    void aBackendAskedForByNameNeverFallsBack() {
        String message = assertThrows(IllegalStateException.class, () -> Backends.open(BROKEN_FIRST, "fast", 0, null))
                .getMessage();
        assertEquals("backend fast cannot be opened: its library is not here: install it", message);
    }

    @Test
    void aPrecisionThatABackendLacksIsRefusedInWords() {
        assertEquals(
                "backend slow cannot be opened: it does not compute in tf32, only in fp32",
                assertThrows(IllegalStateException.class, () -> Backends.open(BROKEN_FIRST, "slow", 0, Precision.TF32))
                        .getMessage());
        try (Backend opened =
                Backends.open(BROKEN_FIRST, "slow", 0, Precision.FP32).backend()) {
            assertEquals("reference", opened.name());
        }
    }

    @Test
    void aBackendComputesInThePrecisionThatWasAskedFor() {
        for (String name : Backends.names())
            for (Precision precision : Precision.values()) {
                Backend opened;
                try {
                    opened = Backends.open(name, 1, precision).backend();
                } catch (IllegalStateException refused) {
                    continue;
                }
                try (Backend backend = opened) {
                    assertEquals(precision, backend.precision(), name);
                }
            }
    }

    @Test
    void theReferenceAlwaysOpens() {
        try (Backend backend = Backends.open("reference").backend()) {
            assertEquals("reference", backend.name());
        }
    }

    @Test
    void thePropertyDecidesForAutoAndForNothingElse() {
        String before = System.getProperty(Backends.PROPERTY);
        System.setProperty(Backends.PROPERTY, "reference");
        try (Backend backend = Backends.open("auto").backend()) {
            assertEquals("reference", backend.name());
            System.setProperty(Backends.PROPERTY, "refrence");
            assertThrows(IllegalArgumentException.class, () -> Backends.open("auto"));
            Backends.open("reference").backend().close();
        } finally {
            if (before == null) System.clearProperty(Backends.PROPERTY);
            else System.setProperty(Backends.PROPERTY, before);
        }
    }

    @Test
    void anUnknownNameIsAnsweredWithTheKnownOnes() {
        String message = assertThrows(IllegalArgumentException.class, () -> Backends.open("referense"))
                .getMessage();
        assertTrue(message.startsWith("no backend is called \"referense\"; known are auto, "), message);
        assertThrows(IllegalArgumentException.class, () -> Backends.open("auto", -1));
    }
}
