/**
 * <b>4 Layers and updates.</b> How are networks built from ops, and how do they learn?
 *
 * <p>A {@link nn.Layer} is parameters and child layers under names; {@code forward} is ordinary Java. A
 * {@link nn.Parameter}'s name is the path to it, the same string in a checkpoint, in a log and in PyTorch's
 * {@code state_dict}. {@link nn.Init} says where parameters live and how they start. With {@link optim} this is all that
 * training takes, here to learn y = sin x:
 *
 * <pre>{@code
 * Rng rng = new Rng(1);
 * Init init = Init.pytorch(backend, DType.F32, rng);
 * Sequential net = new Sequential(new Linear(init, 1, 32), UnaryLayer.of(Pointwise::tanh),
 *         new Linear(init, 32, 32), UnaryLayer.of(Pointwise::tanh), new Linear(init, 32, 1));
 * Adam adam = Adam.adam(net.parameters());
 * for (int step = 0; step < 600; step++)
 *     try (Scope scope = Scope.open("step"); Tape tape = Tape.start()) {
 *         Variable x = Variable.constant(rng.draw(Distribution.UNIFORM, backend, DType.F32, Shape.of(64, 1)).mul(6).add(-3));
 *         Variable loss = MeanSquaredError.meanSquaredError(net.forward(x), Pointwise.sin(x));
 *         adam.step(Updates.of(net.parameters(), tape.backward(loss)), 0.01, 1);
 *     }
 * }</pre>
 *
 * <p>({@code ExampleTest} runs it.) In reading order: {@link nn.Parameter}, {@link nn.Layer},
 * {@link nn.Linear}, {@link nn.Conv2d}, {@link nn.GroupNorm}, then {@link optim}.
 *
 * <p>Not here, because: no train and eval mode to forget; {@link nn.Dropout} acts while a tape records. Next: chapter 5,
 * {@code ddpm.diffusion}.
 */
package nn;
