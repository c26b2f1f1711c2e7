package ddpm.exchange;

import ddpm.diffusion.AncestralSampler.Variance;
import ddpm.diffusion.NoiseSchedule;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Diffusers' {@code scheduler_config.json}, for DDPMScheduler, DDIMScheduler and DPMSolverMultistepScheduler, as our
 * settings. What would change a picture and has no counterpart here is refused by name.
 */
final class SchedulerDocument {
    /** Steps of a scheduler that is made for few, as its pipelines take by default. */
    private static final long FEW_DDIM = 50;

    private static final long FEW_DPM = 25;

    private enum Spacing {
        LINSPACE,
        LEADING,
        TRAILING
    }

    private SchedulerDocument() {}

    /** Settings by key, as JSON values. */
    static Map<String, Object> read(Map<?, ?> json) {
        String name = String.valueOf(json.get("_class_name"));
        Options o = new Options(name, json);
        o.ignore("_class_name", "_diffusers_version", "_name_or_path");
        Map<String, Object> settings = new LinkedHashMap<>();
        schedule(o, settings);
        settings.put(
                "target",
                switch (o.text("prediction_type", "epsilon")) {
                    case "epsilon" -> "epsilon";
                    case "sample" -> "x0";
                    case "v_prediction" -> "v";
                    default -> throw unknown(name, "prediction_type", json);
                });
        o.only("thresholding", false);
        o.ignore("dynamic_thresholding_ratio", "sample_max_value"); // of thresholding
        if (name.startsWith("DPM")) o.only("rescale_betas_zero_snr", false); // it keeps a little signal of its own
        settings.put("zero-snr", o.flag("rescale_betas_zero_snr", false));
        o.only("steps_offset", 0L);
        switch (name) {
            case "DDPMScheduler" -> ddpm(o, settings, json);
            case "DDIMScheduler" -> {
                settings.put("sampler", "ddim");
                settings.put("sampling-steps", Math.min(FEW_DDIM, (Long) settings.get("timesteps")));
                settings.put("eta", 0.0);
                clip(o, settings);
                o.only("set_alpha_to_one", true);
            }
            case "DPMSolverMultistepScheduler" -> {
                settings.put("sampler", "dpm++");
                settings.put("sampling-steps", Math.min(FEW_DPM, (Long) settings.get("timesteps")));
                settings.put("clip-x0", false);
                dpmSolver(o);
            }
            default ->
                throw new IllegalArgumentException(
                        "the scheduler " + name + " is not known here; known are DDPMScheduler,"
                                + " DDIMScheduler and DPMSolverMultistepScheduler");
        }
        boolean dpm = name.startsWith("DPM");
        Spacing spacing = o.choice("timestep_spacing", Spacing.class, dpm ? Spacing.LINSPACE : Spacing.LEADING);
        String open = dpm && spacing != Spacing.TRAILING ? "-open" : ""; // it leaves timestep 0 out
        settings.put("spacing", spacing.name().toLowerCase(java.util.Locale.ROOT) + open);
        o.done();
        return settings;
    }

    private static IllegalArgumentException unknown(String name, String key, Map<?, ?> json) {
        return new IllegalArgumentException(name + ": " + key + " " + json.get(key) + " is not known here");
    }

    private static void schedule(Options o, Map<String, Object> settings) {
        settings.put("timesteps", (long) o.whole("num_train_timesteps", 1000, 2));
        settings.put("beta-start", o.number("beta_start", 1e-4));
        settings.put("beta-end", o.number("beta_end", 0.02));
        String word = o.text("beta_schedule", "linear");
        settings.put(
                "schedule",
                switch (word) {
                    case "linear" -> "linear";
                    case "scaled_linear" -> "quadratic";
                    case "squaredcos_cap_v2" -> "cosine-iddpm";
                    case "sigmoid" -> "sigmoid";
                    default ->
                        throw new IllegalArgumentException(
                                "beta_schedule can be linear, scaled_linear, squaredcos_cap_v2 or"
                                        + " sigmoid here, not " + word);
                });
        if (o.has("trained_betas")) settings.putAll(known(o.numbers("trained_betas")));
    }

    /** The schedule here that has these β, to single precision. */
    private static Map<String, Object> known(double[] betas) {
        for (NoiseSchedule.Kind kind : NoiseSchedule.Kind.values())
            if (betas.length >= 2 && matches(NoiseSchedule.of(kind, betas.length), betas))
                return Map.of(
                        "schedule",
                        kind.word(),
                        "timesteps",
                        (long) betas.length,
                        "beta-start",
                        NoiseSchedule.BETA_START,
                        "beta-end",
                        NoiseSchedule.BETA_END);
        throw new IllegalArgumentException("trained_betas are " + betas.length
                + " numbers that none of the schedules here has, so they cannot be used");
    }

    private static boolean matches(NoiseSchedule schedule, double[] betas) {
        for (int t = 0; t < betas.length; t++)
            if (Math.abs(schedule.beta(t) - betas[t]) > 1e-6 * schedule.beta(t) + 1e-9) return false;
        return true;
    }

    private static void ddpm(Options o, Map<String, Object> settings, Map<?, ?> json) {
        settings.put("sampler", "ddpm");
        settings.put("sampling-steps", 0L);
        settings.put(
                "variance",
                switch (o.text("variance_type", "fixed_small")) {
                    case "fixed_small", "fixed_small_log" -> "fixed-small";
                    // A learned range is in the network's output, where sampling finds it.
                    case "fixed_large", "learned_range" -> "fixed-large";
                    default -> throw unknown("DDPMScheduler", "variance_type", json);
                });
        clip(o, settings);
    }

    private static void clip(Options o, Map<String, Object> settings) {
        settings.put("clip-x0", o.flag("clip_sample", true));
        o.only("clip_sample_range", 1L);
    }

    private static void dpmSolver(Options o) {
        o.only("solver_order", 2L);
        o.only("algorithm_type", "dpmsolver++");
        o.only("solver_type", "midpoint");
        o.only("final_sigmas_type", "zero");
        o.ignore("lower_order_final", "euler_at_final"); // the step to σ = 0 is of first order anyway
        if (o.has("variance_type")) o.only("variance_type", "learned_range");
        for (String sigmas : List.of(
                "use_karras_sigmas",
                "use_exponential_sigmas",
                "use_beta_sigmas",
                "use_lu_lambdas",
                "use_flow_sigmas",
                "use_dynamic_shifting")) o.only(sigmas, false);
        o.only("flow_shift", 1L);
        o.only("lambda_min_clipped", null);
        o.ignore("time_shift_type");
    }

    /** A DDPMScheduler's document. */
    static Map<String, Object> write(ForeignFolder.Process p, boolean learnedVariance) {
        String word = switch (p.kind()) {
            case LINEAR -> "linear";
            case QUADRATIC -> "scaled_linear";
            case SIGMOID -> "sigmoid";
            case COSINE_IDDPM -> "squaredcos_cap_v2";
            default -> null;
        };
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("_class_name", "DDPMScheduler");
        json.put("_diffusers_version", "0.30.0");
        json.put("beta_end", p.betaEnd());
        json.put("beta_schedule", word == null ? "linear" : word);
        json.put("beta_start", p.betaStart());
        json.put("clip_sample", p.clip());
        json.put("clip_sample_range", 1.0);
        json.put("num_train_timesteps", (long) p.timesteps());
        json.put(
                "prediction_type",
                switch (p.target()) {
                    case EPSILON -> "epsilon";
                    case X0 -> "sample";
                    case V -> "v_prediction";
                });
        json.put("rescale_betas_zero_snr", p.zeroSnr());
        json.put("steps_offset", 0L);
        json.put("thresholding", false);
        json.put(
                "timestep_spacing",
                switch (p.spacing()) {
                    case LINSPACE, LINSPACE_OPEN -> "linspace"; // the class that reads it leaves 0 out, or not
                    case LEADING, LEADING_OPEN -> "leading";
                    case TRAILING, TRAILING_DOWN -> "trailing";
                });
        NoiseSchedule schedule = p.unscaled(); // who reads it rescales it
        List<Object> betas = new ArrayList<>();
        for (int t = 0; word == null && t < p.timesteps(); t++) betas.add(schedule.beta(t));
        json.put("trained_betas", betas.isEmpty() ? null : betas);
        json.put(
                "variance_type",
                learnedVariance
                        ? "learned_range"
                        : p.variance() == Variance.FIXED_LARGE ? "fixed_large" : "fixed_small");
        return json;
    }
}
