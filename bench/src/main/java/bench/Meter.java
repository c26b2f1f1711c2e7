package bench;

import static net.bytebuddy.matcher.ElementMatchers.hasSuperType;
import static net.bytebuddy.matcher.ElementMatchers.isInterface;
import static net.bytebuddy.matcher.ElementMatchers.isPublic;
import static net.bytebuddy.matcher.ElementMatchers.isStatic;
import static net.bytebuddy.matcher.ElementMatchers.nameStartsWith;
import static net.bytebuddy.matcher.ElementMatchers.named;
import static net.bytebuddy.matcher.ElementMatchers.namedOneOf;
import static net.bytebuddy.matcher.ElementMatchers.not;

import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.Set;
import java.util.function.LongSupplier;
import net.bytebuddy.agent.ByteBuddyAgent;
import net.bytebuddy.agent.builder.AgentBuilder;
import net.bytebuddy.asm.Advice;
import tensor.backend.Backend;

/**
 * Watches every call that reaches a backend. The classes are instrumented as they are loaded, so no product code knows of
 * it: {@link #install} comes before the first backend is opened.
 *
 * <p>A call counts from its entry to the moment the device has finished it ({@link Backend#synchronize}); on a GPU a
 * watched step is therefore slower than an unwatched one. A call that a backend makes to itself belongs to the outer one.
 */
public final class Meter {
    /** Sees a finished call. */
    @FunctionalInterface
    public interface Listener {
        void call(Backend on, String name, Object[] arguments, long nanos);
    }

    /** Calls that compute nothing. */
    private static final Set<String> ANSWERS =
            Set.of("name", "description", "precision", "supports", "memory", "record", "close");

    private static boolean installed;
    private static Listener listener;
    private static Thread watched;
    private static int depth;
    private static String slowed = "";
    private static double slowdown = 1;
    private static LongSupplier clock = System::nanoTime;

    private Meter() {}

    /** Instruments every backend that is loaded from now on. */
    public static synchronized void install() {
        if (installed) return;
        installed = true;
        String[] calls = Arrays.stream(Backend.class.getMethods())
                .map(Method::getName)
                .filter(name -> !ANSWERS.contains(name))
                .distinct()
                .toArray(String[]::new);
        new AgentBuilder.Default()
                .disableClassFormatChanges()
                .with(AgentBuilder.RedefinitionStrategy.RETRANSFORMATION)
                .type(nameStartsWith("tensor.")
                        .and(not(isInterface()))
                        .and(hasSuperType(named(Backend.class.getName()))))
                .transform((builder, type, loader, module, domain) -> builder.visit(Advice.to(Around.class)
                        .on(namedOneOf(calls).and(isPublic()).and(not(isStatic())))))
                .installOn(ByteBuddyAgent.install());
    }

    /**
     * What time is: {@link System#nanoTime}, or, for a backend that computes on one thread of a busy machine, the time for
     * which the calling thread has had a core.
     */
    public static void clock(LongSupplier nanos) {
        clock = nanos;
    }

    /** From now on the calls of this thread are told to the listener; {@code null} ends it. */
    public static void watch(Listener who) {
        listener = who;
        watched = who == null ? null : Thread.currentThread();
        depth = 0;
    }

    /**
     * Makes one call slower on purpose, for the proof that somebody would notice: after it has finished, the thread spins
     * until {@code factor} times its duration has passed. A factor of 1 ends it.
     */
    public static void slow(String call, double factor) {
        install();
        slowed = call;
        slowdown = factor;
    }

    /** For the instrumented code: the time at which a call begins, or −1 when nobody watches it. */
    public static long enter() {
        if (listener == null && slowdown == 1) return -1;
        if (listener != null && Thread.currentThread() != watched) return -1;
        return depth++ == 0 ? clock.getAsLong() : 0;
    }

    /** For the instrumented code: a call ends that began at {@code begin}. */
    public static void exit(Object on, String name, Object[] arguments, long begin) {
        if (begin == -1) return;
        depth--;
        if (begin == 0) return;
        Backend backend = (Backend) on;
        depth++; // what follows is nobody's call
        backend.synchronize();
        depth--;
        long nanos = clock.getAsLong() - begin;
        if (slowdown != 1 && name.equals(slowed)) {
            while (clock.getAsLong() - begin < nanos * slowdown) Thread.onSpinWait();
            nanos = clock.getAsLong() - begin;
        }
        if (listener != null) listener.call(backend, name, arguments, nanos);
    }

    /** Is copied into every watched method. */
    private static final class Around {
        @Advice.OnMethodEnter
        static long enter() {
            return Meter.enter();
        }

        @Advice.OnMethodExit(onThrowable = Throwable.class)
        static void exit(
                @Advice.This Object on,
                @Advice.Origin("#m") String name,
                @Advice.AllArguments Object[] arguments,
                @Advice.Enter long begin) {
            Meter.exit(on, name, arguments, begin);
        }
    }
}
