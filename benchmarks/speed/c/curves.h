/* Lines with a coefficient vector for each group, p = 2: statistics and the draw of all vectors.
 *
 * Shared by the samplers of models C and G5. Groups lie in structure of arrays; x = (1, x_ij). The responses
 * enter through each group's own least squares fit, so that squares = rss + (beta - fit)' X'X (beta - fit)
 * loses no digits whatever the mean of y.
 */
#include "common.h"

typedef struct { int64_t n, rows; double *size, *sx, *sxx, *fit0, *fit1, rss, centre0, centre1; } Curves;

static Curves prepare_curves(Grouped d) {
    Curves c = {.n = d.n, .rows = d.rows, .size = doubles(d.n), .sx = doubles(d.n), .sxx = doubles(d.n),
                .fit0 = doubles(d.n), .fit1 = doubles(d.n)};
    int64_t row = 0;
    for (int64_t i = 0; i < d.n; i++) {
        const double *x = d.x + row, *y = d.y + row, size = d.size[i];
        double mean_x = 0, mean_y = 0, cxx = 0, cxy = 0;
        for (int j = 0; j < size; j++) mean_x += x[j] / size, mean_y += y[j] / size;
        for (int j = 0; j < size; j++) {
            cxx += (x[j] - mean_x) * (x[j] - mean_x);
            cxy += (x[j] - mean_x) * (y[j] - mean_y);
        }
        c.size[i] = size;
        c.sx[i] = size * mean_x;
        c.sxx[i] = cxx + size * mean_x * mean_x;
        c.fit1[i] = cxx > 0 ? cxy / cxx : 0;
        c.fit0[i] = mean_y - c.fit1[i] * mean_x;
        for (int j = 0; j < size; j++) {
            double residual = y[j] - mean_y - c.fit1[i] * (x[j] - mean_x);
            c.rss += residual * residual;
        }
        c.centre0 += c.fit0[i] / d.n;
        c.centre1 += c.fit1[i] / d.n;
        row += d.size[i];
    }
    return c;
}

/* Sums over groups of d = beta - centre, of d d', and of the squares about the fits. */
typedef struct { double d0, d1, d00, d01, d11, squares; } CurveSums;

typedef struct { double q00, q01, q11, mu0, mu1, weight; } Given; /* inverse covariance, mean, 1 / sigma2 */

/* Draw a block of beta from N(A^-1 b, A^-1), by the Cholesky factor of A written out for p = 2. */
static CurveSums draw_curve_block(const Curves *c, int64_t first, int count, const double *restrict noise,
                                  double *restrict beta0, double *restrict beta1, Given g) {
    const double *restrict size = c->size + first, *restrict sx = c->sx + first, *restrict sxx = c->sxx + first;
    const double *restrict fit0 = c->fit0 + first, *restrict fit1 = c->fit1 + first;
    const double *restrict noise1 = noise + BATCH, centre0 = c->centre0, centre1 = c->centre1;
    CurveSums t = {0};
    for (int i = 0; i < count; i++) {
        double a = size[i] * g.weight + g.q00, b = sx[i] * g.weight + g.q01, e = sxx[i] * g.weight + g.q11;
        double away0 = g.mu0 - fit0[i], away1 = g.mu1 - fit1[i]; /* solve for beta - fit: A u = Q (mu - fit) */
        double linear0 = g.q00 * away0 + g.q01 * away1, linear1 = g.q01 * away0 + g.q11 * away1;
        double det = a * e - b * b, inverse = 1 / (a * det), root = sqrt(inverse), by_a = inverse * a;
        double x1 = noise1[i] * a * root, x0 = noise[i] * sqrt(det * inverse) - b * det * inverse * x1;
        double u0 = (e * linear0 - b * linear1) * by_a + x0, u1 = (a * linear1 - b * linear0) * by_a + x1;
        double value0 = fit0[i] + u0, value1 = fit1[i] + u1, d0 = value0 - centre0, d1 = value1 - centre1;
        beta0[i] = value0;
        beta1[i] = value1;
        t.d0 += d0; t.d1 += d1;
        t.d00 += d0 * d0; t.d01 += d0 * d1; t.d11 += d1 * d1;
        t.squares += size[i] * u0 * u0 + 2 * sx[i] * u0 * u1 + sxx[i] * u1 * u1;
    }
    return t;
}

static CurveSums draw_curves(Rng *rng, const Curves *c, double *beta0, double *beta1, Given g) {
    double noise[2 * BATCH];
    CurveSums total = {.squares = c->rss};
    for (int64_t first = 0; first < c->n; first += BATCH) {
        int count = c->n - first < BATCH ? c->n - first : BATCH;
        fill_normals(rng, noise, count);
        fill_normals(rng, noise + BATCH, count);
        CurveSums t = draw_curve_block(c, first, count, noise, beta0 + first, beta1 + first, g);
        total.d0 += t.d0; total.d1 += t.d1; total.squares += t.squares;
        total.d00 += t.d00; total.d01 += t.d01; total.d11 += t.d11;
    }
    return total;
}

/* Sums of squares about mu in place of those about the centre. */
static void about_mean(CurveSums *t, double n, double from0, double from1) {
    t->d00 += n * from0 * from0 - 2 * from0 * t->d0;
    t->d11 += n * from1 * from1 - 2 * from1 * t->d1;
    t->d01 += n * from0 * from1 - from0 * t->d1 - from1 * t->d0;
}

/* Draw mu ~ N(0, 1e4 I) given the sums; sets g->mu0 and g->mu1. */
static void draw_mean(Rng *rng, const Curves *c, const CurveSums *t, Given *g) {
    const double n = c->n, prior = 1e-4;
    double a = n * g->q00 + prior, b = n * g->q01, e = n * g->q11 + prior, det = a * e - b * b;
    double linear0 = g->q00 * t->d0 + g->q01 * t->d1 - prior * c->centre0;
    double linear1 = g->q01 * t->d0 + g->q11 * t->d1 - prior * c->centre1;
    double x1 = normal(rng) * sqrt(a / det), x0 = normal(rng) / sqrt(a) - b / a * x1;
    g->mu0 = c->centre0 + (e * linear0 - b * linear1) / det + x0;
    g->mu1 = c->centre1 + (a * linear1 - b * linear0) / det + x1;
}
