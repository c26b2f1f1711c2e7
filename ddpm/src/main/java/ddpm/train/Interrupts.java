package ddpm.train;

import java.lang.reflect.Proxy;

/**
 * Ctrl-C and SIGTERM as a request: the first is noted, so that the run can save and end in order; the second ends the
 * process at once.
 *
 * <p>The JDK's only way to see a signal without ending is {@code sun.misc.Signal} (module {@code jdk.unsupported}). It
 * is reached by reflection because compiling against it cannot be done without a warning; where it is missing, signals
 * keep their usual meaning.
 */
public final class Interrupts {
    /** What the shell expects of a process that Ctrl-C ended. */
    public static final int EXIT_CODE = 130;

    private static final System.Logger LOG = System.getLogger("ddpm.train");

    private volatile boolean requested;

    /** Thrown where a run can stop, once a stop was asked for. */
    public static final class Stop extends RuntimeException {
        private static final long serialVersionUID = 1;

        private Stop() {
            super("stopped by a signal", null, false, false);
        }
    }

    /** Listens for INT and TERM; {@code onFirst} runs once, on the signal's thread. */
    public static Interrupts listen(Runnable onFirst) {
        Interrupts interrupts = new Interrupts();
        for (String signal : new String[] {"INT", "TERM"})
            try {
                interrupts.handle(signal, onFirst);
            } catch (ReflectiveOperationException | RuntimeException e) {
                LOG.log(System.Logger.Level.DEBUG, "cannot listen for SIG" + signal, e);
            }
        return interrupts;
    }

    /** Interrupts that never come. */
    public static Interrupts none() {
        return new Interrupts();
    }

    private void handle(String name, Runnable onFirst) throws ReflectiveOperationException {
        Class<?> signal = Class.forName("sun.misc.Signal");
        Class<?> handler = Class.forName("sun.misc.SignalHandler");
        Object proxy =
                Proxy.newProxyInstance(handler.getClassLoader(), new Class<?>[] {handler}, (self, method, args) -> {
                    if (method.getName().equals("handle")) arrived(onFirst);
                    return method.getName().equals("hashCode") ? (Object) System.identityHashCode(self) : null;
                });
        signal.getMethod("handle", signal, handler)
                .invoke(null, signal.getConstructor(String.class).newInstance(name), proxy);
    }

    private synchronized void arrived(Runnable onFirst) {
        if (requested) Runtime.getRuntime().halt(EXIT_CODE);
        request();
        onFirst.run();
    }

    /** Asks for a stop. */
    void request() {
        requested = true;
    }

    /** Whether a stop was asked for. */
    public boolean requested() {
        return requested;
    }

    /**
     * To be called where stopping is safe.
     *
     * @throws Stop once a stop was asked for
     */
    public void check() {
        if (requested) throw new Stop();
    }
}
