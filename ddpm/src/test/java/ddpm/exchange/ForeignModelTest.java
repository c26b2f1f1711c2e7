package ddpm.exchange;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ddpm.diffusion.AncestralSampler.Variance;
import ddpm.diffusion.NoiseSchedule;
import ddpm.diffusion.SamplerChoice;
import ddpm.diffusion.Target;
import ddpm.diffusion.Timesteps.Spacing;
import ddpm.io.CheckpointException;
import ddpm.io.Json;
import ddpm.train.Checkpoint;
import ddpm.train.Settings;
import ddpm.unet.AnnotatedConfig.BlockKind;
import ddpm.unet.AnnotatedConfig.Generation;
import ddpm.unet.LucidrainsConfig;
import ddpm.unet.UNet;
import ddpm.unet.UNet2DConfig;
import ddpm.unet.UNetConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import nn.Init;
import nn.Parameter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import tensor.DType;
import tensor.Rng;
import tensor.backend.Backend;
import tensor.backend.reference.ReferenceBackend;
import tensor.memory.Scope;

class ForeignModelTest {
    /** The config.json of google/ddpm-cifar10-32, as published. */
    private static final String CIFAR10 = """
            {"_class_name": "UNet2DModel", "_diffusers_version": "0.0.4", "act_fn": "silu", "attention_head_dim": null,
             "block_out_channels": [128, 256, 256, 256], "center_input_sample": false,
             "down_block_types": ["DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"],
             "downsample_padding": 0, "flip_sin_to_cos": false, "freq_shift": 1, "in_channels": 3,
             "layers_per_block": 2, "mid_block_scale_factor": 1, "norm_eps": 1e-06, "norm_num_groups": 32,
             "out_channels": 3, "sample_size": 32, "time_embedding_type": "positional",
             "up_block_types": ["UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"]}""";

    private static final String SCHEDULER = """
            {"_class_name": "DDPMScheduler", "_diffusers_version": "0.1.1", "beta_end": 0.02,
             "beta_schedule": "linear", "beta_start": 0.0001, "clip_sample": true, "num_train_timesteps": 1000,
             "trained_betas": null, "variance_type": "fixed_large"}""";

    @TempDir
    Path folder;

    private final Backend backend = new ReferenceBackend();

    private UNet random(UNetConfig config) {
        return UNet.build(config, Init.pytorch(backend, DType.F32, new Rng(3)), () -> new Rng(0));
    }

    private static ForeignFolder.Process process(NoiseSchedule.Kind kind) {
        return new ForeignFolder.Process(
                kind, 20, 1e-4, 0.02, Target.EPSILON, Variance.FIXED_LARGE, Spacing.LINSPACE, true, false);
    }

    @Test
    void thePublishedCifar10ModelIsOurPaperPreset() {
        Map<?, ?> json = (Map<?, ?>) Json.parse(CIFAR10);
        UNet2DConfig ours = UNet2DConfig.ddpm(32, 32, 3, List.of(128, 256, 256, 256), 2, List.of(1), 32, 0, false);
        assertEquals(ours, NetworkDocument.read(json, false));
        assertEquals(ours, NetworkDocument.read(NetworkDocument.write(ours), false));
    }

    @Test
    void theSchedulerBecomesSettings() {
        Settings s = Settings.of(SchedulerDocument.read((Map<?, ?>) Json.parse(SCHEDULER)), Map.of());
        assertEquals(1000, s.timesteps());
        assertEquals(0.02, s.schedule().beta(999), 1e-15);
        assertEquals(Variance.FIXED_LARGE, s.sampler().variance());
        assertTrue(s.clipStart());
    }

    /** As diffusers' class chooses them, to the last: it leaves timestep 0 out, unlike its other schedulers. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "DPMSolverMultistepScheduler | linspace | [999, 749, 500, 250]",
                "DPMSolverMultistepScheduler | leading | [800, 600, 400, 200]",
                "DPMSolverMultistepScheduler | trailing | [999, 749, 499, 249]",
                "DDIMScheduler | linspace | [999, 666, 333, 0]",
                "DDIMScheduler | leading | [750, 500, 250, 0]",
                "DDIMScheduler | trailing | [999, 749, 499, 249]",
            })
    void theTimestepsAreThoseOfTheScheduler(String scheduler, String spacing, String timesteps) {
        Map<String, Object> json = Map.of("_class_name", scheduler, "timestep_spacing", spacing);
        Settings s = Settings.of(SchedulerDocument.read(json), Map.of("sampling-steps", "4"));
        assertEquals(timesteps, s.sampler().timesteps(s.schedule()).toString());
        Settings all = Settings.of(SchedulerDocument.read(json), Map.of("sampling-steps", "1000"));
        assertEquals(1000, all.sampler().timesteps(all.schedule()).count());
    }

    /** As lucidrains' class draws: by DDIM from T - 1 to -1, cut to whole numbers, or with all timesteps by Algorithm 2. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"timesteps\": 1000, \"sampling_timesteps\": 4 | DDIM | [999, 749, 499, 249]",
                "\"timesteps\": 1000, \"sampling_timesteps\": 3 | DDIM | [999, 665, 332]",
                "\"timesteps\": 4, \"sampling_timesteps\": 4 | DDPM | [3, 2, 1, 0]",
                "\"timesteps\": 4, \"sampling_timesteps\": null | DDPM | [3, 2, 1, 0]",
                "\"timesteps\": 4 | DDPM | [3, 2, 1, 0]",
            })
    void aGaussianDiffusionDrawsInItsOwnSteps(String arguments, SamplerChoice.Kind sampler, String timesteps) {
        Map<?, ?> json = (Map<?, ?>) Json.parse("{" + arguments + "}");
        Settings s = Settings.of(LucidrainsDocument.readDiffusion(json), Map.of());
        assertEquals(sampler, s.sampler().kind());
        assertEquals(timesteps, s.sampler().timesteps(s.schedule()).toString());
    }

    @ParameterizedTest
    @EnumSource(NoiseSchedule.Kind.class)
    void everyScheduleSurvivesTheSchedulersDocument(NoiseSchedule.Kind kind) {
        NoiseSchedule plain = NoiseSchedule.of(kind, 200);
        for (boolean zeroSnr : new boolean[] {false, true}) {
            NoiseSchedule schedule = zeroSnr ? plain.withoutFinalSignal() : plain;
            ForeignFolder.Process process = new ForeignFolder.Process(
                    kind, 200, 1e-4, 0.02, Target.V, Variance.FIXED_SMALL, Spacing.LINSPACE, false, zeroSnr);
            Settings s = Settings.of(SchedulerDocument.read(SchedulerDocument.write(process, false)), Map.of());
            for (int t = 0; t < 200; t++)
                assertEquals(schedule.beta(t), s.schedule().beta(t), 1e-12);
            assertEquals(Target.V, s.target());
        }
    }

    /** As far as there is a word for it: what leaves timestep 0 out, or rounds down, is the class and not the document. */
    @ParameterizedTest
    @EnumSource(Spacing.class)
    void theSpacingOfARunGoesOutAndComesBack(Spacing spacing) {
        ForeignFolder.Process process = new ForeignFolder.Process(
                NoiseSchedule.Kind.LINEAR,
                1000,
                1e-4,
                0.02,
                Target.EPSILON,
                Variance.FIXED_SMALL,
                spacing,
                true,
                false);
        Settings s = Settings.of(SchedulerDocument.read(SchedulerDocument.write(process, false)), Map.of());
        assertEquals(
                spacing.name().replaceFirst("_(OPEN|DOWN)", ""),
                s.sampler().spacing().name());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"act_fn\": \"silu\" | \"act_fn\": \"tanh\" | act_fn can be silu",
                "\"DownBlock2D\", \"AttnDownBlock2D\" | \"SkipDownBlock2D\", \"AttnDownBlock2D\" | not SkipDownBlock2D",
                "\"freq_shift\": 1 | \"freq_shift\": 1.5 | freq_shift needs a whole number",
                "\"freq_shift\": 1 | \"freq_shift\": 1, \"norm_type\": \"layer\" | the option norm_type is not known",
                "\"positional\" | \"adm\" | time_embedding_type can be positional, fourier, learned",
                "\"sample_size\": 32 | \"sample_size\": null | sample_size needs a side",
                "\"sample_size\": 32 | \"sample_size\": 30 | divisible by 8",
                "\"norm_num_groups\": 32 | \"norm_num_groups\": 48 | divisible by the 48 groups",
                "\"in_channels\": 3 | \"in_channels\": 3, \"num_class_embeds\": 10 | num_class_embeds can only be null",
                "\"in_channels\": 3 | \"in_channels\": 3, \"mid_block_type\": \"Other\" | mid_block_type can only be",
                "UNet2DModel | UNet2DConditionModel | UNet2DConditionModel is not known here",
            })
    void whatIsNotKnownIsRefusedByName(String part, String other, String message) {
        Map<?, ?> json = (Map<?, ?>) Json.parse(CIFAR10.replaceFirst(part, other));
        Exception e = assertThrows(IllegalArgumentException.class, () -> NetworkDocument.read(json, false));
        assertTrue(e.getMessage().contains(message), e.getMessage());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "DDPMScheduler | PNDMScheduler | PNDMScheduler is not known here; known are DDPMScheduler",
                "\"linear\" | \"laplace\" | not laplace",
                "\"fixed_large\" | \"learned\" | variance_type learned is not known",
                "\"trained_betas\": null | \"trained_betas\": [0.1, 0.2] | none of the schedules here",
                "\"trained_betas\": null | \"thresholding\": true | thresholding can only be false",
                "\"trained_betas\": null | \"steps_offset\": 1 | steps_offset can only be 0",
                "\"trained_betas\": null | \"new_option\": 1 | the option new_option is not known",
            })
    void whatAPictureWouldDependOnIsRefusedByName(String part, String other, String message) {
        Map<?, ?> json = (Map<?, ?>) Json.parse(SCHEDULER.replaceFirst(part, other));
        Exception e = assertThrows(IllegalArgumentException.class, () -> SchedulerDocument.read(json));
        assertTrue(e.getMessage().contains(message), e.getMessage());
    }

    @Test
    void ddimAndDpmSolverAreMapped() {
        Map<?, ?> ddim =
                (Map<?, ?>) Json.parse("{\"_class_name\": \"DDIMScheduler\", \"timestep_spacing\": \"trailing\"}");
        Settings s = Settings.of(SchedulerDocument.read(ddim), Map.of());
        assertArrayEquals(new int[] {999, 979}, firstTwo(s));
        Map<?, ?> dpm = (Map<?, ?>) Json.parse("{\"_class_name\": \"DPMSolverMultistepScheduler\", \"solver_order\": 2,"
                + " \"lambda_min_clipped\": null, \"use_karras_sigmas\": false}");
        assertEquals(
                25, Settings.of(SchedulerDocument.read(dpm), Map.of()).sampler().count());
    }

    private static int[] firstTwo(Settings s) {
        int[] steps = s.sampler().timesteps(s.schedule()).toArray();
        return new int[] {steps[0], steps[1]};
    }

    static Stream<UNetConfig> networks() {
        UNetConfig unet2d = UNet2DConfig.ddpm(4, 8, 2, List.of(8, 16), 1, List.of(1), 4, 0, false);
        return Stream.concat(
                Stream.of(unet2d, LucidrainsConfig.of(4, 8, 2, 8, List.of(1, 2), 0, false)),
                Stream.of(Generation.values())
                        .map(g -> g.network(
                                4,
                                8,
                                2,
                                8,
                                8,
                                List.of(1, 2),
                                g == Generation.NOTEBOOK ? BlockKind.CONVNEXT : BlockKind.RESNET,
                                4,
                                2)));
    }

    /** Ours → folder → ours, as a folder and as a single file without it: bit for bit. Twice the same bytes. */
    @ParameterizedTest
    @MethodSource("networks")
    void whatIsExportedIsFoundAgain(UNetConfig config) throws IOException {
        boolean lucidrains = config instanceof LucidrainsConfig;
        ForeignFolder.Format format = config instanceof UNet2DConfig
                ? ForeignFolder.Format.DIFFUSERS
                : lucidrains ? ForeignFolder.Format.LUCIDRAINS : ForeignFolder.Format.ANNOTATED;
        NoiseSchedule.Kind schedule = lucidrains ? NoiseSchedule.Kind.SIGMOID_ALPHA : NoiseSchedule.Kind.COSINE;
        try (Scope scope = Scope.open("export")) {
            UNet unet = random(config);
            ForeignFolder.Process process = process(schedule);
            ForeignFolder.write(format, config, process, Checkpoint.weights(unet, null), folder.resolve("a"));
            ForeignFolder.write(format, config, process, Checkpoint.weights(unet, null), folder.resolve("b"));
            Path file = ForeignModel.find(folder.resolve("a")).orElseThrow().weights();
            Path again = ForeignModel.find(folder.resolve("b")).orElseThrow().weights();
            assertEquals(-1, Files.mismatch(file, again));
            Path alone = Files.createDirectory(folder.resolve("alone")).resolve("some.safetensors");
            Files.copy(file, alone);
            for (Path path : List.of(folder.resolve("a"), alone)) {
                ForeignModel found = ForeignModel.find(path).orElseThrow();
                assertEquals(List.of(4, 8, 2), found.image());
                Settings settings = Settings.of(found.settings(), Map.of());
                assertEquals(
                        config,
                        NetworkDocument.read((Map<?, ?>) found.settings().get("network"), false));
                assertEquals(schedule, settings.scheduleKind());
                UNet other = UNet.build(
                        config, Init.pytorch(backend, DType.F32, new Rng(0)).with(Init.Rule.ZERO), () -> new Rng(0));
                Checkpoint.load(found.weights(), other.parameters());
                Map<String, Parameter> expected = unet.parameters();
                other.parameters()
                        .forEach((name, p) -> assertArrayEquals(
                                expected.get(name).value().toFloats(), p.value().toFloats(), name));
            }
        }
    }

    @Test
    void whoMayReadOtherFoldersMayReadAnExport() throws IOException {
        try (Scope scope = Scope.open("permissions")) {
            LucidrainsConfig config = LucidrainsConfig.of(4, 8, 2, 8, List.of(1, 2), 0, false);
            Path export = folder.resolve("export");
            ForeignFolder.write(
                    ForeignFolder.Format.LUCIDRAINS,
                    config,
                    process(NoiseSchedule.Kind.SIGMOID_ALPHA),
                    Checkpoint.weights(random(config), null),
                    export);
            Path other = Files.createDirectory(folder.resolve("other"));
            assertEquals(Files.getPosixFilePermissions(other), Files.getPosixFilePermissions(export));
        }
    }

    @Test
    void modelsOfTheHubMayLieFlat() throws IOException {
        try (Scope scope = Scope.open("flat")) {
            UNetConfig config = UNet2DConfig.ddpm(4, 8, 2, List.of(8, 16), 1, List.of(1), 4, 0, false);
            ForeignFolder.write(
                    ForeignFolder.Format.DIFFUSERS,
                    config,
                    process(NoiseSchedule.Kind.LINEAR),
                    Checkpoint.weights(random(config), null),
                    folder.resolve("a"));
            Path flat = Files.createDirectory(folder.resolve("flat"));
            for (String name : List.of(
                    "model_index.json",
                    "unet/config.json",
                    "unet/diffusion_pytorch_model.safetensors",
                    "scheduler/scheduler_config.json"))
                Files.copy(
                        folder.resolve("a").resolve(name),
                        flat.resolve(Path.of(name).getFileName()));
            assertTrue(ForeignModel.find(flat).isPresent());
            Files.delete(flat.resolve("scheduler_config.json"));
            refused(flat, "there is no scheduler/scheduler_config.json");
            Files.move(
                    flat.resolve("diffusion_pytorch_model.safetensors"), flat.resolve("diffusion_pytorch_model.bin"));
            refused(flat, "a pickle can run code");
            Files.writeString(flat.resolve("model_index.json"), "{\"_class_name\": \"StableDiffusionPipeline\"}");
            refused(flat, "the pipeline StableDiffusionPipeline is not known here");
        }
    }

    private static void refused(Path path, String message) {
        CheckpointException e = assertThrows(CheckpointException.class, () -> ForeignModel.find(path));
        assertTrue(e.getMessage().contains(message), e.getMessage());
    }

    /** The tables of a GaussianDiffusion are compared with the schedule that the document claims, entry by entry. */
    @Test
    void tablesOfAnotherScheduleAreRefused() throws IOException {
        try (Scope scope = Scope.open("tables")) {
            LucidrainsConfig config = LucidrainsConfig.of(4, 8, 2, 8, List.of(1, 2), 0, false);
            NoiseSchedule claimed = process(NoiseSchedule.Kind.SIGMOID_ALPHA).schedule();
            float[] betas = new float[20];
            for (int t = 0; t < 20; t++) betas[t] = (float) claimed.beta(t);
            ForeignFolder.write(
                    ForeignFolder.Format.LUCIDRAINS,
                    config,
                    process(NoiseSchedule.Kind.SIGMOID_ALPHA),
                    Checkpoint.weights(random(config), null).add("betas", new int[] {20}, betas::clone),
                    folder.resolve("same"));
            assertTrue(ForeignModel.find(folder.resolve("same")).isPresent());
            betas[7] *= 1.001f;
            ForeignFolder.write(
                    ForeignFolder.Format.LUCIDRAINS,
                    config,
                    process(NoiseSchedule.Kind.SIGMOID_ALPHA),
                    Checkpoint.weights(random(config), null).add("betas", new int[] {20}, betas::clone),
                    folder.resolve("other"));
            refused(folder.resolve("other"), "at t = 7");
        }
    }

    @Test
    void aSchedulerOfItsOwnIsNotWrittenForLucidrains() {
        LucidrainsConfig config = LucidrainsConfig.of(4, 8, 2, 8, List.of(1, 2), 0, false);
        Exception e = assertThrows(
                IllegalArgumentException.class,
                () -> ForeignFolder.write(
                        ForeignFolder.Format.LUCIDRAINS,
                        config,
                        process(NoiseSchedule.Kind.COSINE),
                        new ddpm.io.SafetensorsWriter(),
                        folder.resolve("never")));
        assertTrue(e.getMessage().contains("linear-scaled, cosine-iddpm and sigmoid-alpha"), e.getMessage());
        assertTrue(Files.notExists(folder.resolve("never")));
    }

    @Test
    void prefixesCountersAndOldNamesAreUnderstood() {
        Map<String, String> expected = new LinkedHashMap<>();
        expected.put("mid_block.attentions.0.to_out.0.bias", "mid_block.attentions.0.proj_attn.bias");
        expected.put("query.weight", "query.weight");
        expected.put("../../etc/passwd", "../../etc/passwd");
        assertEquals(
                expected,
                WeightNames.of(List.of("mid_block.attentions.0.proj_attn.bias", "query.weight", "../../etc/passwd")));
        assertEquals(
                Map.of("init_conv.bias", "ema_model.model.init_conv.bias"),
                WeightNames.of(List.of(
                        "initted",
                        "step",
                        "online_model.model.init_conv.bias",
                        "ema_model.betas",
                        "ema_model.model.init_conv.bias")));
        assertEquals(
                Map.of("init_conv.bias", "model.init_conv.bias", "extra", "extra"),
                WeightNames.of(List.of("betas", "model.init_conv.bias", "extra")));
    }
}
