package tensor.memory;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import tensor.Tensor;

/**
 * The lifetime of tensors: {@code try (Scope s = Scope.open("step")) { … }} owns every tensor made inside it and
 * releases them at its end.
 *
 * <p>A new tensor joins the innermost open scope <em>of its thread</em>, never the scope of its inputs: a product of a
 * parameter must not live as long as the model. {@link #keep} hands a tensor to the enclosing scope. The outermost
 * scope is the root; parameters live there, and when it closes while some block made under it is still referenced it
 * throws, because that block can never come back.
 */
public final class Scope implements AutoCloseable {
    private static final ThreadLocal<Scope> INNERMOST = new ThreadLocal<>();

    private final String name;
    private final Scope parent;
    private final Scope root;
    private final List<Buffer> owned = new ArrayList<>();
    private boolean onStack = true;
    private boolean closed;
    /** Of a root: blocks made anywhere in its tree that somebody still references. */
    private int live;

    private Scope(String name, Scope parent) {
        this.name = name;
        this.parent = parent;
        this.root = parent == null ? this : parent.root;
    }

    /** Opens a scope inside the innermost one of this thread. */
    public static Scope open(String name) {
        Scope scope = new Scope(name, INNERMOST.get());
        INNERMOST.set(scope);
        return scope;
    }

    /**
     * The innermost open scope of this thread.
     *
     * @throws IllegalStateException when none is open: nobody would release the tensor
     */
    public static Scope innermost() {
        Scope scope = INNERMOST.get();
        if (scope == null)
            throw new IllegalStateException(
                    "no scope is open on this thread: tensors are made inside try (Scope s = Scope.open(...)) { ... }");
        return scope;
    }

    /** Runs {@code body} in a scope of its own and keeps only its result. */
    public static Tensor local(String name, Supplier<Tensor> body) {
        try (Scope scope = open(name)) {
            return scope.keep(body.get());
        }
    }

    /** Takes over one reference; for {@link Tensor} and the tape. */
    public void own(Buffer buffer) {
        if (closed) throw new IllegalStateException("scope " + this + " is closed");
        buffer.madeUnder(root);
        owned.add(buffer);
    }

    /** A block was made somewhere in the tree of this root. */
    void made() {
        live++;
    }

    /** A block of the tree of this root was given back. */
    void unmade() {
        live--;
    }

    /**
     * Hands a tensor of this scope to the enclosing one, to live as long as that. A tensor that this scope does not
     * own stays where it is.
     */
    public Tensor keep(Tensor tensor) {
        if (parent == null) return tensor;
        for (int i = owned.size() - 1; i >= 0; i--)
            if (owned.get(i) == tensor.buffer()) {
                parent.own(owned.remove(i));
                break;
            }
        return tensor;
    }

    /**
     * Stops collecting without releasing: new tensors join the enclosing scope again, those here live until
     * {@link #close}. The tape holds what a pullback kept in such a scope.
     */
    public Scope leave() {
        if (onStack) {
            if (INNERMOST.get() != this)
                throw new IllegalStateException("scope " + this + " is not the innermost one: close scopes in order");
            INNERMOST.set(parent);
            onStack = false;
        }
        return this;
    }

    /**
     * Releases what the scope owns, last first.
     *
     * @throws IllegalStateException for a root, when blocks made under it are still referenced
     */
    @Override
    public void close() {
        if (closed) return;
        leave();
        closed = true;
        for (int i = owned.size() - 1; i >= 0; i--) owned.get(i).release();
        owned.clear();
        if (parent == null && live > 0)
            throw new IllegalStateException(live + (live == 1 ? " block outlives" : " blocks outlive")
                    + " the root scope \"" + name + "\": close every tape and inner scope before it");
    }

    /** The path of names from the root. */
    @Override
    public String toString() {
        return parent == null ? name : parent + "/" + name;
    }
}
