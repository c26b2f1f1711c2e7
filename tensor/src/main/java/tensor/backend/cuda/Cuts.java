package tensor.backend.cuda;

import java.util.ArrayList;
import java.util.List;
import tensor.backend.Region;
import tensor.memory.Buffer;

/**
 * Copies of parts of what is still being computed aside ({@link SideStream}), put off until somebody asks for one of them, and then
 * made in one launch. Where several maps are one product, as those to queries, keys and values are, the gradients of their weights
 * are cut out of one; nobody asks before the update.
 */
final class Cuts {
    private final Engine engine;
    private final Movement movement;
    private final List<Region> from = new ArrayList<>();
    private final List<Region> to = new ArrayList<>();

    Cuts(Engine engine, Movement movement) {
        this.engine = engine;
        this.movement = movement;
    }

    /** Puts copies off, if somebody would wait for each; whether they are. */
    boolean putOff(Region[] from, Region[] to) {
        if (touches(from, this.to) || touches(to, this.from) || touches(to, this.to)) make(); // one launch has no order
        for (Region part : from) if (!part.tensor().buffer().isAwaited()) return false;
        for (int k = 0; k < from.length; k++) {
            Buffer source = from[k].tensor().buffer();
            this.from.add(from[k]);
            this.to.add(to[k]);
            source.retain();
            source.fence(this::make); // whoever writes to it asks, too
            to[k].tensor().buffer().fence(this::make);
        }
        return true;
    }

    private static boolean touches(Region[] some, List<Region> others) {
        for (Region one : some)
            for (Region other : others)
                if (one.tensor().buffer() == other.tensor().buffer()) return true;
        return false;
    }

    /** Makes all. */
    void make() {
        if (from.isEmpty()) return;
        Region[] sources = from.toArray(Region[]::new);
        Region[] results = to.toArray(Region[]::new);
        from.clear();
        to.clear();
        engine.context().enter();
        for (Region[] regions : new Region[][] {sources, results})
            for (Region part : regions) part.tensor().buffer().block(); // which may copy by itself
        movement.copy(sources, results);
        for (Region part : sources) part.tensor().buffer().release();
    }

    /** Lets go of them unmade. */
    void forget() {
        List<Region> sources = List.copyOf(from);
        from.clear();
        to.clear();
        for (Region part : sources) part.tensor().buffer().release(); // which asks, where it is the last owner
    }
}
