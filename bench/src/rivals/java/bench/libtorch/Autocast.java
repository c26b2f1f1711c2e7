package bench.libtorch;

import java.lang.reflect.InvocationTargetException;
import org.bytedeco.pytorch.global.torch;

/**
 * A region in which libtorch computes convolutions and products in bfloat16, as {@code torch.autocast("cpu")} does in Python;
 * in fp32, nothing. It is called by name because the bindings that this package is compiled against, those of the official
 * build, do not have it; those of the build for bf16 do.
 */
final class Autocast implements AutoCloseable {
    private final boolean on;

    private Autocast(boolean on) {
        this.on = on;
    }

    /** Enters the region if {@code wanted}. */
    static Autocast enter(boolean wanted) {
        if (wanted) {
            call("set_autocast_dtype", torch.DeviceType.CPU, torch.ScalarType.BFloat16);
            call("set_autocast_enabled", torch.DeviceType.CPU, true);
            call("increment_nesting");
        }
        return new Autocast(wanted);
    }

    /** Leaves it, and drops the rounded copies of the weights. */
    @Override
    public void close() {
        if (!on) return;
        call("clear_cache");
        call("decrement_nesting");
        call("set_autocast_enabled", torch.DeviceType.CPU, false);
    }

    private static void call(String name, Object... arguments) {
        Class<?>[] types = new Class<?>[arguments.length];
        for (int i = 0; i < types.length; i++)
            types[i] = arguments[i] instanceof Boolean ? boolean.class : arguments[i].getClass();
        try {
            torch.class.getMethod(name, types).invoke(null, arguments);
        } catch (NoSuchMethodException e) {
            throw new IllegalStateException("these bindings of libtorch have no autocast", e);
        } catch (IllegalAccessException | InvocationTargetException e) {
            throw new IllegalStateException("autocast failed", e);
        }
    }
}
