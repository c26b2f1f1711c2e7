package ddpm.train;

/**
 * What one update says of itself.
 *
 * @param step number of updates done, this one included
 * @param epoch pass over the data, from 0
 * @param images images that went into it
 * @param loss mean loss over them
 * @param learningRate α of the update
 * @param gradientNorm global norm before clipping
 * @param quarterLoss mean loss of the images whose t lies in each quarter of 0 … T−1; NaN where there was none
 */
public record StepReport(
        long step,
        long epoch,
        int images,
        double loss,
        double learningRate,
        double gradientNorm,
        double[] quarterLoss) {}
