/* The draw of a 2 x 2 inverse covariance from its Wishart full conditional. */

/* Draw Q ~ Wishart of df degrees, M = [m00, m01; m01, m11] its inverse scale, by Bartlett's decomposition. */
static void draw_wishart(Rng *rng, double df, double m00, double m01, double m11, double *q00, double *q01,
                         double *q11) {
    double l00 = sqrt(m00), l10 = m01 / l00, l11 = sqrt(m11 - l10 * l10);
    double a00 = sqrt(2 * gamma_unit(rng, df / 2)), a11 = sqrt(2 * gamma_unit(rng, (df - 1) / 2)), a10 = normal(rng);
    double r10 = a10 / l11, r11 = a11 / l11, r00 = (a00 - l10 * r10) / l00, r01 = -l10 * r11 / l00;
    *q00 = r00 * r00 + r01 * r01;
    *q01 = r00 * r10 + r01 * r11;
    *q11 = r10 * r10 + r11 * r11;
}
