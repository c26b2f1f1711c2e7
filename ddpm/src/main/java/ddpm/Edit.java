package ddpm;

import datasets.Dataset;
import ddpm.diffusion.GaussianDiffusion;
import ddpm.diffusion.ImageNoise;
import ddpm.diffusion.Inpainting;
import ddpm.diffusion.Sampler;
import ddpm.diffusion.Timesteps;
import ddpm.report.ImageGrid;
import ddpm.report.Picture;
import ddpm.train.Checkpoint;
import ddpm.train.Interrupts;
import ddpm.train.RunFolder;
import ddpm.train.Sampling;
import ddpm.train.Setting;
import ddpm.train.Settings;
import ddpm.unet.UNet;
import ddpm.unet.UNetConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tensor.DType;
import tensor.Shape;
import tensor.Tensor;
import tensor.backend.Backend;
import tensor.memory.Scope;

/** Works on given images: {@code -Dexec.mainClass=ddpm.Edit -Dexec.args="inpaint runs/NAME --images 3,7"}. */
@Command(
        name = "ddpm.Edit",
        sortOptions = false,
        usageHelpAutoWidth = true,
        description = {
            "Works on images of the data with a trained model:",
            "interpolate: mixes two images under noise and takes the noise away (Ho et al. 2020, figure 8)",
            "inpaint: keeps one half of each image and draws the rest (RePaint)"
        })
public final class Edit extends Program {
    /** What to do. */
    enum Work {
        interpolate,
        inpaint
    }

    /** Which half is kept. */
    enum Half {
        left,
        right,
        top,
        bottom
    }

    private static final int MIXTURES = 7;

    @Parameters(index = "0", paramLabel = "interpolate|inpaint", description = "what to do")
    private Work work;

    @Parameters(index = "1", paramLabel = "RUN|FILE", description = "as for ddpm.Sample")
    private Path model;

    @Option(
            names = "--images",
            paramLabel = "N,N,...",
            split = ",",
            defaultValue = "0,1",
            description = "numbers of images of the run's data (default: 0,1)")
    private int[] images;

    @Option(
            names = "--data",
            paramLabel = "NAME|PATH",
            description = "where these images are (default: the run's setting)")
    private String dataset;

    @Option(
            names = "--noise",
            paramLabel = "PART",
            defaultValue = "0.5",
            description = "interpolate: part of the way to pure noise at which they are mixed (default: 0.5)")
    private double part;

    @Option(
            names = "--keep",
            paramLabel = "HALF",
            defaultValue = "left",
            description = "inpaint: left, right, top or bottom (default: left)")
    private Half keep;

    @Option(
            names = "--rounds",
            paramLabel = "N",
            defaultValue = "10",
            description = "inpaint: how often each step is taken (default: 10)")
    private int rounds;

    @Option(
            names = "--label",
            paramLabel = "K",
            description = "class that is drawn, for a run with --labels (default: none is told)")
    private Integer label;

    @Option(
            names = "--sampling-steps",
            paramLabel = "N",
            description = "timesteps; 0: all (default: the run's setting)")
    private String steps;

    @Option(names = "--seed", paramLabel = "N", defaultValue = "0", description = "of the noise (default: 0)")
    private long seed;

    @Option(names = "--out", paramLabel = "FILE", defaultValue = "edit.png", description = "default: edit.png")
    private Path out;

    public static void main(String[] args) {
        Program.main(new Edit(), args);
    }

    @Override
    public Integer call() throws IOException {
        refuse(work == Work.inpaint, "interpolate", "--noise");
        refuse(work == Work.interpolate, "inpaint", "--keep", "--rounds");
        if (work == Work.interpolate && images.length != 2)
            throw new Failure(Failure.USAGE, "interpolate needs two --images, not " + images.length);
        if (!(part > 0 && part <= 1))
            throw new Failure(Failure.USAGE, "--noise needs a number above 0, at most 1, not " + part);
        checkLabel(label);
        checkEnding("--out", out, ".png");
        if (rounds < 1 || rounds > 1000) throw new Failure(Failure.USAGE, "--rounds needs 1..1000, not " + rounds);
        Checkpoint.Model found = Checkpoint.find(model, true);
        Map<String, String> options = new LinkedHashMap<>();
        if (steps != null) options.put(Setting.SAMPLING_STEPS.key(), steps);
        if (dataset != null) options.put(Setting.DATA.key(), dataset);
        Settings settings = Settings.of(RunFolder.settingsOf(found.config()), options);
        if (settings.enlarges()) throw new Failure(Failure.USAGE, ENLARGES);
        Dataset data = openData(model, found, settings, false);
        for (int i : images)
            if (i < 0 || i >= data.size())
                throw new Failure(Failure.USAGE, "--images needs numbers in 0.." + (data.size() - 1) + ", not " + i);
        Interrupts interrupts = Interrupts.listen(() -> System.err.println("\nstopping"));
        Sampler.Observer observer = (t, x, start) -> interrupts.check();
        try (Backend backend = openBackend();
                Scope root = Scope.open("edit")) {
            UNet unet = load(found, settings, backend);
            GaussianDiffusion diffusion = new GaussianDiffusion(settings.schedule(), backend, DType.F32);
            Tensor x0 = read(data, backend);
            Sampling sampling =
                    new Sampling(settings, diffusion, backend, unet.config(), label == null ? Sampling.NONE : label);
            List<Picture> pictures = work == Work.interpolate
                    ? interpolate(unet, sampling, settings, diffusion, x0, observer)
                    : inpaint(unet, sampling, settings, diffusion, x0, observer);
            ImageGrid.rows(pictures, work == Work.interpolate ? pictures.size() : 3)
                    .writePng(out);
            say("saved     " + out.toAbsolutePath());
        }
        return 0;
    }

    private Tensor read(Dataset data, Backend backend) {
        float[] pixels = new float[images.length * data.values()];
        for (int i = 0; i < images.length; i++) data.read(images[i], pixels, i * data.values(), false);
        return Tensor.of(backend, Shape.of(images.length, data.height(), data.width(), data.channels()), pixels);
    }

    /** The two images, and between them mixtures, all under one and the same noise, with the noise taken away. */
    private List<Picture> interpolate(
            UNet unet,
            Sampling sampling,
            Settings settings,
            GaussianDiffusion diffusion,
            Tensor x0,
            Sampler.Observer observer) {
        Backend backend = x0.backend();
        int t = (int) Math.round(part * (settings.timesteps() - 1));
        float[] both = x0.toFloats();
        int values = both.length / 2;
        Shape shape = x0.shape().with(0, MIXTURES);
        float[] one = new ImageNoise(seed, 0)
                .draw(backend, DType.F32, shape.with(0, 1))
                .toFloats();
        float[] mixed = new float[MIXTURES * values];
        float[] noise = new float[mixed.length];
        for (int i = 0; i < mixed.length; i++) {
            float share = (i / values + 1) / (MIXTURES + 1f);
            mixed[i] = (1 - share) * both[i % values] + share * both[values + i % values];
            noise[i] = one[i % values];
        }
        Tensor time = Tensor.full(backend, DType.F32, Shape.of(MIXTURES), t);
        Tensor xt = diffusion.qSample(Tensor.of(backend, shape, mixed), time, Tensor.of(backend, shape, noise));
        Timesteps list = settings.sampler().timesteps(diffusion.schedule()).from(t);
        ImageNoise source = new ImageNoise(seed, 1);
        float[] drawn = settings.sampler()
                .sampler(diffusion.schedule(), list, source)
                .sample(sampling.model(unet, xt, source), xt, observer)
                .toFloats();
        UNetConfig c = unet.config();
        List<Picture> row = new ArrayList<>(List.of(Picture.of(both, 0, c.height(), c.width(), c.channels())));
        row.addAll(ImageGrid.split(drawn, c.height(), c.width(), c.channels()));
        row.add(Picture.of(both, 1, c.height(), c.width(), c.channels()));
        return row;
    }

    /** For each image: itself, what is kept of it, and what came of that. */
    private List<Picture> inpaint(
            UNet unet,
            Sampling sampling,
            Settings settings,
            GaussianDiffusion diffusion,
            Tensor x0,
            Sampler.Observer observer) {
        UNetConfig c = unet.config();
        float[] mask = new float[c.height() * c.width()];
        for (int i = 0; i < mask.length; i++) {
            boolean first = keep == Half.left || keep == Half.right
                    ? i % c.width() < c.width() / 2
                    : i / c.width() < c.height() / 2;
            mask[i] = first == (keep == Half.left || keep == Half.top) ? 1 : 0;
        }
        Tensor m = Tensor.of(x0.backend(), Shape.of(1, c.height(), c.width(), 1), mask);
        ImageNoise source = new ImageNoise(seed, 0);
        Tensor noise = source.like(x0);
        Inpainting inpainting = new Inpainting(
                diffusion.schedule(),
                settings.sampler().timesteps(diffusion.schedule()),
                settings.sampler().variance(),
                source,
                x0,
                m,
                rounds);
        float[] drawn = inpainting
                .sample(sampling.model(unet, noise, source), noise, observer)
                .toFloats();
        float[] whole = x0.toFloats();
        float[] kept = x0.mul(m).toFloats();
        List<Picture> rows = new ArrayList<>();
        for (int k = 0; k < images.length; k++)
            for (float[] batch : List.of(whole, kept, drawn))
                rows.add(Picture.of(batch, k, c.height(), c.width(), c.channels()));
        return rows;
    }
}
