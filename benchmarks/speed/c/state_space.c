/* A state space (model T): the whole chain of states drawn at once, forwards by filter and backwards by sampling.
 *
 * y_t ~ N(z_t, sigma2_y), z_t ~ N(phi z_{t-1}, sigma2_z) for t = 1..T, z_0 ~ N(m0, v0), phi ~ N(0, 1) or held at 1.
 * Carter & Kohn (1994), Frühwirth-Schnatter (1994). On the command line: m0, v0, shape and scale of sigma2_y, scale
 * of sigma2_z (the same shape), and phi_fixed (0 or 1). Order: z, phi, sigma2_y, sigma2_z.
 * The variances of the filter do not depend on the data and come to a fixed point in a few dozen steps, after which
 * a step forwards or backwards is one multiplication and addition.
 * The data file is that of the grouped models with one group; x is not used. Draws: phi, sigma2_y, sigma2_z, and
 * the states z_0..z_T where T <= 1000.
 */
#include "common.h"

typedef struct { double phi, sigma2_y, sigma2_z; } Given;

typedef struct { int64_t T, settled; double *mean, *gain, *back, *spread; } Filter;

/* For t < settled, gain of the observation, gain of the backward step, and its standard deviation. */
static void filter_variances(Filter *f, Given g, double v0) {
    double variance = v0, before = -1;
    int64_t t = 0;
    f->gain[0] = 0;
    for (; t <= f->T; t++) {
        if (t > 0) {
            double predicted = g.phi * g.phi * variance + g.sigma2_z;
            f->gain[t] = predicted / (predicted + g.sigma2_y);
            variance = predicted * (1 - f->gain[t]);
        }
        double next = g.phi * g.phi * variance + g.sigma2_z;
        f->back[t] = variance * g.phi / next;
        f->spread[t] = sqrt(variance * g.sigma2_z / next);
        if (fabs(variance - before) <= 1e-15 * variance) break;
        before = variance;
    }
    f->settled = t < f->T ? t : f->T;
    f->spread[f->T] = sqrt(variance); /* the last state: no successor */
}

static void filter_means(Filter *f, Given g, double m0, const double *restrict y) {
    double *restrict mean = f->mean, now = m0;
    const int64_t settled = f->settled;
    mean[0] = m0;
    for (int64_t t = 1; t <= settled; t++) {
        double predicted = g.phi * now;
        mean[t] = now = predicted + f->gain[t] * (y[t - 1] - predicted);
    }
    const double gain = f->gain[settled], keep = g.phi * (1 - gain);
    for (int64_t t = settled + 1; t <= f->T; t++) mean[t] = now = keep * now + gain * y[t - 1];
}

/* Sample backwards; noise is drawn ahead, and z holds it on entry. */
static void sample_states(const Filter *f, Given g, double *restrict z) {
    const double *restrict mean = f->mean;
    const int64_t T = f->T, settled = f->settled;
    const double back = f->back[settled], keep = 1 - back * g.phi, spread = f->spread[settled];
    double now = z[T] = mean[T] + f->spread[T] * z[T];
    for (int64_t t = T - 1; t >= settled; t--) z[t] = now = back * now + (keep * mean[t] + spread * z[t]);
    for (int64_t t = settled - 1; t >= 0; t--)
        z[t] = now = mean[t] + f->back[t] * (now - g.phi * mean[t]) + f->spread[t] * z[t];
}

static void draw_parameters(Rng *rng, int64_t T, const double *restrict z, const double *restrict y,
                            const double *prior, Given *g) {
    double squares = 0, lagged = 0, residual = 0, steps = 0;
    for (int64_t t = 1; t <= T; t++) {
        squares += z[t - 1] * z[t - 1];
        lagged += z[t] * z[t - 1];
        residual += (y[t - 1] - z[t]) * (y[t - 1] - z[t]);
    }
    if (prior[5] == 0) {
        double precision = squares / g->sigma2_z + 1;
        g->phi = lagged / g->sigma2_z / precision + normal(rng) / sqrt(precision);
    }
    const double phi = g->phi;
    for (int64_t t = 1; t <= T; t++) steps += (z[t] - phi * z[t - 1]) * (z[t] - phi * z[t - 1]);
    g->sigma2_y = inverse_gamma(rng, T / 2.0 + prior[2], residual / 2 + prior[3]);
    g->sigma2_z = inverse_gamma(rng, T / 2.0 + prior[2], steps / 2 + prior[4]);
}

int main(int argc, char **argv) {
    Options options = read_options(argc, argv, 6);
    const double *prior = options.prior;
    Grouped d = read_grouped(options.data);
    const int64_t T = d.rows, kept = 3 + (T <= 1000 ? T + 1 : 0);
    Filter f = {T, T, doubles(T + 1), doubles(T + 1), doubles(T + 1), doubles(T + 1)};
    double *z = doubles(T + 1 + LANES), *draws = doubles(kept * options.draws), started = 0;
    Rng rng;
    seed_rng(&rng, options.seed);
    Given g = {prior[5] != 0 ? 1 : 0.5, prior[3], prior[4]};
    for (int64_t sweep = -options.warmup; sweep < options.draws; sweep++) {
        if (sweep == 0) started = seconds();
        for (int64_t t = 0; t <= T; t += BATCH) fill_normals(&rng, z + t, T + 1 - t < BATCH ? T + 1 - t : BATCH);
        filter_variances(&f, g, prior[1]);
        filter_means(&f, g, prior[0], d.y);
        sample_states(&f, g, z);
        draw_parameters(&rng, T, z, d.y, prior, &g);
        if (sweep < 0) continue;
        double *row = draws + kept * sweep;
        row[0] = g.phi; row[1] = g.sigma2_y; row[2] = g.sigma2_z;
        if (T <= 1000) memcpy(row + 3, z, (T + 1) * 8);
    }
    report(options, draws, kept, seconds() - started, 1);
}
