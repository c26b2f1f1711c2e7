package ddpm.exchange;

import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What tensors in a file of weights are called in the network they belong to.
 *
 * <ul>
 *   <li>{@code ema_model.} in front marks an average (lucidrains' EMA): where it occurs, only its tensors count, and the
 *       running model beside them ({@code online_model.}, {@code initted}, {@code step}) does not;
 *   <li>{@code model.} in front marks the network inside lucidrains' GaussianDiffusion; the tables of the noise schedule
 *       beside it do not belong to the network, see {@link ScheduleTables};
 *   <li>{@code query, key, value, proj_attn} are older names of diffusers' {@code to_q, to_k, to_v, to_out.0}.
 * </ul>
 */
public final class WeightNames {
    private static final String AVERAGE = "ema_model.";
    private static final String RUNNING = "online_model.";
    private static final Set<String> COUNTERS = Set.of("initted", "step");
    private static final String INNER = "model.";

    private static final Pattern OLD_ATTENTION =
            Pattern.compile("(.*\\battentions\\.\\d+\\.)(query|key|value|proj_attn)\\.(weight|bias)");
    private static final Map<String, String> NEW_ATTENTION =
            Map.of("query", "to_q", "key", "to_k", "value", "to_v", "proj_attn", "to_out.0");

    private WeightNames() {}

    /**
     * The network's tensors among those of a file.
     *
     * @param inFile all names in the file
     * @return names in the network, each with its name in the file; what is not understood stays as it is
     */
    public static Map<String, String> of(Collection<String> inFile) {
        boolean averaged = inFile.stream().anyMatch(name -> name.startsWith(AVERAGE));
        Map<String, String> found = new LinkedHashMap<>();
        for (String name : inFile) {
            if (!averaged) found.put(name, name);
            else if (name.startsWith(AVERAGE)) found.put(name.substring(AVERAGE.length()), name);
            else if (!name.startsWith(RUNNING) && !COUNTERS.contains(name)) found.put(name, name);
        }
        boolean inner = found.keySet().stream().anyMatch(name -> name.startsWith(INNER));
        Map<String, String> names = new LinkedHashMap<>();
        found.forEach((name, original) -> {
            if (!inner) names.put(current(name), original);
            else if (name.startsWith(INNER)) names.put(current(name.substring(INNER.length())), original);
            else if (!ScheduleTables.NAMES.contains(name)) names.put(name, original);
        });
        return names;
    }

    private static String current(String name) {
        Matcher old = OLD_ATTENTION.matcher(name);
        return old.matches() ? old.group(1) + NEW_ATTENTION.get(old.group(2)) + "." + old.group(3) : name;
    }
}
