package nativelib;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class FreeCoresTest {
    private static final String SELF = "42 (a (strange) name 1 2) S 1 1 1 0 -1 0 0 0 0 0 %d %d 0 0 20 0 1 0";

    /** /proc/stat with these ticks, added over {@code cores} cores. */
    private static List<String> system(int cores, int user, int idle) {
        List<String> lines = new ArrayList<>();
        lines.add("cpu  " + user + " 0 0 " + idle + " 0 0 0 0 0 0");
        for (int i = 0; i < cores; i++) lines.add("cpu" + i + " 1 0 0 1 0 0 0 0 0 0");
        lines.add("intr 12345 0 0");
        return lines;
    }

    private static int free(int cores, int busy, int idle, int ours, int allowed) {
        return FreeCores.count(
                system(cores, 1000, 5000),
                SELF.formatted(30, 7),
                system(cores, 1000 + busy, 5000 + idle),
                SELF.formatted(30 + ours, 7),
                allowed);
    }

    @Test
    void anIdleMachineIsFree() {
        assertEquals(4, free(4, 0, 40, 0, 4));
    }

    @Test
    void whatOthersKeepBusyIsNotFree() {
        assertEquals(3, free(4, 10, 30, 0, 4));
        assertEquals(2, free(4, 20, 20, 0, 4));
    }

    @Test
    void whatWeKeepBusyOurselvesIsFree() {
        assertEquals(4, free(4, 20, 20, 20, 4));
    }

    @Test
    void lessThanHalfACoreIsNoCore() {
        assertEquals(4, free(4, 4, 36, 0, 4));
        assertEquals(3, free(4, 6, 34, 0, 4));
    }

    @Test
    void atLeastOneAndAtMostWhatWeMayUse() {
        assertEquals(1, free(4, 40, 0, 0, 4));
        assertEquals(2, free(64, 0, 640, 0, 2));
        assertEquals(2, free(64, 600, 40, 0, 2), "4 cores idle, of which we may use 2");
    }

    @Test
    void noTimeBetweenTheReadingsSaysNothing() {
        assertEquals(4, free(4, 0, 0, 0, 4));
        assertEquals(3, FreeCores.count(List.of(), SELF.formatted(1, 1), List.of(), SELF.formatted(1, 1), 3));
    }

    /** /proc/stat of cores that were busy and idle for so many ticks. */
    private static List<String> cores(int[]... ticks) {
        List<String> lines = new ArrayList<>(List.of("cpu  1 2 3 4 5 6 7 8 0 0"));
        for (int i = 0; i < ticks.length; i++)
            lines.add("cpu" + i + " " + ticks[i][0] + " 0 0 " + ticks[i][1] + " 0 0 0 0 0 0");
        return lines;
    }

    @Test
    void aCoreIsBusyThatWasIdleForLessThanHalfOfTheTime() {
        List<String> before = cores(new int[] {900, 0}, new int[] {0, 900}, new int[] {5, 5}, new int[] {0, 0});
        List<String> after = cores(new int[] {900, 10}, new int[] {10, 900}, new int[] {11, 9}, new int[] {5, 5});
        assertArrayEquals(new int[] {1, 2}, FreeCores.busy(before, after));
        assertArrayEquals(new int[0], FreeCores.busy(before, before));
        assertArrayEquals(new int[0], FreeCores.busy(List.of(), List.of()));
    }

    @Test
    void theMachineItselfCanBeRead() {
        int free = FreeCores.count();
        assertTrue(free >= 1 && free <= FreeCores.all());
        for (int core : FreeCores.busy()) assertTrue(core >= 0);
    }
}
