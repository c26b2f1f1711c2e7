package nn;

import autograd.Variable;

/** Layers one after the other; they are named by their position, {@code 0, 1, …}, as in PyTorch. */
public final class Sequential extends UnaryLayer {
    private final UnaryLayer[] layers;

    public Sequential(UnaryLayer... layers) {
        this.layers = layers.clone();
        for (int i = 0; i < layers.length; i++) child(Integer.toString(i), layers[i]);
    }

    @Override
    public Variable forward(Variable x) {
        for (UnaryLayer layer : layers) x = layer.forward(x);
        return x;
    }
}
