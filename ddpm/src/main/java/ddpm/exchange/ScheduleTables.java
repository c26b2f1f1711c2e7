package ddpm.exchange;

import ddpm.diffusion.NoiseSchedule;
import ddpm.io.CheckpointException;
import ddpm.io.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.IntToDoubleFunction;

/**
 * The tables that lucidrains' GaussianDiffusion keeps in its file beside the network. They are never loaded: they must be
 * those that follow from the schedule the model claims, to single precision.
 */
final class ScheduleTables {
    /** Names of all of them. */
    static final Set<String> NAMES = Set.of(
            "betas",
            "alphas_cumprod",
            "alphas_cumprod_prev",
            "sqrt_alphas_cumprod",
            "sqrt_one_minus_alphas_cumprod",
            "log_one_minus_alphas_cumprod",
            "sqrt_recip_alphas_cumprod",
            "sqrt_recipm1_alphas_cumprod",
            "posterior_variance",
            "posterior_log_variance_clipped",
            "posterior_mean_coef1",
            "posterior_mean_coef2",
            "loss_weight");

    private static final String[] PREFIXES = {"", "ema_model."};

    private ScheduleTables() {}

    /** What each should hold; {@code loss_weight} is a choice of training and says nothing of the schedule. */
    private static Map<String, IntToDoubleFunction> of(NoiseSchedule s) {
        Map<String, IntToDoubleFunction> tables = new LinkedHashMap<>();
        tables.put("betas", s::beta);
        tables.put("alphas_cumprod", s::alphaBar);
        tables.put("alphas_cumprod_prev", t -> s.alphaBar(t - 1));
        tables.put("sqrt_alphas_cumprod", s::sqrtAlphaBar);
        tables.put("sqrt_one_minus_alphas_cumprod", s::sqrtOneMinusAlphaBar);
        tables.put("log_one_minus_alphas_cumprod", t -> Math.log(1 - s.alphaBar(t)));
        tables.put("sqrt_recip_alphas_cumprod", t -> 1 / s.sqrtAlphaBar(t));
        tables.put("sqrt_recipm1_alphas_cumprod", t -> Math.sqrt(1 / s.alphaBar(t) - 1));
        tables.put("posterior_variance", t -> s.transition(t).posteriorVariance());
        tables.put(
                "posterior_log_variance_clipped",
                t -> Math.log(Math.max(1e-20, s.transition(t).posteriorVariance())));
        tables.put("posterior_mean_coef1", t -> s.transition(t).meanStart());
        tables.put("posterior_mean_coef2", t -> s.transition(t).meanNoisy());
        return tables;
    }

    /** Compares every table that is in the file. */
    static void check(Path path, SafetensorsFile file, NoiseSchedule schedule) throws IOException {
        for (Map.Entry<String, IntToDoubleFunction> table : of(schedule).entrySet())
            for (String prefix : PREFIXES)
                if (file.names().contains(prefix + table.getKey()))
                    compare(
                            path,
                            prefix + table.getKey(),
                            file.floats(prefix + table.getKey()),
                            table.getValue(),
                            schedule);
    }

    private static void compare(Path path, String name, float[] found, IntToDoubleFunction expected, NoiseSchedule s) {
        if (found.length != s.timesteps())
            throw new CheckpointException(
                    path,
                    "the table " + name + " has " + found.length + " entries, but the model is said to have "
                            + s.timesteps() + " timesteps");
        for (int t = 0; t < found.length; t++) {
            double value = expected.applyAsDouble(t);
            if (!(Math.abs(found[t] - value) <= 1e-5 * Math.abs(value) + 1e-7))
                throw new CheckpointException(
                        path,
                        "the table " + name + " holds " + found[t] + " at t = " + t
                                + ", but the schedule that the model is said to have gives " + (float) value);
        }
    }
}
