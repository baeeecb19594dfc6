/* Poisson growth curves (model G6): Newton proposals with their reverse density, eight groups side by side.
 *
 * y_ij ~ Pois(exp(beta_i0 + beta_i1 x_ij)), beta_i ~ N(mu, inv(Q)), Q ~ Wishart(3, inv(3 S0 I)), mu ~ N(0, 1e4 I).
 * Prior on the command line: S0. Order: beta, mu, Q. Draws: mu (2), Sigma = inv(Q) as 00, 01, 11.
 * beta_i is proposed from N(beta_i + A^-1 g, A^-1), g and -A gradient and Hessian of its log density there. What
 * the data say of them at the current value is kept, so that a row costs one exponential a sweep.
 */
#include "common.h"
#include "wishart.h"

#define WIDTH 8 /* groups side by side */

/* Rows of a block lie with the groups fastest; a short group is filled up with rows of weight 0. */
typedef struct { int64_t n, blocks, *depth, *start; double *x, *weight, *sum_y, *sum_xy; } Rows;

/* Values by group: beta; and sums over rows of e = exp(x'beta), e x, e x^2. */
typedef struct { double b0[WIDTH], b1[WIDTH], e[WIDTH], ex[WIDTH], exx[WIDTH]; } Block;

typedef struct { double q00, q01, q11, mu0, mu1; } Given;

static Rows prepare(Grouped d) {
    Rows r = {.n = d.n, .blocks = (d.n + WIDTH - 1) / WIDTH};
    r.depth = allocate(r.blocks * 8);
    r.start = allocate((r.blocks + 1) * 8);
    r.start[0] = 0;
    for (int64_t k = 0; k < r.blocks; k++) {
        r.depth[k] = 0;
        for (int64_t i = k * WIDTH; i < d.n && i < (k + 1) * WIDTH; i++)
            if (d.size[i] > r.depth[k]) r.depth[k] = d.size[i];
        r.start[k + 1] = r.start[k] + r.depth[k] * WIDTH;
    }
    const int64_t cells = r.start[r.blocks];
    r.x = memset(doubles(cells), 0, cells * 8);
    r.weight = memset(doubles(cells), 0, cells * 8);
    r.sum_y = memset(doubles(r.blocks * WIDTH), 0, r.blocks * WIDTH * 8);
    r.sum_xy = memset(doubles(r.blocks * WIDTH), 0, r.blocks * WIDTH * 8);
    for (int64_t i = 0, row = 0; i < d.n; row += d.size[i++])
        for (int64_t j = 0; j < d.size[i]; j++) {
            int64_t cell = r.start[i / WIDTH] + j * WIDTH + i % WIDTH;
            r.x[cell] = d.x[row + j];
            r.weight[cell] = 1;
            r.sum_y[i] += d.y[row + j];
            r.sum_xy[i] += d.x[row + j] * d.y[row + j];
        }
    return r;
}

/* Fill in the sums of a block at its beta. The linear predictor is held in +-300, where nothing is accepted. */
static void sum_block(const Rows *r, int64_t k, Block *restrict at) {
    const double *restrict x = r->x + r->start[k], *restrict weight = r->weight + r->start[k];
    double e[WIDTH] = {0}, ex[WIDTH] = {0}, exx[WIDTH] = {0};
    for (int64_t j = 0; j < r->depth[k]; j++, x += WIDTH, weight += WIDTH)
        for (int l = 0; l < WIDTH; l++) {
            double eta = at->b0[l] + at->b1[l] * x[l];
            eta = eta > 300 ? 300 : eta < -300 ? -300 : eta;
            double value = weight[l] * exp(eta);
            e[l] += value;
            ex[l] += value * x[l];
            exx[l] += value * x[l] * x[l];
        }
    memcpy(at->e, e, sizeof e);
    memcpy(at->ex, ex, sizeof ex);
    memcpy(at->exx, exx, sizeof exx);
}

/* The proposal from each beta of a block: mean, the precision A = [a, b; b, c], and the log density at beta. */
typedef struct { double m0[WIDTH], m1[WIDTH], a[WIDTH], b[WIDTH], c[WIDTH], det[WIDTH], log[WIDTH]; } Proposal;

static inline void propose(const Rows *r, int64_t k, const Block *restrict at, Given g, Proposal *restrict p) {
    const double *restrict sum_y = r->sum_y + k * WIDTH, *restrict sum_xy = r->sum_xy + k * WIDTH;
    for (int l = 0; l < WIDTH; l++) {
        double d0 = at->b0[l] - g.mu0, d1 = at->b1[l] - g.mu1;
        double pull0 = g.q00 * d0 + g.q01 * d1, pull1 = g.q01 * d0 + g.q11 * d1;
        double gradient0 = sum_y[l] - at->e[l] - pull0, gradient1 = sum_xy[l] - at->ex[l] - pull1;
        double a = at->e[l] + g.q00, b = at->ex[l] + g.q01, c = at->exx[l] + g.q11, det = a * c - b * b;
        p->m0[l] = at->b0[l] + (c * gradient0 - b * gradient1) / det;
        p->m1[l] = at->b1[l] + (a * gradient1 - b * gradient0) / det;
        p->a[l] = a; p->b[l] = b; p->c[l] = c; p->det[l] = det;
        p->log[l] = sum_y[l] * at->b0[l] + sum_xy[l] * at->b1[l] - at->e[l] - (d0 * pull0 + d1 * pull1) / 2;
    }
}

/* Update a block; noise holds 2 WIDTH normals, bits WIDTH words. Returns how many proposals were taken. */
static double update_block(const Rows *r, int64_t k, Block *restrict at, Given g, const double *restrict noise,
                           const uint64_t *restrict bits) {
    Proposal from, back;
    Block there;
    double taken = 0;
    propose(r, k, at, g, &from);
    for (int l = 0; l < WIDTH; l++) {
        double x1 = noise[WIDTH + l] * sqrt(from.a[l] / from.det[l]);
        there.b1[l] = from.m1[l] + x1;
        there.b0[l] = from.m0[l] + noise[l] / sqrt(from.a[l]) - from.b[l] / from.a[l] * x1;
    }
    sum_block(r, k, &there);
    propose(r, k, &there, g, &back);
    for (int l = 0; l < WIDTH; l++) {
        double d0 = at->b0[l] - back.m0[l], d1 = at->b1[l] - back.m1[l];
        double forth = noise[l] * noise[l] + noise[WIDTH + l] * noise[WIDTH + l];
        double reverse = back.a[l] * d0 * d0 + 2 * back.b[l] * d0 * d1 + back.c[l] * d1 * d1;
        double gain = back.log[l] - from.log[l] + (forth - reverse) / 2;
        double u = between_1_2(bits[l]) - 1 + 0x1p-53;
        int yes = 2 * log(u) < 2 * gain + log(back.det[l] / from.det[l]);
        at->b0[l] = yes ? there.b0[l] : at->b0[l];
        at->b1[l] = yes ? there.b1[l] : at->b1[l];
        at->e[l] = yes ? there.e[l] : at->e[l];
        at->ex[l] = yes ? there.ex[l] : at->ex[l];
        at->exx[l] = yes ? there.exx[l] : at->exx[l];
        taken += yes && k * WIDTH + l < r->n;
    }
    return taken;
}

/* Newton steps towards the modes, from the log of each mean count; halved until they gain. */
static void climb(const Rows *r, Block *blocks, Given g) {
    for (int64_t k = 0; k < r->blocks; k++) {
        memset(blocks + k, 0, sizeof(Block));
        for (int step = 0; step < 40; step++) {
            Proposal p;
            sum_block(r, k, blocks + k);
            propose(r, k, blocks + k, g, &p);
            for (int l = 0; l < WIDTH; l++) {
                double to0 = p.m0[l] - blocks[k].b0[l], to1 = p.m1[l] - blocks[k].b1[l];
                double cut = 1 / (1 + fmax(fabs(to0), fabs(to1)));
                blocks[k].b0[l] += cut * to0;
                blocks[k].b1[l] += cut * to1;
            }
        }
        sum_block(r, k, blocks + k);
    }
}

/* Draw mu and Q given all beta. */
static void draw_population(Rng *rng, const Rows *r, const Block *blocks, double prior, Given *g) {
    double s0 = 0, s1 = 0, s00 = 0, s01 = 0, s11 = 0;
    const double n = r->n, flat = 1e-4;
    for (int64_t i = 0; i < r->n; i++) {
        double b0 = blocks[i / WIDTH].b0[i % WIDTH], b1 = blocks[i / WIDTH].b1[i % WIDTH];
        s0 += b0; s1 += b1;
        s00 += b0 * b0; s01 += b0 * b1; s11 += b1 * b1;
    }
    double a = n * g->q00 + flat, b = n * g->q01, c = n * g->q11 + flat, det = a * c - b * b;
    double linear0 = g->q00 * s0 + g->q01 * s1, linear1 = g->q01 * s0 + g->q11 * s1;
    double x1 = normal(rng) * sqrt(a / det), x0 = normal(rng) / sqrt(a) - b / a * x1;
    g->mu0 = (c * linear0 - b * linear1) / det + x0;
    g->mu1 = (a * linear1 - b * linear0) / det + x1;
    s00 += n * g->mu0 * g->mu0 - 2 * g->mu0 * s0 + prior;
    s11 += n * g->mu1 * g->mu1 - 2 * g->mu1 * s1 + prior;
    s01 += n * g->mu0 * g->mu1 - g->mu0 * s1 - g->mu1 * s0;
    draw_wishart(rng, n + 3, s00, s01, s11, &g->q00, &g->q01, &g->q11);
}

int main(int argc, char **argv) {
    Options options = read_options(argc, argv, 1);
    const double prior = 3 * options.prior[0];
    Rows r = prepare(read_grouped(options.data));
    Rng rng;
    seed_rng(&rng, options.seed);
    Block *blocks = allocate(r.blocks * sizeof(Block));
    double *draws = doubles(5 * options.draws), noise[BATCH], started = 0, taken = 0;
    uint64_t bits[BATCH];
    Given g = {1, 0, 1, 0, 0};
    climb(&r, blocks, g);
    for (int64_t sweep = -options.warmup; sweep < options.draws; sweep++) {
        if (sweep == 0) started = seconds(), taken = 0;
        const int together = BATCH / (2 * WIDTH);
        for (int64_t k = 0; k < r.blocks; k++) {
            int place = k % together, left = r.blocks - k < together ? r.blocks - k : together;
            if (place == 0) fill_normals(&rng, noise, left * 2 * WIDTH), fill_bits(&rng, bits, left * WIDTH);
            taken += update_block(&r, k, blocks + k, g, noise + place * 2 * WIDTH, bits + place * WIDTH);
        }
        draw_population(&rng, &r, blocks, prior, &g);
        double det = g.q00 * g.q11 - g.q01 * g.q01;
        if (sweep >= 0)
            memcpy(draws + 5 * sweep, (double[]){g.mu0, g.mu1, g.q11 / det, -g.q01 / det, g.q00 / det}, 40);
    }
    report(options, draws, 5, seconds() - started, taken / options.draws / r.n);
}
