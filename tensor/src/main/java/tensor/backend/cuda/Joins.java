package tensor.backend.cuda;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import tensor.Tensor;
import tensor.backend.Region;
import tensor.memory.Buffer;
import tensor.memory.Scope;

/**
 * Two tensors side by side along their channels, as the skips of a U-Net are joined. Group norm and products read the two
 * where they are, so the joint tensor is not made before somebody else asks for it ({@link Buffer#putOff}), which in these
 * networks nobody does. Until then the parts are held, and who writes to one of them has the joint tensor made first.
 *
 * <p>Backward, group norm likewise writes the gradient of such a tensor in two parts, and who wants to have it cut into these
 * is given them ({@link Buffer#exchange}).
 */
final class Joins {
    private final Engine engine;
    private final Movement movement;
    private final Map<Buffer, List<Joint>> parts = new IdentityHashMap<>();

    Joins(Engine engine, Movement movement) {
        this.engine = engine;
        this.movement = movement;
    }

    /** A joint tensor that has not been made. */
    final class Joint implements AutoCloseable {
        private final Region[] from;
        private final Region[] to;
        private final boolean given;
        private boolean over;

        /** With parts that may be given away, or not. */
        private Joint(Region[] from, Region[] to, boolean given) {
            this.from = from;
            this.to = to;
            this.given = given;
            for (Region part : from) {
                Buffer buffer = part.tensor().buffer().retain();
                parts.computeIfAbsent(buffer, b -> new ArrayList<>()).add(this);
            }
        }

        Tensor first() {
            return from[0].tensor();
        }

        Tensor second() {
            return from[1].tensor();
        }

        /** Channels of the first. */
        int split() {
            return first().shape().get(-1);
        }

        /** Channels of both. */
        private int channels() {
            return split() + second().shape().get(-1);
        }

        private void make() {
            if (over) return;
            engine.context().enter();
            movement.copy(from, to);
            close();
        }

        /** Lets go of the parts. */
        @Override
        public void close() {
            if (over) return;
            over = true;
            for (Region part : from) {
                Buffer buffer = part.tensor().buffer();
                parts.get(buffer).remove(this);
                if (parts.get(buffer).isEmpty()) parts.remove(buffer);
                buffer.release();
            }
        }
    }

    /** What x is made of, or {@code null} where it is there as a whole. */
    static Joint of(Tensor x) {
        return x.buffer().companion() instanceof Joint joint
                        && !joint.over
                        && joint.channels() == x.shape().get(-1)
                ? joint
                : null;
    }

    /** Puts a copy off that joins channels, 16 bytes or a multiple of the one and the other; whether it is one. */
    boolean putOff(Region[] from, Region[] to) {
        if (from.length != 2 || to[0].tensor() != to[1].tensor()) return false;
        Tensor y = to[0].tensor();
        int last = y.shape().rank() - 1;
        int split = from[0].sizes()[last];
        int channels = y.shape().get(last);
        int vector = 16 / y.dtype().bytes();
        boolean joins = y.shape().rank() == 4
                && isFree(y)
                && split % vector == 0
                && channels % vector == 0
                && isPart(from[0], to[0], 0, split)
                && isPart(from[1], to[1], split, channels - split);
        if (!joins) return false;
        for (Region part : from) part.tensor().buffer().block(); // made, if it was put off itself
        putOff(y, new Joint(from.clone(), to.clone(), false));
        return true;
    }

    /** Whether nothing is attached to y that outlives being written. */
    private static boolean isFree(Tensor y) {
        AutoCloseable companion = y.buffer().companion();
        return companion == null || companion instanceof Joint || companion instanceof PixelSums;
    }

    private static void putOff(Tensor y, Joint joint) {
        y.buffer().companion(joint);
        y.buffer().putOff(joint::make);
    }

    /**
     * Puts the making of y off, all of which is about to be written in two parts, the first of so many channels; {@code null}
     * where it cannot be.
     */
    Joint parts(Tensor y, int split) {
        if (!isFree(y)) return null;
        Region all = Region.of(y);
        int last = y.shape().rank() - 1;
        int rest = y.shape().get(last) - split;
        try (Scope scope = Scope.open("parts")) {
            Region[] from = {
                Region.of(y.empty(y.shape().with(last, split))),
                Region.of(y.empty(y.shape().with(last, rest)))
            };
            Region[] to = {all.slice(last, 0, split), all.slice(last, split, rest)};
            Joint joint = new Joint(from, to, true);
            putOff(y, joint);
            return joint;
        }
    }

    /** Instead of a copy that cuts a tensor into the parts in which it was written, gives these; whether it is such a copy. */
    boolean give(Region[] from, Region[] to) {
        Joint joint = from.length == 2 ? of(from[0].tensor()) : null;
        if (joint == null || !joint.given) return false;
        for (int k = 0; k < 2; k++)
            if (from[k].tensor() != joint.to[k].tensor()
                    || !isSame(from[k], joint.to[k])
                    || !isSame(to[k], Region.of(to[k].tensor()))
                    || !mayMove(to[k].tensor().buffer())) return false;
        for (int k = 0; k < 2; k++) {
            to[k].tensor().buffer().exchange(joint.from[k].tensor().buffer());
            PixelSums.move(engine, joint.from[k].tensor(), to[k].tensor());
        }
        putOff(from[0].tensor(), new Joint(to.clone(), joint.to, false));
        return true;
    }

    /** Whether the block of what is being written may become another: no recording knows what is written for the first time. */
    private boolean mayMove(Buffer buffer) {
        return buffer.version() == 1 && engine.owns(buffer);
    }

    /** Whether a whole tensor goes to so many channels from {@code start} on, for every pixel. */
    private static boolean isPart(Region from, Region to, int start, int channels) {
        Region place = Region.of(to.tensor()).slice(3, start, channels);
        return isSame(from, Region.of(from.tensor())) && isSame(to, place);
    }

    private static boolean isSame(Region a, Region b) {
        return a.offset() == b.offset()
                && Arrays.equals(a.sizes(), b.sizes())
                && Arrays.equals(a.strides(), b.strides());
    }

    /** Before a call that writes them; some may be {@code null}. */
    void written(Tensor... outputs) {
        for (Tensor y : outputs) {
            if (y == null) continue;
            written(y.buffer());
            y.buffer().written();
            if (engine.recording() != null) engine.recording().writes(y.buffer());
        }
    }

    private void written(Buffer buffer) {
        if (parts.containsKey(buffer))
            List.copyOf(parts.get(buffer))
                    .forEach(joint -> joint.to[0].tensor().buffer().block());
    }

    /** Leaves all that has been put off as it is. */
    void forget() {
        for (List<Joint> joints : List.copyOf(parts.values()))
            List.copyOf(joints).forEach(Joint::close);
    }

    /** Makes all that has been put off. */
    void make() {
        for (Buffer buffer : List.copyOf(parts.keySet())) written(buffer);
    }
}
