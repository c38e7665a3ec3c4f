/* The compiled inner loops: what is done to a tile of logits while it is in the cache.

   Each is over some heads' float32 logits of some query rows, (heads, rows, keys). Arrays lie in C's order, without
   gaps, but that of numbers of rows, (heads, rows), a step says how far apart heads are. loops.py calls with them, and
   hatch_build.py compiles, with sums taken in any order, so that they run in vector lanes, and without a C library, so
   that one file serves every system. Logits may be -infinity; of a row with NaN, or of -infinity alone, the weights are
   NaN or its total is 0.
*/

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define LOOP __declspec(dllexport)
int _fltused; /* what Windows asks of every library that uses floating point, and its entry */
int DllMainCRTStartup(void *library, unsigned long reason, void *reserved) {
    (void)library, (void)reason, (void)reserved;
    return 1;
}
#else
#define LOOP __attribute__((visibility("default")))
#endif

typedef ptrdiff_t size;

enum { MEANS = 5 };                  /* as in statistics.py */
enum { MEAN = 0, MAX = 1, MIN = 2 }; /* ways to fuse heads, as in loops.py */
enum { LANES = 32 };                 /* of which the largest number is found at once */

static const float LEAST = -88.0297f;        /* -127 ln 2: what is below counts as it; 2^-127 is 0 in `exponential` */
static const float FINITE = -3.40282347e38f; /* the least finite number */

LOOP const char source_sha256[] = SOURCE_SHA256; /* of this file, by which library.py tells an older one */

/* Where a is NaN, b; the larger is what one instruction gives. */
static inline float more(float a, float b) { return a > b ? a : b; }
static inline float less(float a, float b) { return a < b ? a : b; }

/* exp(x) for x < 88, 2^n exp(r), |r| <= ln 2 / 2, to within 2^-23 of it while it is a normal number; then 0. */
static inline float exponential(float x) {
#pragma clang fp reassociate(off)
    x = x < LEAST ? LEAST : x; /* NaN stays */
    const float n = __builtin_floorf(x * 1.44269504088896341f + 0.5f);
    const float r = x - n * 0.693359375f + n * 2.12194440e-4f; /* ln 2 in two parts, of which one is exact */
    float p = 1.38146128e-3f;                                  /* minimax for |exp(r) / p - 1|, which is at most 3e-9 */
    p = p * r + 8.36871006e-3f;
    p = p * r + 4.16683890e-2f;
    p = p * r + 1.66665211e-1f;
    p = p * r + 4.99999940e-1f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    const union {
        int32_t bits;
        float number;
    } power = {((int32_t)n + 127) << 23};
    return p * power.number;
}

/* ln x for x >= 1, of 0 and of NaN: ln 2^n + ln m, 1/sqrt 2 <= m < sqrt 2, by ln m = 2 artanh s, s = (m - 1) / (m + 1). */
static inline float logarithm_of(float x) {
    if (!(x > 0)) return x == 0 ? -__builtin_inff() : x;
    union {
        float number;
        int32_t bits;
    } m = {x};
    const int32_t n = (m.bits - 0x3f3504f3) >> 23; /* 0x3f3504f3: 1/sqrt 2 */
    m.bits -= n << 23;
    const double s = (m.number - 1.0) / (m.number + 1.0), square = s * s; /* s^2 < 0.03 */
    const double series = 1 + square * (1 / 3. + square * (1 / 5. + square * (1 / 7. + square / 9)));
    return (float)(n * 0.693147180559945309 + 2 * s * series);
}

/* The largest number of a row; of -infinity alone the least finite one, from which all are -infinity away. */
static inline float largest_of(const float *restrict row, size keys) {
    float lanes[LANES]; /* a compiler that minds NaN makes none by itself */
    for (size i = 0; i < LANES; i++) lanes[i] = FINITE;
    if (keys < LANES)
        for (size k = 0; k < keys; k++) lanes[0] = more(row[k], lanes[0]);
    else
        for (size k = 0; k < keys; k += LANES) {
            const float *block = row + (k + LANES <= keys ? k : keys - LANES); /* the last one may overlap */
            for (size i = 0; i < LANES; i++) lanes[i] = more(block[i], lanes[i]);
        }
    for (size half = LANES / 2; half > 0; half /= 2)
        for (size i = 0; i < half; i++) lanes[i] = more(lanes[i + half], lanes[i]);
    return lanes[0];
}

/* The sum of what logits become: exp(logit - largest). */
static inline float exponentials(float *restrict row, size keys, float largest) {
    float total = 0;
    for (size k = 0; k < keys; k++) {
        const float e = exponential(row[k] - largest);
        row[k] = e;
        total += e;
    }
    return total;
}

/* Fuse one head's row, `factor` times `weights`, into `fused`: add `share` of it, or keep what is more or less. The
   first head's is what there is then. */
static inline void fuse_row(const float *restrict weights, size keys, float factor, size fusion, float share, int first,
                            float *restrict fused) {
    if (fusion == MEAN) factor *= share;
    if (first) {
        for (size k = 0; k < keys; k++) fused[k] = factor * weights[k];
    } else if (fusion == MEAN) {
        for (size k = 0; k < keys; k++) fused[k] += factor * weights[k];
    } else if (fusion == MAX) {
        for (size k = 0; k < keys; k++) fused[k] = more(factor * weights[k], fused[k]);
    } else {
        for (size k = 0; k < keys; k++) fused[k] = less(factor * weights[k], fused[k]);
    }
}

/* `exponentials` of one patch query's row, whose statistics are added; `away` are distances to the patch keys. */
static inline float add_row(float *restrict logits, size keys, size prefix, float largest, const float *restrict away,
                            float no_mass, double *restrict means, double *restrict prefix_mass,
                            float *restrict logarithm) {
    float to_prefix = 0, weighted = 0; /* weighted: the sum of exp(x) x, x = logit - largest */
    for (size k = 0; k < prefix; k++) {
        const float x = logits[k] - largest, e = exponential(x);
        logits[k] = e;
        to_prefix += e;
        weighted += e * more(x, LEAST);
    }
    float to_patches = 0, travelled = 0, squared = 0;
    float *restrict row = logits + prefix;
    for (size k = 0; k < keys - prefix; k++) {
        const float x = row[k] - largest, e = exponential(x);
        row[k] = e;
        to_patches += e;
        weighted += e * more(x, LEAST);
        travelled += e * away[k];
        squared += e * away[k] * away[k];
    }
    const float total = to_prefix + to_patches, inverse = 1 / total;
    *logarithm = logarithm_of(total);
    means[0] += travelled * inverse;
    means[1] += squared * inverse;
    means[2] += to_patches > no_mass * total ? travelled / to_patches : 0;
    means[3] += *logarithm - weighted * inverse;
    means[4] += inverse;
    for (size k = 0; k < prefix; k++) prefix_mass[k] += logits[k] * inverse;
    return total;
}

/* Distances of queries (rows, 2) and keys (2, keys), (y, x), into `out` (rows, keys). */
LOOP void fill_distances(size rows, size keys, const float *restrict queries, const float *restrict places,
                         float *restrict out) {
    for (size r = 0; r < rows; r++) {
        const float y = queries[2 * r], x = queries[2 * r + 1];
        for (size k = 0; k < keys; k++) {
            const float dy = places[k] - y, dx = places[keys + k] - x;
            out[r * keys + k] = __builtin_sqrtf(dy * dy + dx * dx);
        }
    }
}

/* Add what `RowStatistics` lists, in its order, of rows of patch queries to `sums` (heads, MEANS + prefix).

   These are the rows from `first` on. `distances` are (these rows, keys - prefix). Of all rows `normalisers` and
   `totals` (heads, rows), each so far from head to head as its step says, are written, the logits become weights times
   total, and the weights are fused into `fused` (rows, keys), unless that is null, while they are at hand; `fresh` says
   that nothing is in it yet. What has less mass on patches than `no_mass` of its row has none. */
LOOP void add_statistics(size heads, size rows, size keys, size prefix, size first, float *restrict logits,
                         const float *restrict distances, float no_mass, double *restrict sums,
                         float *restrict normalisers, size normalisers_step, float *restrict totals, size totals_step,
                         size fusion, float share, size fresh, float *restrict fused) {
    for (size h = 0; h < heads; h++)
        for (size r = 0; r < rows; r++) {
            double *means = sums + h * (MEANS + prefix);
            float *row = logits + (h * rows + r) * keys;
            const float largest = largest_of(row, keys);
            float total, logarithm;
            if (r < first) {
                total = exponentials(row, keys, largest);
                logarithm = logarithm_of(total);
            } else {
                const float *away = distances + (r - first) * (keys - prefix);
                total = add_row(row, keys, prefix, largest, away, no_mass, means, means + MEANS, &logarithm);
            }
            totals[h * totals_step + r] = total;
            normalisers[h * normalisers_step + r] = largest + logarithm;
            if (fused) fuse_row(row, keys, 1 / total, fusion, share, fresh && h == 0, fused + r * keys);
        }
}

/* Divide `outputs` (rows, heads, features) by `totals` (heads, rows), `step` from head to head. */
LOOP void divide(size rows, size heads, size features, float *restrict outputs, const float *restrict totals,
                 size step) {
    for (size r = 0; r < rows; r++)
        for (size h = 0; h < heads; h++) {
            float *restrict output = outputs + (r * heads + h) * features;
            const float inverse = 1 / totals[h * step + r];
            for (size f = 0; f < features; f++) output[f] *= inverse;
        }
}

/* The logarithm of the sum of each row's exponentials into `normalisers` (heads, rows), `step` from head to head. */
LOOP void normalise(size heads, size rows, size keys, const float *restrict logits, float *restrict normalisers,
                    size step) {
    for (size h = 0; h < heads; h++)
        for (size r = 0; r < rows; r++) {
            const float *restrict row = logits + (h * rows + r) * keys;
            const float largest = largest_of(row, keys);
            float total = 0;
            for (size k = 0; k < keys; k++) total += exponential(row[k] - largest);
            normalisers[h * step + r] = largest + logarithm_of(total);
        }
}

/* Fuse some heads into `fused` (rows, keys), which holds nothing if `fresh`; the logits become weights,
   exp(logit - normaliser). Of normalisers (heads, rows) it is `step` from head to head. */
LOOP void fuse(size heads, size rows, size keys, float *restrict logits, const float *restrict normalisers, size step,
               size fusion, float share, size fresh, float *restrict fused) {
    for (size h = 0; h < heads; h++)
        for (size r = 0; r < rows; r++) {
            float *row = logits + (h * rows + r) * keys;
            exponentials(row, keys, normalisers[h * step + r]);
            fuse_row(row, keys, 1, fusion, share, fresh && h == 0, fused + r * keys);
        }
}

/* Add the sum over r of vector[r] exp(logit - normaliser) to `columns` (heads, keys). Of normalisers (heads, rows) it is
   `step` from head to head. */
LOOP void add_columns(size heads, size rows, size keys, const float *restrict logits, const float *restrict normalisers,
                      size step, const float *restrict vector, float *restrict columns) {
    for (size h = 0; h < heads; h++)
        for (size r = 0; r < rows; r++) {
            const float *restrict row = logits + (h * rows + r) * keys;
            float *restrict column = columns + h * keys;
            const float normaliser = normalisers[h * step + r], factor = vector[r];
#pragma clang loop interleave_count(4) /* left to itself it takes one vector at a time, a seventh slower */
            for (size k = 0; k < keys; k++) column[k] += factor * exponential(row[k] - normaliser);
        }
}

/* Keep rows of fused heads as `FusedMatrix` does: levels (rows, keys) of 16 bits, `steps` and `sums` (rows). */
LOOP void store(size rows, size keys, const float *restrict fused, float levels, float no_mass, int16_t *restrict out,
                float *restrict steps, float *restrict sums) {
    for (size r = 0; r < rows; r++) {
        const float *restrict row = fused + r * keys;
        int16_t *restrict kept = out + r * keys;
        const float largest = largest_of(row, keys), inverse = largest > no_mass ? levels / largest : 0;
        float total = 0;
        for (size k = 0; k < keys; k++) {
            total += row[k];
            kept[k] = (int16_t)(row[k] * inverse + 0.5f);
        }
        steps[r] = largest / levels;
        sums[r] = total;
    }
}

/* Add vector times rows of stored levels (rows, keys) to `columns`. */
LOOP void add_levels(size rows, size keys, const int16_t *restrict levels, const float *restrict vector,
                     float *restrict columns) {
    for (size r = 0; r < rows; r++) {
        const int16_t *restrict row = levels + r * keys;
        const float factor = vector[r];
        for (size k = 0; k < keys; k++) columns[k] += factor * row[k];
    }
}

/* Add vector times rows of the rollout's factor to `columns`: plus identity, divided by the row's sum.

   Row r of `fused` (rows, keys) is the factor's row `first` + r. */
LOOP void add_rollout_rows(size rows, size keys, const float *restrict fused, const float *restrict vector, size first,
                           float *restrict columns) {
    for (size r = 0; r < rows; r++) {
        const float *restrict row = fused + r * keys;
        float total = 1;
        for (size k = 0; k < keys; k++) total += row[k];
        const float share = vector[r] / total;
        for (size k = 0; k < keys; k++) columns[k] += share * row[k];
        columns[first + r] += share;
    }
}
