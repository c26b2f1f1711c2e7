package ddpm.exchange;

import ddpm.diffusion.NoiseSchedule;
import ddpm.diffusion.Target;
import ddpm.unet.LucidrainsConfig;
import ddpm.unet.LucidrainsConfig.Time;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The arguments of lucidrains' {@code Unet}, and under {@code _diffusion} those of its {@code GaussianDiffusion}.
 *
 * <pre>{"_class_name": "Unet", "_library": "denoising-diffusion-pytorch", "_image_size": [32, 32],
 *  "dim": 64, "dim_mults": [1, 2, 4, 8], "channels": 3, …,
 *  "_diffusion": {"image_size": [32, 32], "timesteps": 1000, "beta_schedule": "sigmoid", "objective": "pred_v"}}</pre>
 */
final class LucidrainsDocument {
    static final String LIBRARY = "denoising-diffusion-pytorch";

    private static final Map<NoiseSchedule.Kind, String> SCHEDULES = Map.of(
            NoiseSchedule.Kind.LINEAR_SCALED, "linear",
            NoiseSchedule.Kind.COSINE_IDDPM, "cosine",
            NoiseSchedule.Kind.SIGMOID_ALPHA, "sigmoid");
    private static final Map<Target, String> OBJECTIVES =
            Map.of(Target.EPSILON, "pred_noise", Target.X0, "pred_x0", Target.V, "pred_v");

    private LucidrainsDocument() {}

    static LucidrainsConfig read(Map<?, ?> json, boolean zeroInit) {
        Options o = new Options("lucidrains Unet", json);
        o.ignore("_class_name", "_library", "_diffusion");
        int[] sides = o.sides("_image_size");
        int dim = o.whole("dim", 0, 4);
        List<Integer> mults = o.wholes("dim_mults", List.of(1, 2, 4, 8));
        int levels = mults.size();
        int channels = o.whole("channels", 3, 1);
        o.only("self_condition", false);
        boolean learnedVariance = o.flag("learned_variance", false);
        int out = o.has("out_dim") ? o.whole("out_dim", 0, 1) : channels * (learnedVariance ? 2 : 1);
        if (out != channels && out != 2 * channels)
            throw new IllegalArgumentException(
                    "lucidrains Unet: out_dim can be channels or, with variances, twice channels, not " + out);
        boolean learned = o.flag("learned_sinusoidal_cond", false);
        boolean random = o.flag("random_fourier_features", false);
        o.flag("flash_attn", false); // how it is computed, not what
        LucidrainsConfig config = new LucidrainsConfig(
                sides[0],
                sides[1],
                channels,
                out,
                o.has("init_dim") ? o.whole("init_dim", 0, 1) : dim,
                dim,
                mults,
                random ? Time.RANDOM : learned ? Time.LEARNED : Time.SINUSOIDAL,
                o.whole("learned_sinusoidal_dim", 16, 2),
                o.number("sinusoidal_pos_emb_theta", 10000),
                o.number("dropout", 0),
                o.each("attn_heads", levels, 4),
                o.each("attn_dim_head", levels, 32),
                full(o, levels),
                zeroInit);
        o.done();
        return config;
    }

    /** By default, and for false, the last level only. */
    private static List<Boolean> full(Options o, int levels) {
        List<Boolean> given = o.flags("full_attn", levels);
        if (!given.isEmpty()) return given;
        return lastOnly(levels);
    }

    private static List<Boolean> lastOnly(int levels) {
        List<Boolean> last = new ArrayList<>(Collections.nCopies(levels - 1, false));
        last.add(true);
        return last;
    }

    static Map<String, Object> write(LucidrainsConfig c) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("_class_name", "Unet");
        json.put("_library", LIBRARY);
        json.put("_image_size", List.of((long) c.height(), (long) c.width()));
        json.put("dim", (long) c.dim());
        json.put("init_dim", (long) c.stem());
        json.put("dim_mults", UNet2DDocument.numbers(c.dimMults()));
        json.put("channels", (long) c.channels());
        json.put("learned_variance", c.outChannels() != c.channels());
        json.put("learned_sinusoidal_cond", c.time() == Time.LEARNED);
        json.put("random_fourier_features", c.time() == Time.RANDOM);
        json.put("learned_sinusoidal_dim", (long) c.learnedWidth());
        json.put("sinusoidal_pos_emb_theta", c.theta());
        json.put("dropout", c.dropout());
        json.put("attn_dim_head", uniform(c.headWidth()));
        json.put("attn_heads", uniform(c.heads()));
        json.put(
                "full_attn",
                c.fullAttention().equals(lastOnly(c.levels())) ? null : new ArrayList<>(c.fullAttention()));
        return json;
    }

    /** One number where it serves all levels: the class takes a tuple for each, and JSON has none. */
    private static Object uniform(List<Integer> values) {
        return values.stream().distinct().count() == 1 ? (Object) (long) values.get(0) : UNet2DDocument.numbers(values);
    }

    /** GaussianDiffusion's arguments, as settings by key. */
    static Map<String, Object> readDiffusion(Map<?, ?> json) {
        Options o = new Options("GaussianDiffusion", json);
        o.ignore("image_size"); // the network's document has it too
        o.ignore("offset_noise_strength", "min_snr_loss_weight", "min_snr_gamma", "immiscible"); // of training only
        o.only("auto_normalize", true);
        o.only("schedule_fn_kwargs", Map.of());
        Map<String, Object> settings = new LinkedHashMap<>();
        long timesteps = o.whole("timesteps", 1000, 2);
        settings.put("timesteps", timesteps);
        settings.put(
                "schedule",
                word(SCHEDULES, o.text("beta_schedule", "sigmoid"), "beta_schedule")
                        .word());
        settings.put("beta-start", NoiseSchedule.BETA_START);
        settings.put("beta-end", NoiseSchedule.BETA_END);
        settings.put(
                "target",
                word(OBJECTIVES, o.text("objective", "pred_v"), "objective")
                        .name()
                        .toLowerCase(java.util.Locale.ROOT));
        long steps = o.has("sampling_timesteps") ? o.whole("sampling_timesteps", 0, 1) : timesteps;
        boolean few = steps != timesteps; // all of them it visits by ancestral sampling
        settings.put("sampler", few ? "ddim" : "ddpm");
        settings.put("sampling-steps", few ? steps : 0L);
        settings.put("spacing", "trailing-down"); // linspace(-1, T - 1).int(), from the last to -1, the image
        settings.put("eta", o.number("ddim_sampling_eta", 0));
        settings.put("variance", "fixed-small");
        settings.put("clip-x0", true);
        o.done();
        return settings;
    }

    private static <K> K word(Map<K, String> words, String word, String key) {
        for (Map.Entry<K, String> entry : words.entrySet()) if (entry.getValue().equals(word)) return entry.getKey();
        throw new IllegalArgumentException("GaussianDiffusion: " + key + " can be one of "
                + words.values().stream().sorted().toList() + ", not " + word);
    }

    static Map<String, Object> writeDiffusion(LucidrainsConfig c, NoiseSchedule schedule, Target target) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("image_size", List.of((long) c.height(), (long) c.width()));
        json.put("timesteps", (long) schedule.timesteps());
        json.put("objective", OBJECTIVES.get(target));
        for (Map.Entry<NoiseSchedule.Kind, String> known : SCHEDULES.entrySet())
            if (same(schedule, NoiseSchedule.of(known.getKey(), schedule.timesteps())))
                json.put("beta_schedule", known.getValue());
        if (!json.containsKey("beta_schedule"))
            throw new IllegalArgumentException(
                    "lucidrains' GaussianDiffusion has no such noise schedule; it has those that"
                            + " are called linear-scaled, cosine-iddpm and sigmoid-alpha here");
        return json;
    }

    private static boolean same(NoiseSchedule a, NoiseSchedule b) {
        for (int t = 0; t < a.timesteps(); t++) if (Math.abs(a.beta(t) - b.beta(t)) > 1e-9) return false;
        return true;
    }
}
