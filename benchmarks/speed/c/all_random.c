/* Growth curves with one variance and a correlation (model C): a centred Gibbs sampler, one fused pass.
 *
 * y_ij ~ N(beta_i0 + beta_i1 x_ij, sigma2), beta_i ~ N(mu, s R), R = [1, rho; rho, 1], mu ~ N(0, 1e4 I),
 * rho ~ Unif(-1, 1), s and sigma2 ~ IG with shape and scale from the command line.
 * Order: beta, mu, s, rho, sigma2. rho: five random-walk steps on its logit, tuned in the warm-up, O(1) each.
 */
#include "curves.h"

#define STEPS 5

/* log [rho | .] and the Jacobian of u = log((1 + rho) / (1 - rho)), up to a constant. */
static double log_density(double rho, double n, double squares, double cross, double s) {
    double rest = 1 - rho * rho;
    return (1 - n / 2) * log(rest) - (squares - 2 * rho * cross) / (2 * s * rest);
}

typedef struct { double rho, step, accepted; } Walk;

static void walk_rho(Rng *rng, Walk *walk, double n, double squares, double cross, double s) {
    double u = 2 * atanh(walk->rho), now = log_density(walk->rho, n, squares, cross, s), taken = 0;
    for (int k = 0; k < STEPS; k++) {
        double there = u + walk->step * normal(rng), rho = tanh(there / 2);
        if (1 - rho * rho < 1e-12) continue;
        double then = log_density(rho, n, squares, cross, s);
        if (log(uniform(rng)) < then - now) u = there, now = then, walk->rho = rho, taken++;
    }
    walk->accepted = taken / STEPS;
}

int main(int argc, char **argv) {
    Options options = read_options(argc, argv, 2);
    const double shape = options.prior[0], scale = options.prior[1];
    Curves c = prepare_curves(read_grouped(options.data));
    Rng rng;
    seed_rng(&rng, options.seed);
    double *beta0 = doubles(c.n), *beta1 = doubles(c.n), *draws = doubles(5 * options.draws), started = 0, rate = 0;
    double s = 1;
    Walk walk = {0, 1, 0};
    Given g = {1, 0, 1, c.centre0, c.centre1, c.rows / (c.rss + 1e-3 * c.rows)};
    for (int64_t sweep = -options.warmup; sweep < options.draws; sweep++) {
        if (sweep == 0) started = seconds();
        CurveSums t = draw_curves(&rng, &c, beta0, beta1, g);
        draw_mean(&rng, &c, &t, &g);
        about_mean(&t, c.n, g.mu0 - c.centre0, g.mu1 - c.centre1);
        double squares = t.d00 + t.d11, rest = 1 - walk.rho * walk.rho;
        s = inverse_gamma(&rng, c.n + shape, (squares - 2 * walk.rho * t.d01) / (2 * rest) + scale);
        walk_rho(&rng, &walk, c.n, squares, t.d01, s);
        if (sweep < 0) walk.step *= exp((walk.accepted - 0.44) / sqrt(options.warmup + sweep + 1.0));
        rest = 1 - walk.rho * walk.rho;
        g.q00 = g.q11 = 1 / (s * rest);
        g.q01 = -walk.rho * g.q00;
        g.weight = gamma_unit(&rng, c.rows / 2.0 + shape) / (t.squares / 2 + scale);
        if (sweep >= 0) {
            memcpy(draws + 5 * sweep, (double[]){g.mu0, g.mu1, s, walk.rho, 1 / g.weight}, 40);
            rate += walk.accepted / options.draws;
        }
    }
    report(options, draws, 5, seconds() - started, rate);
}
