/* Random numbers, input and output that the reference samplers share.
 *
 * Bits: xoshiro256++ (Blackman & Vigna 2021), eight lanes side by side so that the compiler vectorises them.
 * Normals: the ziggurat of Marsaglia & Tsang (2000) in the form of Doornik (2005), drawn ahead in batches; the
 * 1.2 % of candidates outside the inner boxes are mended one at a time. Gammas: Marsaglia & Tsang (2000).
 */
#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LANES 8
#define BATCH 512

typedef struct { uint64_t lane[4][LANES]; uint64_t one[4]; } Rng;

static double zig_x[257], zig_ratio[256];

static inline uint64_t rotate(uint64_t v, int by) { return (v << by) | (v >> (64 - by)); }

static uint64_t splitmix(uint64_t *state) {
    uint64_t v = (*state += 0x9e3779b97f4a7c15ULL);
    v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9ULL;
    v = (v ^ (v >> 27)) * 0x94d049bb133111ebULL;
    return v ^ (v >> 31);
}

static void seed_rng(Rng *rng, uint64_t seed) {
    for (int l = 0; l < LANES; l++)
        for (int w = 0; w < 4; w++) rng->lane[w][l] = splitmix(&seed);
    for (int w = 0; w < 4; w++) rng->one[w] = splitmix(&seed);
    const double r = 3.6541528853610088, area = 0.00492867323399;
    zig_x[0] = area / exp(-0.5 * r * r);
    zig_x[1] = r;
    for (int i = 2; i < 256; i++)
        zig_x[i] = sqrt(-2 * log(area / zig_x[i - 1] + exp(-0.5 * zig_x[i - 1] * zig_x[i - 1])));
    zig_x[256] = 0;
    for (int i = 0; i < 256; i++) zig_ratio[i] = zig_x[i + 1] / zig_x[i];
}

static inline uint64_t next_bits(Rng *rng) {
    uint64_t *s = rng->one, out = rotate(s[0] + s[3], 23) + s[0], t = s[1] << 17;
    s[2] ^= s[0]; s[3] ^= s[1]; s[1] ^= s[2]; s[0] ^= s[3]; s[2] ^= t; s[3] = rotate(s[3], 45);
    return out;
}

static inline double between_1_2(uint64_t bits) {
    bits = (bits >> 12) | 0x3ff0000000000000ULL;
    double value;
    memcpy(&value, &bits, 8);
    return value;
}

/* Uniform on (0, 1), never 0. */
static inline double uniform(Rng *rng) { return between_1_2(next_bits(rng)) - 1 + 0x1p-53; }

/* Fill out with count * 64 random bits; count is a multiple of LANES. */
static void fill_bits(Rng *rng, uint64_t *restrict out, int count) {
    uint64_t a[LANES], b[LANES], c[LANES], d[LANES];
    memcpy(a, rng->lane[0], sizeof a); memcpy(b, rng->lane[1], sizeof b);
    memcpy(c, rng->lane[2], sizeof c); memcpy(d, rng->lane[3], sizeof d);
    for (int i = 0; i < count; i += LANES)
        for (int l = 0; l < LANES; l++) {
            out[i + l] = rotate(a[l] + d[l], 23) + a[l];
            uint64_t t = b[l] << 17;
            c[l] ^= a[l]; d[l] ^= b[l]; b[l] ^= c[l]; a[l] ^= d[l]; c[l] ^= t; d[l] = rotate(d[l], 45);
        }
    memcpy(rng->lane[0], a, sizeof a); memcpy(rng->lane[1], b, sizeof b);
    memcpy(rng->lane[2], c, sizeof c); memcpy(rng->lane[3], d, sizeof d);
}

static __attribute__((noinline)) double finish_normal(Rng *rng, uint64_t bits) {
    for (;;) {
        int i = bits & 255;
        double u = 2 * between_1_2(bits) - 3, x = u * zig_x[i];
        if (fabs(u) < zig_ratio[i]) return x;
        if (i == 0) {
            double tail, y;
            do { tail = -log(uniform(rng)) / zig_x[1]; y = -log(uniform(rng)); } while (2 * y < tail * tail);
            return u < 0 ? -zig_x[1] - tail : zig_x[1] + tail;
        }
        double upper = exp(-0.5 * (zig_x[i] * zig_x[i] - x * x));
        double lower = exp(-0.5 * (zig_x[i + 1] * zig_x[i + 1] - x * x));
        if (lower + uniform(rng) * (upper - lower) < 1) return x;
        bits = next_bits(rng);
    }
}

static inline double normal(Rng *rng) { return finish_normal(rng, next_bits(rng)); }

/* Fill out with count <= BATCH standard normals; out has room for a multiple of LANES. */
static void fill_normals(Rng *rng, double *restrict out, int count) {
    uint64_t bits[BATCH];
    fill_bits(rng, bits, (count + LANES - 1) / LANES * LANES);
    for (int i = 0; i < count; i++) {
        int layer = bits[i] & 255;
        double u = 2 * between_1_2(bits[i]) - 3;
        out[i] = u * zig_x[layer];
        if (__builtin_expect(fabs(u) >= zig_ratio[layer], 0)) out[i] = finish_normal(rng, bits[i]);
    }
}

/* Gamma of unit scale; shape > 1/3. */
static double gamma_unit(Rng *rng, double shape) {
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = normal(rng), v = 1 + c * x;
        if (v <= 0) continue;
        v = v * v * v;
        double u = uniform(rng);
        if (u < 1 - 0.0331 * x * x * x * x || log(u) < 0.5 * x * x + d * (1 - v + log(v))) return d * v;
    }
}

/* Inverse gamma, density proportional to x^-(shape + 1) exp(-scale / x). */
static inline double inverse_gamma(Rng *rng, double shape, double scale) { return scale / gamma_unit(rng, shape); }

/* Seconds of processor time: other load on the machine does not count. */
static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec + 1e-9 * now.tv_nsec;
}

static void *allocate(size_t bytes) {
    void *memory = aligned_alloc(64, (bytes + 64 + 63) / 64 * 64);
    if (!memory) { fprintf(stderr, "out of memory\n"); exit(2); }
    return memory;
}

static double *doubles(int64_t count) { return allocate(count * sizeof(double)); }

/* Long data in groups: int64 n, int64 rows, int64 size[n], double x[rows], double y[rows]. */
typedef struct { int64_t n, rows, *size; double *x, *y; } Grouped;

static void read_exactly(void *to, size_t size, size_t count, FILE *file) {
    if (fread(to, size, count, file) != count) { fprintf(stderr, "the data file is too short\n"); exit(2); }
}

static Grouped read_grouped(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) { perror(path); exit(2); }
    Grouped data;
    read_exactly(&data.n, 8, 1, file);
    read_exactly(&data.rows, 8, 1, file);
    data.size = allocate(data.n * 8);
    data.x = doubles(data.rows);
    data.y = doubles(data.rows);
    read_exactly(data.size, 8, data.n, file);
    read_exactly(data.x, 8, data.rows, file);
    read_exactly(data.y, 8, data.rows, file);
    fclose(file);
    return data;
}

/* What every sampler is told: DATA DRAWS_FILE draws warmup seed prior... */
typedef struct { const char *data, *output; int64_t draws, warmup; uint64_t seed; double prior[8]; } Options;

static Options read_options(int argc, char **argv, int priors) {
    if (argc != 6 + priors) { fprintf(stderr, "expected 5 options and %d priors\n", priors); exit(2); }
    Options options = {argv[1], argv[2], atoll(argv[3]), atoll(argv[4]), strtoull(argv[5], NULL, 10), {0}};
    for (int k = 0; k < priors; k++) options.prior[k] = atof(argv[6 + k]);
    return options;
}

/* Write draws (draws x width) and print the time of a sweep after the warm-up. */
static void report(Options options, const double *draws, int width, double elapsed, double accepted) {
    FILE *file = fopen(options.output, "wb");
    if (!file || fwrite(draws, 8 * width, options.draws, file) != (size_t)options.draws) exit(2);
    fclose(file);
    printf("{\"seconds_per_sweep\": %.9g, \"acceptance\": %.4f}\n", elapsed / options.draws, accepted);
}
