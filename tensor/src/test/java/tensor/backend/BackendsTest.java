package tensor.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

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
    void anUnknownNameIsAnsweredWithTheNearestKnownOne() {
        String message = assertThrows(IllegalArgumentException.class, () -> Backends.open("referense"))
                .getMessage();
        assertTrue(
                message.startsWith("no backend is called \"referense\"; did you mean \"reference\"? Known: auto, "),
                message);
        assertThrows(IllegalArgumentException.class, () -> Backends.open("auto", -1));
    }
}
