package ddpm.exchange;

import ddpm.diffusion.NoiseSchedule;
import ddpm.diffusion.Target;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What stands under {@code _diffusion} in the document of a class that knows no scheduler: for the annotated classes the
 * number of timesteps and the schedule by our name (the notebook's functions are called alike), its ends and the target.
 */
final class DiffusionDocument {
    private DiffusionDocument() {}

    /** Settings by key, as JSON values. */
    static Map<String, Object> read(Map<?, ?> json, Object library) {
        Options o = new Options(library + " diffusion", json);
        Map<String, Object> settings = new LinkedHashMap<>();
        settings.put("timesteps", (long) o.whole("timesteps", 200, 2));
        settings.put(
                "schedule",
                NoiseSchedule.Kind.of(o.text("beta_schedule", "linear")).word());
        settings.put("beta-start", o.number("beta_start", NoiseSchedule.BETA_START));
        settings.put("beta-end", o.number("beta_end", NoiseSchedule.BETA_END));
        settings.put("target", o.text("target", "epsilon"));
        settings.put("sampler", "ddpm");
        settings.put("sampling-steps", 0L);
        settings.put("variance", "fixed-small");
        settings.put("clip-x0", o.flag("clip_x0", false));
        settings.put("zero-snr", o.flag("zero_snr", false));
        o.done();
        return settings;
    }

    static Map<String, Object> write(
            NoiseSchedule.Kind kind,
            int timesteps,
            double betaStart,
            double betaEnd,
            Target target,
            boolean clip,
            boolean zeroSnr) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("timesteps", (long) timesteps);
        json.put("beta_schedule", kind.word());
        json.put("beta_start", betaStart);
        json.put("beta_end", betaEnd);
        json.put("target", target.name().toLowerCase(java.util.Locale.ROOT));
        json.put("clip_x0", clip);
        json.put("zero_snr", zeroSnr);
        return json;
    }
}
