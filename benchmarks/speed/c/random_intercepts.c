/* Random intercepts (model A): a centred Gibbs sampler, one fused pass over the groups for each sweep.
 *
 * y_ij ~ N(beta_i + b1 x_ij, sigma2), beta_i ~ N(mu, sigma2_0). Priors: mu and b1 ~ N(0, 1e4), both variances
 * IG with shape and scale from the command line. Order: beta, mu, sigma2_0, b1, sigma2.
 * The responses enter as e_i = mean_i(y) - bhat mean_i(x) - beta_i, bhat the slope within groups, which loses
 * no digits whatever the mean of y; four sums of the pass give all that the other draws need.
 */
#include "common.h"

typedef struct { int64_t n, rows; double *size, *x, *y, slope, within, sxx_within, sxx, centre; } Statistics;

static Statistics prepare(Grouped d) {
    Statistics s = {.n = d.n, .rows = d.rows, .size = doubles(d.n), .x = doubles(d.n), .y = doubles(d.n)};
    double sxy = 0;
    int64_t row = 0;
    for (int64_t i = 0; i < d.n; row += d.size[i++]) {
        double sx = 0, sy = 0;
        for (int64_t j = row; j < row + d.size[i]; j++) sx += d.x[j], sy += d.y[j];
        s.size[i] = d.size[i];
        s.x[i] = d.size[i] ? sx / d.size[i] : 0;
        s.y[i] = d.size[i] ? sy / d.size[i] : 0;
        s.centre += s.y[i] / d.n;
        for (int64_t j = row; j < row + d.size[i]; j++) {
            double x = d.x[j] - s.x[i];
            s.sxx_within += x * x;
            s.sxx += d.x[j] * d.x[j];
            sxy += x * (d.y[j] - s.y[i]);
        }
    }
    s.slope = s.sxx_within > 0 ? sxy / s.sxx_within : 0;
    for (int64_t i = 0, j = 0; i < d.n; i++)
        for (int64_t end = j + d.size[i]; j < end; j++) {
            double residual = d.y[j] - s.y[i] - s.slope * (d.x[j] - s.x[i]);
            s.within += residual * residual;
        }
    for (int64_t i = 0; i < d.n; i++) s.y[i] -= s.slope * s.x[i];
    return s;
}

typedef struct { double d, dd, ee, ex, xx; } Sums;

/* Draw a block of beta and add to the sums. */
static Sums draw_block(const Statistics *s, int64_t first, int count, const double *restrict noise,
                       double *restrict beta, double weight, double weight_0, double mu, double shift) {
    const double *restrict size = s->size + first, *restrict x = s->x + first, *restrict y = s->y + first;
    const double centre = s->centre;
    Sums t = {0};
    for (int i = 0; i < count; i++) {
        double variance = 1 / (size[i] * weight + weight_0), size_x = size[i] * x[i];
        double linear = (size[i] * y[i] - shift * size_x) * weight + mu * weight_0;
        double value = linear * variance + noise[i] * sqrt(variance);
        double d = value - centre, e = y[i] - value;
        beta[first + i] = value;
        t.d += d;
        t.dd += d * d;
        t.ee += size[i] * e * e;
        t.ex += size_x * e;
        t.xx += size_x * x[i];
    }
    return t;
}

int main(int argc, char **argv) {
    Options options = read_options(argc, argv, 2);
    const double shape = options.prior[0], scale = options.prior[1], prior_weight = 1e-4;
    Statistics s = prepare(read_grouped(options.data));
    Rng rng;
    seed_rng(&rng, options.seed);
    const double n = s.n, shape_0 = n / 2 + shape, shape_y = s.rows / 2.0 + shape;
    double *beta = doubles(s.n), *draws = doubles(4 * options.draws), noise[BATCH], started = 0;
    double mu = s.centre, sigma2_0 = 1, b1 = s.slope, sigma2 = s.within / s.rows + 1e-3;
    for (int64_t sweep = -options.warmup; sweep < options.draws; sweep++) {
        if (sweep == 0) started = seconds();
        double d = 0, dd = 0, ee = 0, ex = 0, xx = 0;
        for (int64_t first = 0; first < s.n; first += BATCH) {
            int count = s.n - first < BATCH ? s.n - first : BATCH;
            fill_normals(&rng, noise, count);
            Sums t = draw_block(&s, first, count, noise, beta, 1 / sigma2, 1 / sigma2_0, mu, b1 - s.slope);
            d += t.d; dd += t.dd; ee += t.ee; ex += t.ex; xx += t.xx;
        }
        double precision = n / sigma2_0 + prior_weight;
        double from = ((d / sigma2_0) - prior_weight * s.centre) / precision + normal(&rng) / sqrt(precision);
        mu = s.centre + from;
        sigma2_0 = inverse_gamma(&rng, shape_0, (dd - 2 * from * d + n * from * from) / 2 + scale);
        precision = s.sxx / sigma2 + prior_weight;
        double shift = (ex / sigma2 - prior_weight * s.slope) / precision + normal(&rng) / sqrt(precision);
        b1 = s.slope + shift;
        double squares = s.within + s.sxx_within * shift * shift + ee - 2 * shift * ex + shift * shift * xx;
        sigma2 = inverse_gamma(&rng, shape_y, squares / 2 + scale);
        if (sweep >= 0) memcpy(draws + 4 * sweep, (double[]){mu, sigma2_0, b1, sigma2}, 32);
    }
    report(options, draws, 4, seconds() - started, 1);
}
