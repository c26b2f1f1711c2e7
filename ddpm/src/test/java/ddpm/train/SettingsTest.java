package ddpm.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import datasets.Dataset;
import datasets.Datasets;
import ddpm.diffusion.Target;
import ddpm.io.Json;
import ddpm.unet.UNetConfig;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class SettingsTest {
    @ParameterizedTest
    @EnumSource(Preset.class)
    void everyPresetIsCompleteAndSurvivesJson(Preset preset) {
        Settings s = Settings.of(Map.of(), Map.of("preset", Kind.Choice.word(preset)));
        assertEquals(Setting.values().length, s.toJson().size());
        @SuppressWarnings("unchecked")
        Map<String, Object> json = (Map<String, Object>) Json.parse(Json.write(s.toJson()));
        assertEquals(s, Settings.of(json, Map.of()));
    }

    @Test
    void presetsAreThePublishedNetworks() {
        assertEquals(UNetConfig.notebook(28, 28, 1), preset("annotated").network(28, 28, 1));
        assertEquals(UNetConfig.blog(28, 28, 1), preset("annotated-resnet").network(28, 28, 1));
        assertEquals(UNetConfig.ddpmCifar10(32, 32, 3), preset("ddpm-cifar10").network(32, 32, 3));
    }

    private static Settings preset(String name) {
        return Settings.of(Map.of(), Map.of("preset", name));
    }

    @Test
    void laterLayersWinAndALengthReplacesEveryLengthBelow() {
        Settings s = Settings.of(Map.of("preset", "annotated", "lr", 0.5), Map.of("lr", "0.25", "max-minutes", "3"));
        assertEquals(0.25, s.learningRate(10).at(0));
        assertEquals(3, s.maxMinutes());
        assertEquals(0, s.epochs(), "the preset's 5 epochs give way");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "batchsize | 4 | unknown setting batchsize (did you mean batch-size?)",
                "batch-size | 0 | batch-size needs a whole number in 1..1048576, not 0",
                "batch-size | four | batch-size needs a whole number in 1..1048576, not four",
                "lr | -1 | lr needs a number in 0.0..10.0, not -1.0",
                "lr | NaN | lr needs a number in 0.0..10.0, not NaN",
                "schedule | cosin | not cosin (did you mean cosine?)",
                "dim-mults | 1,x | dim-mults needs whole numbers of at least 1 separated by commas, not 1,x",
                "flip | maybe | flip needs true or false, not maybe",
                "preset | quik | not quik (did you mean quick?)",
                "steps | 9223372036854775808 | steps needs a whole number",
                "epochs | 9000000000000000000 | epochs needs a whole number in 0..1073741824, not 9000000000000000000",
                "low-noise | 0.5 | low-noise needs at most the low-noise-max that is trained, 0.4, not 0.5",
                "ema | 1 | ema needs a number in 0.0..0.999999, not 1.0",
            })
    void badValuesAreRefusedInWords(String key, String value, String message) {
        IllegalArgumentException e =
                assertThrows(IllegalArgumentException.class, () -> Settings.of(Map.of(), Map.of(key, value)));
        assertTrue(e.getMessage().contains(message), e.getMessage());
    }

    @Test
    void jsonOfTheWrongTypeIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> Settings.of(Map.of("batch-size", "x"), Map.of()));
        assertThrows(IllegalArgumentException.class, () -> Settings.of(Map.of("batch-size", 1.5), Map.of()));
        assertThrows(IllegalArgumentException.class, () -> Settings.of(Map.of("flip", 1L), Map.of()));
    }

    /** What the README says of them; a preset that is built upon must not change another by the way. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "quick | ddpm, dim 16, mults [1, 2, 2]",
                "fashion | ddpm, dim 32, mults [1, 2, 4]",
                "annotated-resnet | blog, dim 28, mults [1, 2, 4]",
                "emoji-16 | ddpm, dim 32, mults [1, 2, 4]",
                "emoji-32 | ddpm, dim 24, mults [1, 2, 4]",
                "emoji-64 | ddpm, dim 16, mults [1, 2, 4]",
            })
    void everyPresetHasItsNetwork(String preset, String network) {
        assertEquals(network, Settings.of(Map.of(), Map.of("preset", preset)).describeNetwork());
    }

    /** Where ᾱ has all but gone, x̂₀ from the noise is worse than the mean picture; v is bounded there. */
    @ParameterizedTest
    @EnumSource(Preset.class)
    void noPresetAsksForTheNoiseWhereThereIsNothingElse(Preset preset) {
        Settings settings = preset(Kind.Choice.word(preset));
        boolean spent = settings.schedule().alphaBar(settings.timesteps() - 1) < 1e-6;
        assertEquals(spent ? Target.V : Target.EPSILON, settings.target());
    }

    /** Data without classes can be had with every preset but the one that asks for them. */
    @ParameterizedTest
    @EnumSource(Preset.class)
    void onlyFashionIsToldItsLabels(Preset preset) {
        Settings settings = preset(Kind.Choice.word(preset));
        assertEquals(preset == Preset.FASHION, settings.labels());
    }

    /** Neither a folder that happens to be called so, nor the test images for those who were trained on them. */
    @Test
    void theTestImagesAreForRunsOnTheTrainingImagesOfFashion() {
        Settings s = preset("quick");
        Dataset namesake = Dataset.of("fashion", 32, 32, 3, new byte[32 * 32 * 3], null);
        assertSame(namesake, s.testData(namesake));
        Dataset tests = Datasets.fashionTest();
        assertSame(tests, s.testData(tests));
    }

    @Test
    void theLearningRateRisesThenFallsOverTheRest() {
        Settings s = Settings.of(Map.of(), Map.of("lr", "1", "warmup", "10", "decay", "cosine", "steps", "110"));
        assertEquals(0.1, s.learningRate(110).at(0), 1e-12);
        assertEquals(1, s.learningRate(110).at(10), 1e-12);
        assertEquals(0.5, s.learningRate(110).at(60), 1e-12);
        assertEquals(s.learningRate(110).at(3), s.learningRate(Long.MAX_VALUE).at(3), "the plan may come later");
    }
}
