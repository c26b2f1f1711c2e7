package ddpm.exchange;

import autograd.Gradients;
import autograd.Tape;
import autograd.Variable;
import autograd.ops.Mul;
import autograd.ops.Sum;
import ddpm.diffusion.GaussianDiffusion;
import ddpm.diffusion.Noise;
import ddpm.diffusion.Sampler;
import ddpm.io.SafetensorsFile;
import ddpm.io.SafetensorsWriter;
import ddpm.train.Checkpoint;
import ddpm.train.Setting;
import ddpm.train.Settings;
import ddpm.unet.UNet;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.Map;
import nn.Init;
import nn.Parameter;
import tensor.DType;
import tensor.Rng;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;

/**
 * What a network of the Python world computed, in a file: {@code weight/*} under its own names, x and t, the output y, a
 * cotangent u, {@code grad/*} of Σ u·y (up to 64 values of each, evenly picked), and a sampling trace of ten steps with
 * its noise. Images are [N,C,H,W], as there.
 */
record Golden(Path file, Path weights, SafetensorsFile values, ForeignModel model, Settings settings) {
    /** Unpacks the weights and the document into a file of their own, which is then found like any other. */
    static Golden open(Path file, Path folder) throws IOException {
        SafetensorsFile values = SafetensorsFile.read(file);
        SafetensorsWriter writer = new SafetensorsWriter();
        for (String key : new String[] {ForeignModel.CONFIG, ForeignModel.SCHEDULER})
            if (values.metadata().containsKey(key))
                writer.metadata(key, values.metadata().get(key));
        if (!values.metadata().containsKey(ForeignModel.SCHEDULER)
                && !values.metadata().get(ForeignModel.CONFIG).contains("_diffusion"))
            writer.metadata(ForeignModel.SCHEDULER, "{\"_class_name\": \"DDPMScheduler\"}");
        for (String name : values.names())
            if (name.startsWith("weight/")) {
                float[] data = values.floats(name);
                writer.add(name.substring("weight/".length()), values.shape(name), () -> data);
            }
        Path weights = folder.resolve(file.getFileName());
        try (FileChannel out = FileChannel.open(weights, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            writer.write(out::write);
        }
        ForeignModel model = ForeignModel.find(weights).orElseThrow();
        Map<String, Object> all = new LinkedHashMap<>(model.settings());
        if (values.names().contains("noise")) all.put(Setting.SAMPLING_STEPS.key(), values.shape("noise")[0] - 1L);
        return new Golden(file, weights, values, model, Settings.of(all, Map.of()));
    }

    /** The network, filled from the unpacked file. */
    UNet build(Backend backend) throws IOException {
        Rng unused = new Rng(0);
        UNet unet = UNet.build(
                settings.network(
                        model.image().get(0),
                        model.image().get(1),
                        model.image().get(2)),
                Init.pytorch(backend, DType.F32, unused).with(Init.Rule.ZERO),
                () -> unused);
        Checkpoint.load(weights, unet.parameters());
        return unet;
    }

    /** Images or a vector, channels last. */
    Tensor tensor(Backend backend, String name) throws IOException {
        float[] data = values.floats(name);
        int[] s = values.shape(name);
        return s.length == 4 ? images(backend, data, s) : Tensor.of(backend, Shape.of(s), data);
    }

    private static Tensor images(Backend backend, float[] data, int[] s) {
        int pixels = s[2] * s[3];
        float[] y = new float[data.length];
        for (int n = 0, i = 0; n < s[0]; n++)
            for (int c = 0; c < s[1]; c++)
                for (int p = 0; p < pixels; p++, i++) y[(n * pixels + p) * s[1] + c] = data[i];
        return Tensor.of(backend, Shape.of(s[0], s[2], s[3], s[1]), y);
    }

    /** ‖ours − theirs‖ / ‖theirs‖ of the output. */
    double forwardError(UNet unet, Backend backend) throws IOException {
        Variable y = unet.predict(Variable.constant(tensor(backend, "x")), Variable.constant(tensor(backend, "t")));
        return error(y.value().toFloats(), tensor(backend, "y").toFloats(), 0);
    }

    /** The largest such error among the gradients; those under a hundredth of the largest count by that. */
    double worstGradientError(UNet unet, Backend backend) throws IOException {
        Map<String, Parameter> parameters = unet.parameters();
        double worst = 0;
        double largest = 0;
        for (String name : values.names())
            if (name.startsWith("grad/")) largest = Math.max(largest, norm(values.floats(name)));
        try (Tape tape = Tape.start()) {
            Variable y = unet.predict(Variable.constant(tensor(backend, "x")), Variable.constant(tensor(backend, "t")));
            Variable loss = Sum.sum(Mul.mul(y, Variable.constant(tensor(backend, "u"))));
            Gradients gradients = tape.backward(loss);
            for (Map.Entry<String, Parameter> p : parameters.entrySet()) {
                Tensor gradient = gradients.of(p.getValue().variable());
                if (gradient == null) {
                    if (values.names().contains("grad/" + p.getKey()))
                        throw new AssertionError(p.getKey() + " has a gradient there but not here");
                    continue;
                }
                float[] ours = picked(p.getValue().toExchange(gradient));
                worst = Math.max(worst, error(ours, values.floats("grad/" + p.getKey()), 1e-2 * largest));
            }
        }
        return worst;
    }

    /** Every ⌊n/64⌋-th value, 64 at most. */
    private static float[] picked(float[] all) {
        int step = Math.max(1, all.length / 64);
        float[] some = new float[Math.min(64, (all.length + step - 1) / step)];
        for (int i = 0; i < some.length; i++) some[i] = all[i * step];
        return some;
    }

    boolean hasTrace() {
        return values.names().contains("trace");
    }

    /** The largest difference between the images after ten or so steps of sampling with the same noise. */
    double traceError(UNet unet, Backend backend) throws IOException {
        int[] s = values.shape("noise"); // [steps + 1,N,C,H,W]
        float[] data = values.floats("noise");
        int size = s[1] * s[2] * s[3] * s[4];
        Tensor[] noise = new Tensor[s[0]];
        for (int i = 0; i < noise.length; i++) {
            float[] part = java.util.Arrays.copyOfRange(data, i * size, (i + 1) * size);
            noise[i] = images(backend, part, new int[] {s[1], s[2], s[3], s[4]});
        }
        int[] next = {1};
        Noise source = x -> noise[next[0]++];
        GaussianDiffusion diffusion = new GaussianDiffusion(settings.schedule(), backend, DType.F32);
        Sampler sampler = settings.sampler().sampler(diffusion.schedule(), source);
        Tensor ours = sampler.sample(
                diffusion.estimator(unet, settings.target(), settings.clipStart()), noise[0], Sampler.Observer.NONE);
        float[] a = ours.toFloats();
        float[] b = tensor(backend, "trace").toFloats();
        double worst = 0;
        for (int i = 0; i < a.length; i++) worst = Math.max(worst, Math.abs(a[i] - b[i]));
        return worst;
    }

    private static double error(float[] ours, float[] theirs, double floor) {
        if (ours.length != theirs.length) throw new AssertionError(ours.length + " values, expected " + theirs.length);
        float[] difference = new float[ours.length];
        for (int i = 0; i < ours.length; i++) difference[i] = ours[i] - theirs[i];
        return norm(difference) / Math.max(norm(theirs), floor);
    }

    private static double norm(float[] x) {
        double sum = 0;
        for (float v : x) sum += (double) v * v;
        return Math.sqrt(sum);
    }
}
