package autograd;

import static org.junit.jupiter.api.Assertions.assertTrue;

import autograd.ops.MeanSquaredError;
import autograd.ops.Pointwise;
import java.util.Map;
import nn.Init;
import nn.Linear;
import nn.Parameter;
import nn.Sequential;
import nn.UnaryLayer;
import optim.Adam;
import optim.Updates;
import org.junit.jupiter.api.Test;
import tensor.DType;
import tensor.Rng;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.backend.Backends;
import tensor.backend.Distribution;
import tensor.memory.Scope;

/** The example of chapter 4, kept true: a network of two layers learns the sine. */
class ExampleTest {
    @Test
    void aSmallNetworkLearnsTheSine() {
        double last = Double.NaN;
        try (Backend backend = Backends.open("auto").backend();
                Scope root = Scope.open("root")) {
            Rng rng = new Rng(1);
            Init init = Init.pytorch(backend, DType.F32, rng);
            Sequential net = new Sequential(
                    new Linear(init, 1, 32),
                    UnaryLayer.of(Pointwise::tanh),
                    new Linear(init, 32, 32),
                    UnaryLayer.of(Pointwise::tanh),
                    new Linear(init, 32, 1));
            Map<String, Parameter> parameters = net.parameters();
            Adam adam = Adam.adam(parameters);
            for (int step = 0; step < 600; step++)
                try (Scope scope = Scope.open("step");
                        Tape tape = Tape.start()) {
                    Tensor x = rng.draw(Distribution.UNIFORM, backend, DType.F32, Shape.of(64, 1))
                            .mul(6)
                            .add(-3);
                    Variable truth = Pointwise.sin(Variable.constant(x));
                    Variable loss = MeanSquaredError.meanSquaredError(net.forward(Variable.constant(x)), truth);
                    adam.step(Updates.of(parameters, tape.backward(loss)), 0.01, 1);
                    last = loss.item();
                }
        }
        assertTrue(last < 2e-3, "the last loss is " + last);
    }
}
