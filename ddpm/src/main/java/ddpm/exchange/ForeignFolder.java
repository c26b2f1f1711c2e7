package ddpm.exchange;

import ddpm.diffusion.AncestralSampler.Variance;
import ddpm.diffusion.NoiseSchedule;
import ddpm.diffusion.Target;
import ddpm.diffusion.Timesteps;
import ddpm.io.FileTrouble;
import ddpm.io.Json;
import ddpm.io.SafetensorsWriter;
import ddpm.io.WholeFile;
import ddpm.unet.AnnotatedConfig;
import ddpm.unet.LucidrainsConfig;
import ddpm.unet.UNet2DConfig;
import ddpm.unet.UNetConfig;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;

/** Writes a model as a folder that a class of the Python world loads as it is. */
public final class ForeignFolder {
    /** For whom. */
    public enum Format {
        /** {@code DDPMPipeline.from_pretrained(folder)}: a run of topology ddpm, or a UNet2DModel. */
        DIFFUSERS,
        /** {@code Unet(**arguments).load_state_dict(…)} of the notebook or the blog. */
        ANNOTATED,
        /** {@code Unet(**arguments).load_state_dict(…)} of denoising-diffusion-pytorch. */
        LUCIDRAINS
    }

    /**
     * What the noise is like in the model to be written.
     *
     * @param kind the schedule
     * @param timesteps T
     * @param betaStart β_1, where the schedule has it given
     * @param betaEnd β_T, likewise
     * @param target what the network predicts
     * @param variance of the ancestral sampler
     * @param spacing how timesteps are chosen when they are not all
     * @param clip whether x̂₀ is limited in sampling
     * @param zeroSnr whether the schedule is rescaled so that no signal is left at its end
     */
    public record Process(
            NoiseSchedule.Kind kind,
            int timesteps,
            double betaStart,
            double betaEnd,
            Target target,
            Variance variance,
            Timesteps.Spacing spacing,
            boolean clip,
            boolean zeroSnr) {
        /** As trained. */
        NoiseSchedule schedule() {
            return zeroSnr ? unscaled().withoutFinalSignal() : unscaled();
        }

        /** Before its rescaling. */
        NoiseSchedule unscaled() {
            return NoiseSchedule.of(kind, timesteps, betaStart, betaEnd);
        }
    }

    private ForeignFolder() {}

    /**
     * Writes a folder; it appears whole or not at all.
     *
     * @param weights the tensors, without what the format adds to them
     * @param folder must not exist yet
     * @throws IllegalArgumentException when the format cannot hold this network
     */
    public static void write(Format format, UNetConfig network, Process process, SafetensorsWriter weights, Path folder)
            throws IOException {
        Map<String, byte[]> texts = new LinkedHashMap<>();
        String weightsFile = switch (format) {
            case DIFFUSERS -> diffusers(network, process, weights, texts);
            case ANNOTATED -> annotated(network, process, weights, texts);
            case LUCIDRAINS -> lucidrains(network, process, weights, texts);
        };
        Path target = folder.toAbsolutePath().normalize();
        if (Files.exists(target)) throw new IllegalArgumentException(folder + " exists already: choose another --out");
        Files.createDirectories(target.getParent());
        Path temp = target.resolveSibling(
                "." + target.getFileName() + "." + ProcessHandle.current().pid() + ".tmp");
        try {
            // a folder like any other: one of createTempDirectory is its owner's alone, and stays so
            Files.createDirectory(temp);
            for (Map.Entry<String, byte[]> text : texts.entrySet())
                WholeFile.write(temp.resolve(text.getKey()), text.getValue());
            WholeFile.write(temp.resolve(weightsFile), weights::write);
            Files.move(temp, target, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw FileTrouble.with(folder, e);
        } finally {
            remove(temp);
        }
    }

    private static String diffusers(
            UNetConfig network, Process p, SafetensorsWriter weights, Map<String, byte[]> texts) {
        if (!(network instanceof UNet2DConfig unet)) throw other(network);
        Map<String, Object> config = UNet2DDocument.write(unet);
        Map<String, Object> scheduler = SchedulerDocument.write(p, unet.outChannels() == 2 * unet.channels());
        Map<String, Object> index = new LinkedHashMap<>();
        index.put("_class_name", "DDPMPipeline");
        index.put("_diffusers_version", "0.30.0");
        index.put("scheduler", List.of("diffusers", "DDPMScheduler"));
        index.put("unet", List.of("diffusers", "UNet2DModel"));
        texts.put("model_index.json", text(index));
        texts.put("scheduler/scheduler_config.json", text(scheduler));
        texts.put("unet/config.json", text(config));
        weights.metadata(ForeignModel.CONFIG, Json.compact(config));
        weights.metadata(ForeignModel.SCHEDULER, Json.compact(scheduler));
        return "unet/diffusion_pytorch_model.safetensors";
    }

    private static String annotated(
            UNetConfig network, Process p, SafetensorsWriter weights, Map<String, byte[]> texts) {
        if (!(network instanceof AnnotatedConfig unet)) throw other(network);
        Map<String, Object> config = AnnotatedDocument.write(unet);
        config.put(
                ForeignModel.DIFFUSION,
                DiffusionDocument.write(
                        p.kind(), p.timesteps(), p.betaStart(), p.betaEnd(), p.target(), p.clip(), p.zeroSnr()));
        texts.put("config.json", text(config));
        weights.metadata(ForeignModel.CONFIG, Json.compact(config));
        return "model.safetensors";
    }

    private static String lucidrains(
            UNetConfig network, Process p, SafetensorsWriter weights, Map<String, byte[]> texts) {
        if (!(network instanceof LucidrainsConfig unet)) throw other(network);
        Map<String, Object> config = LucidrainsDocument.write(unet);
        config.put(ForeignModel.DIFFUSION, LucidrainsDocument.writeDiffusion(unet, p.schedule(), p.target()));
        texts.put("config.json", text(config));
        weights.metadata(ForeignModel.CONFIG, Json.compact(config));
        return "model.safetensors";
    }

    private static IllegalArgumentException other(UNetConfig network) {
        Format right = network instanceof UNet2DConfig
                ? Format.DIFFUSERS
                : network instanceof LucidrainsConfig ? Format.LUCIDRAINS : Format.ANNOTATED;
        return new IllegalArgumentException(
                "the classes of this format have other layers than this run's network, which" + " can go to --format "
                        + right.name().toLowerCase(Locale.ROOT));
    }

    private static byte[] text(Map<String, Object> json) {
        return Json.write(json).getBytes(StandardCharsets.UTF_8);
    }

    private static void remove(Path path) throws IOException {
        if (!Files.exists(path)) return;
        if (Files.isDirectory(path))
            try (Stream<Path> children = Files.list(path)) {
                for (Path child : children.toList()) remove(child);
            }
        Files.deleteIfExists(path);
    }
}
