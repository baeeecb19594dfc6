/* Growth curves with a free covariance (model G5): a centred Gibbs sampler, one fused pass over the groups.
 *
 * y_ij ~ N(beta_i0 + beta_i1 x_ij, sigma2), beta_i ~ N(mu, inv(Q)), Q ~ Wishart(3, inv(3 S0 I)), mu ~ N(0, 1e4 I),
 * sigma2 ~ IG. Priors on the command line: shape and scale of sigma2, S0. Order: beta, mu, Q, sigma2.
 * Draws: mu (2), Sigma = inv(Q) as 00, 01, 11, sigma2.
 */
#include "curves.h"
#include "wishart.h"

int main(int argc, char **argv) {
    Options options = read_options(argc, argv, 3);
    const double shape = options.prior[0], scale = options.prior[1], prior = 3 * options.prior[2];
    Curves c = prepare_curves(read_grouped(options.data));
    Rng rng;
    seed_rng(&rng, options.seed);
    double *beta0 = doubles(c.n), *beta1 = doubles(c.n), *draws = doubles(6 * options.draws), started = 0;
    Given g = {1, 0, 1, c.centre0, c.centre1, c.rows / (c.rss + 1e-3 * c.rows)};
    for (int64_t sweep = -options.warmup; sweep < options.draws; sweep++) {
        if (sweep == 0) started = seconds();
        CurveSums t = draw_curves(&rng, &c, beta0, beta1, g);
        draw_mean(&rng, &c, &t, &g);
        about_mean(&t, c.n, g.mu0 - c.centre0, g.mu1 - c.centre1);
        draw_wishart(&rng, c.n + 3.0, t.d00 + prior, t.d01, t.d11 + prior, &g.q00, &g.q01, &g.q11);
        g.weight = gamma_unit(&rng, c.rows / 2.0 + shape) / (t.squares / 2 + scale);
        double det = g.q00 * g.q11 - g.q01 * g.q01;
        if (sweep >= 0)
            memcpy(draws + 6 * sweep,
                   (double[]){g.mu0, g.mu1, g.q11 / det, -g.q01 / det, g.q00 / det, 1 / g.weight}, 48);
    }
    report(options, draws, 6, seconds() - started, 1);
}
