package ddpm.diffusion;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ddpm.diffusion.NoiseSchedule.Kind;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class NoiseScheduleTest {
    @ParameterizedTest
    @EnumSource(Kind.class)
    void alphaBarFallsFromAlmostOne(Kind kind) {
        NoiseSchedule s = NoiseSchedule.of(kind, 1000);
        assertTrue(s.alphaBar(0) > 0.999);
        for (int t = 1; t < 1000; t++) assertTrue(s.alphaBar(t) < s.alphaBar(t - 1));
    }

    /** ᾱ_T of the published schedules, worked out apart from this code. */
    @ParameterizedTest
    @CsvSource({
        "LINEAR, 200, 0.132, 0.001",
        "LINEAR, 300, 0.048, 0.001",
        "LINEAR, 1000, 4.0358e-5, 1e-9",
        "LINEAR_SCALED, 200, 3.0e-5, 1e-6",
        "LINEAR_SCALED, 300, 3.4e-5, 1e-6",
        "QUADRATIC, 200, 0.236, 0.001",
        "QUADRATIC, 300, 0.115, 0.001",
        "SIGMOID, 200, 0.132, 0.001",
        "SIGMOID, 300, 0.048, 0.001",
        "COSINE, 200, 6e-9, 1e-9"
    })
    void lastAlphaBarIsThePublishedOne(Kind kind, int timesteps, double expected, double tolerance) {
        NoiseSchedule s = NoiseSchedule.of(kind, timesteps);
        assertEquals(expected, s.alphaBar(timesteps - 1), tolerance);
    }

    @Test
    void endsOfTheLinearScheduleAreTheNotebooks() {
        NoiseSchedule s = NoiseSchedule.of(Kind.LINEAR, 200);
        assertEquals(1e-4, s.beta(0), 0);
        assertEquals(0.02, s.beta(199), 1e-17);
        assertEquals(1e-4 + 0.0199 * 50 / 199, s.beta(50), 1e-17);
    }

    @Test
    void quadraticIsLinearInTheRootOfBeta() {
        NoiseSchedule s = NoiseSchedule.of(Kind.QUADRATIC, 300);
        double step = Math.sqrt(s.beta(1)) - Math.sqrt(s.beta(0));
        assertEquals(step, Math.sqrt(s.beta(200)) - Math.sqrt(s.beta(199)), 1e-15);
        assertEquals(0.01, Math.sqrt(s.beta(0)), 1e-15);
    }

    @Test
    void cosineAlphaBarFollowsTheSquaredCosineUntilBetaIsClipped() {
        NoiseSchedule s = NoiseSchedule.of(Kind.COSINE, 1000);
        double f0 = Math.pow(Math.cos(0.008 / 1.008 * Math.PI / 2), 2);
        double f500 = Math.pow(Math.cos((500 / 1000.0 + 0.008) / 1.008 * Math.PI / 2), 2);
        assertEquals(f500 / f0, s.alphaBar(499), 2e-4); // β is at least 1e−4, which binds in the first steps
    }

    @Test
    void posteriorOfTheFirstStepIsTheImageItself() {
        NoiseSchedule s = NoiseSchedule.of(Kind.LINEAR, 200);
        assertEquals(0, s.transition(0).posteriorVariance(), 0);
        assertEquals(1, s.transition(0).meanStart(), 1e-12);
        assertEquals(0, s.transition(0).meanNoisy(), 0);
    }

    /** Bayes: precision of the posterior is α_t/β_t + 1/(1 − ᾱ_{t−1}) (the derivation behind Eq. 7). */
    @Test
    void posteriorVarianceIsBayes() {
        NoiseSchedule s = NoiseSchedule.of(Kind.LINEAR, 300);
        for (int t = 1; t < 300; t++) {
            double precision = (1 - s.beta(t)) / s.beta(t) + 1 / (1 - s.alphaBar(t - 1));
            assertEquals(1 / precision, s.transition(t).posteriorVariance(), 1e-14);
            double onStart = Math.sqrt(s.alphaBar(t - 1)) / (1 - s.alphaBar(t - 1)) / precision;
            assertEquals(onStart, s.transition(t).meanStart(), 1e-12);
            double onNoisy = Math.sqrt(1 - s.beta(t)) / s.beta(t) / precision;
            assertEquals(onNoisy, s.transition(t).meanNoisy(), 1e-12);
        }
    }

    @Test
    void warnsWhenSignalIsLeftAtTheEnd() {
        assertTrue(NoiseSchedule.of(Kind.LINEAR, 200).keepsSignal());
        assertTrue(NoiseSchedule.of(Kind.LINEAR, 300).keepsSignal());
        assertFalse(NoiseSchedule.of(Kind.LINEAR, 1000).keepsSignal());
        assertFalse(NoiseSchedule.of(Kind.LINEAR_SCALED, 200).keepsSignal());
        assertFalse(NoiseSchedule.of(Kind.COSINE, 200).keepsSignal());
    }

    @Test
    void refusesImpossibleBetas() {
        assertThrows(IllegalArgumentException.class, () -> NoiseSchedule.ofBetas(0.1, 1.0));
        assertThrows(IllegalArgumentException.class, () -> NoiseSchedule.ofBetas(0.0));
        assertThrows(IllegalArgumentException.class, () -> NoiseSchedule.of(Kind.LINEAR, 1));
    }
}
