// One polynomial SLAF, forward and backward, in as few passes over memory as its statistics allow.
//
// Compiled for one REAL (float or double, with an integer MASK of its size) and one DEGREE D.
// x is (batch, channels, inner), contiguous. Per channel
//
//     v = clamp(s·(x − m) + t),   φᵢ = Σₖ A[i][k]·zₖ(v),   f = b + Σᵢ wᵢ·φᵢ = Σₖ pₖ·zₖ(v),
//
// where zₖ is vᵏ up to degree 5 and the Chebyshev polynomial Tₖ(v) above. So every polynomial basis
// is a matrix A, every statistic of its elements follows from the sums of z₁ … z₂D, and f, f' and
// the elements' part of the gradient are each one series in v. m, s, t come from the input's
// statistics and its learned affine map, wᵢ = aᵢ·rᵢ from coefficients and statistics.
//
// Channels share nothing, so threads take ranges of them, and no sum depends on how many threads
// there are. Sums run in REAL over FLUSH vectors, then in double; small algebra runs in double.
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

namespace {

constexpr int D = DEGREE, BYTES = 64, LANES = BYTES / sizeof(REAL), FLUSH = 32;
constexpr bool POWERS = D <= 5;  // The deployed rows change over at the same degree.
constexpr int64_t TILE_BYTES = 131072;  // A tile of rows stays in the second-level cache.

typedef REAL vec __attribute__((vector_size(BYTES)));
typedef REAL loose __attribute__((vector_size(BYTES), aligned(sizeof(REAL)), may_alias));
typedef double wide __attribute__((vector_size(LANES * 8), aligned(8), may_alias));
typedef MASK mask __attribute__((vector_size(BYTES)));
#define INLINE static inline __attribute__((always_inline))
// Loops over memory: on their own, so that nothing around them costs them registers.
#define LOOP __attribute__((noinline))

// Where statistics come from. FOLLOW: those settled before this batch, which then joins them.
enum Source : int64_t { NONE, CONSTANT, FOLLOW, BATCH };

struct Setting {
    double matrix[D][D + 1];                // A for a clipped v
    double monomials[D][D + 1];             // the basis in monomials
    double series[D + 1][D + 1];            // monomials in z
    double low, high;                       // low ≤ v ≤ high (infinite: no clip)
    double edge;                            // where v has no slope although it is not clipped, or NaN
    double unit, epsilon, momentum;         // s, t carry unit
    int64_t settle;                         // FOLLOW ends after so many values; 0: never
    int64_t input, element;                 // Source
    bool clipped() const { return isfinite(low) || isfinite(high); }
};

struct Layout {
    int64_t batch, channels, inner, rows, threads;  // rows of coefficients: 1 … channels
    int64_t stride;                                 // from one row of the batch to the next
    int64_t row(int64_t channel) const {
        return rows == channels ? channel : channel * rows / channels;  // division is slow
    }
};

struct State {  // parameters and statistics; null where the setting has none
    const REAL *coefficients, *bias, *gain, *offset;
    REAL *mean, *variance;  // of the input
    int64_t *seen;
    REAL *element_mean, *element_variance;
    int64_t *element_seen;
};

struct Channel {  // what a forward pass settled for a channel; kept for the backward pass
    double mean, inverse, scale, shift, centre, bias;  // A is taken about `centre`
    double weight[D], element_mean[D], element_inverse[D];
};

struct Lane {  // ready to compute with: the maps of a vector's channels, and three series
    vec m, s, t, low, high, edge, value[D + 1], slope[D], pull[2 * D], g, h0, h1;
};

struct Sums {
    double sum[2 * D + 2][LANES];
};

struct Part {  // a part of x: segments of vectors, all with the same number of valid lanes
    int64_t start, segments, segment_stride, vectors, vector_stride;
    int lanes;
};

INLINE vec splat(double v) { return (REAL)v - vec{}; }

#ifdef __AVX512F__
INLINE __m512 loaded(const float *p, int lanes, __m512 rest) {
    return _mm512_mask_loadu_ps(rest, (__mmask16)((1u << lanes) - 1), p);
}
INLINE __m512d loaded(const double *p, int lanes, __m512d rest) {
    return _mm512_mask_loadu_pd(rest, (__mmask8)((1u << lanes) - 1), p);
}
INLINE void stored(float *p, __m512 v, int lanes) {
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << lanes) - 1), v);
}
INLINE void stored(double *p, __m512d v, int lanes) {
    _mm512_mask_storeu_pd(p, (__mmask8)((1u << lanes) - 1), v);
}
INLINE vec load_some(const REAL *p, int lanes, vec rest) { return (vec)loaded(p, lanes, rest); }
INLINE void store_some(REAL *p, vec v, int lanes) { stored(p, v, lanes); }
#else
__attribute__((noinline)) vec load_some(const REAL *p, int lanes, vec rest) {
    for (int l = 0; l < lanes; l++) rest[l] = p[l];
    return rest;
}

__attribute__((noinline)) void store_some(REAL *p, vec v, int lanes) {
    for (int l = 0; l < lanes; l++) p[l] = v[l];
}
#endif

// Lanes that are not valid read as `rest`, which the caller chooses to add nothing to its sums.
template <bool FULL>
INLINE vec load(const REAL *p, int lanes, vec rest) {
    return FULL ? *(const loose *)p : load_some(p, lanes, rest);
}

template <bool FULL>
INLINE void store(REAL *p, vec v, int lanes) {
    if (FULL) *(loose *)p = v;
    else store_some(p, v, lanes);
}

INLINE vec clamp(vec u, vec low, vec high) {  // NaN stays NaN
    u = high < u ? high : u;
    return low > u ? low : u;
}

// zₖ from zₖ₋₁ and zₖ₋₂
INLINE vec next(vec v, vec z1, vec z2) { return POWERS ? v * z1 : (v + v) * z1 - z2; }

// Σₖ cₖ·zₖ(v), k < count: Horner's rule or Clenshaw's.
template <int count>
INLINE vec series(const vec *c, vec v) {
    vec b1 = c[count - 1], b2 = {};
    if (POWERS) {
        for (int k = count - 2; k >= 0; k--) b1 = b1 * v + c[k];
        return b1;
    }
    for (int k = count - 2; k > 0; k--) {
        vec b0 = (v + v) * b1 + (c[k] - b2);
        b2 = b1;
        b1 = b0;
    }
    return count > 1 ? v * b1 + (c[0] - b2) : b1;
}

// The last term of a series that is not zero: most families give φᵢ only i + 1 of them.
INLINE int terms(const double *a) {
    int last = D;
    while (last && a[last] == 0) last--;
    return last;
}

// out += factor·a², series in z; a of D + 1 terms, out of 2D + 1.
INLINE void add_square(double *out, const double *a, double factor) {
    for (int j = 0; j <= terms(a); j++)
        for (int k = 0; k <= j; k++) {
            double term = (j == k ? factor : 2 * factor) * a[j] * a[k];
            out[j + k] += POWERS ? term : term / 2;
            if (!POWERS) out[j - k] += term / 2;
        }
}

// The derivative of a series of `count` terms: count − 1 terms.
INLINE void derive(const double *c, int count, double *out) {
    double ahead[2] = {0, 0};  // terms k + 1 and k + 2 of the derivative
    for (int k = count - 2; k >= 0; k--) {
        double term = POWERS ? (k + 1) * c[k + 1] : ahead[1] + 2 * (k + 1) * c[k + 1];
        ahead[1] = ahead[0];
        ahead[0] = term;
        out[k] = POWERS || k ? term : term / 2;
    }
}

// A about `centre`: φᵢ(centre + v) as a series in z(v).
INLINE void expand(const Setting &f, double centre, double (*out)[D + 1]) {
    memcpy(out, f.matrix, sizeof f.matrix);
    if (centre == 0) return;
    for (int i = 0; i < D; i++) {
        double c[D + 1];
        memcpy(c, f.monomials[i], sizeof c);
        for (int low = 0; low < D; low++)  // repeated synthetic division
            for (int k = D - 1; k >= low; k--) c[k] += centre * c[k + 1];
        for (int k = 0; k <= D; k++) {
            out[i][k] = 0;
            for (int j = 0; j <= D; j++) out[i][k] += c[j] * f.series[j][k];
        }
    }
}

template <class Body>
INLINE void each_vector(const Part &part, Body body) {
    for (int64_t segment = 0; segment < part.segments; segment++) {
        int64_t at = part.start + segment * part.segment_stride;
        for (int64_t k = 0; k < part.vectors; k++, at += part.vector_stride) body(at);
    }
}

// body(at, sums) for every vector of a part: COUNT sums in REAL, moved on to doubles after FLUSH
// vectors, before they lose digits.
template <int COUNT, class Body>
INLINE void sum_over(const Part &part, Sums &total, Body body) {
    int64_t span = part.vectors < FLUSH ? part.vectors : FLUSH, group = FLUSH / span;
    for (int64_t first = 0; first < part.segments; first += group)
        for (int64_t from = 0; from < part.vectors; from += span) {
            int64_t last = first + group < part.segments ? first + group : part.segments;
            int64_t to = from + span < part.vectors ? from + span : part.vectors;
            vec sums[COUNT] = {};
            for (int64_t segment = first; segment < last; segment++) {
                int64_t at = part.start + segment * part.segment_stride + from * part.vector_stride;
                for (int64_t k = from; k < to; k++, at += part.vector_stride) body(at, sums);
            }
            for (int i = 0; i < COUNT; i++)
                *(wide *)total.sum[i] += __builtin_convertvector(sums[i], wide);
        }
}

// Σ(x − pivot) and Σ(x − pivot)², at 0 and 1.
template <bool FULL>
LOOP void sum_inputs(const REAL *x, const Part &part, vec pivot, Sums &total) {
    sum_over<2>(part, total, [&](int64_t at, vec *sums) {
        vec c = load<FULL>(x + at, part.lanes, pivot) - pivot;
        sums[0] += c;
        sums[1] += c * c;
    });
}

// Σz₁ … Σz₂D from 0 on; FOLLOWING: then Σ(x − m) and Σ(x − m)².
template <bool FULL, bool FOLLOWING>
LOOP void sum_series(const REAL *x, const Part &part, const Lane &lane, Sums &total) {
    const vec m = lane.m, s = lane.s, t = lane.t, low = lane.low, high = lane.high;
    // A lane that is not valid must add nothing, and z₂ₖ(v) never is nothing under Chebyshev.
    vec valid;
    for (int l = 0; l < LANES; l++) valid[l] = l < part.lanes;
    sum_over<2 * D + 2 * FOLLOWING>(part, total, [&](int64_t at, vec *sums) {
        vec centred = load<FULL>(x + at, part.lanes, m) - m, v = clamp(s * centred + t, low, high);
        vec z1 = v, z2 = splat(1);
        sums[0] += valid * v;
        for (int k = 1; k < 2 * D; k++) {
            vec z = next(v, z1, z2);
            z2 = z1;
            z1 = z;
            sums[k] += valid * z;
        }
        if (FOLLOWING) {
            sums[2 * D] += centred;
            sums[2 * D + 1] += centred * centred;
        }
    });
}

// y = f(x); sum 0 is no longer zero in a lane where some y is not finite.
template <bool FULL>
LOOP void evaluate(const REAL *x, REAL *y, const Part &part, const Lane &lane, Sums &total) {
    const vec m = lane.m, s = lane.s, t = lane.t, low = lane.low, high = lane.high;
    // As integers the magnitudes compare alike, in a quarter of the time that a sum would wait.
    const mask infinity = (mask)splat(INFINITY), magnitude = ~(mask)splat(-0.0);
    vec value[D + 1];
    mask largest = {};
    memcpy(value, lane.value, sizeof value);
    each_vector(part, [&](int64_t at) {
        vec v = clamp(s * (load<FULL>(x + at, part.lanes, m) - m) + t, low, high);
        vec out = series<D + 1>(value, v);
        mask bits = (mask)out & magnitude;
        largest = bits > largest ? bits : largest;
        store<FULL>(y + at, out, part.lanes);
    });
    for (int l = 0; l < part.lanes; l++) total.sum[0][l] += largest[l] >= infinity[l];
}

// Σg·zₖ at k = 0 … D; AFFINE: with h = g·f'(v), Σh at D + 1 and Σh·(x − m) at D + 2.
// DIRECT: no sum enters ∂L/∂x = s·h, so that is written too.
template <bool FULL, bool AFFINE, bool DIRECT>
LOOP void sum_gradients(const REAL *x, const REAL *g, REAL *gx, const Part &part,
                          const Lane &lane, Sums &total) {
    const vec m = lane.m, s = lane.s, t = lane.t, low = lane.low, high = lane.high;
    const vec edge = lane.edge;
    vec slope[D];
    memcpy(slope, lane.slope, sizeof slope);
    sum_over<D + 1 + 2 * AFFINE>(part, total, [&](int64_t at, vec *sums) {
        vec centred = load<FULL>(x + at, part.lanes, m) - m, raw = s * centred + t;
        vec g0 = load<FULL>(g + at, part.lanes, vec{}), v = clamp(raw, low, high), z1 = v, z2 = splat(1);
        sums[0] += g0;
        sums[1] += g0 * v;
        for (int k = 2; k <= D; k++) {
            vec z = next(v, z1, z2);
            z2 = z1;
            z1 = z;
            sums[k] += g0 * z;
        }
        if (AFFINE || DIRECT) {
            vec h = (raw == v) & (raw != edge) ? g0 * series<D>(slope, v) : vec{};
            if (DIRECT) store<FULL>(gx + at, s * h, part.lanes);
            if (AFFINE) sums[D + 1] += h;
            if (AFFINE) sums[D + 2] += h * centred;
        }
    });
}

// ∂L/∂x, where ELEMENT statistics depend on x: s·[unclipped]·(f'(v)·(g − ḡ) − pull(v)), with
// pull = Σᵢ eᵢ·φᵢ'·(φᵢ − μᵢ); where the input's do: s·([unclipped]·f'(v)·g − h₀ − h₁·(x − m)).
template <bool FULL, bool ELEMENT>
LOOP void propagate(const REAL *x, const REAL *g, REAL *gx, const Part &part, const Lane &lane) {
    const vec m = lane.m, s = lane.s, t = lane.t, low = lane.low, high = lane.high;
    const vec edge = lane.edge, mean = lane.g, h0 = lane.h0, h1 = lane.h1;
    vec slope[D], pull[2 * D];
    memcpy(slope, lane.slope, sizeof slope);
    memcpy(pull, lane.pull, sizeof pull);
    each_vector(part, [&](int64_t at) {
        vec centred = load<FULL>(x + at, part.lanes, m) - m, raw = s * centred + t;
        vec g0 = load<FULL>(g + at, part.lanes, vec{}), v = clamp(raw, low, high), h = series<D>(slope, v);
        h = ELEMENT ? h * (g0 - mean) - series<2 * D>(pull, v) : h * g0;
        h = (raw == v) & (raw != edge) ? h : vec{};
        if (!ELEMENT) h -= h0 + h1 * centred;
        store<FULL>(gx + at, s * h, part.lanes);
    });
}

// A range of channels in blocks: a vector holds values of one channel (inner > 1), or one value of
// each of LANES neighbouring channels (inner = 1).
template <bool ALL>
struct Lanes {  // whether all lanes of a part's vectors are valid, for the compiler to know
    static constexpr bool all = ALL;
};

struct Range {
    const Layout &layout;
    int64_t first, last, block, blocks;

    Range(const Layout &l, int64_t from, int64_t to)
        : layout(l), first(from), last(to), block(l.inner > 1 ? 1 : LANES),
          blocks((to - from + block - 1) / block) {}

    int channels(int64_t b) const {
        int64_t left = last - first - b * block;
        return (int)(left < block ? left : block);
    }

    int parts(int64_t b, int64_t row, int64_t count, Part *out) const {
        int64_t inner = layout.inner, stride = layout.stride;
        int64_t start = row * stride + (first + b * block) * inner;
        if (inner == 1) {
            out[0] = {start, 1, 0, count, stride, channels(b)};
            return 1;
        }
        int used = 0, rest = (int)(inner % LANES);
        int64_t whole = inner / LANES;
        if (whole) out[used++] = {start, count, stride, whole, LANES, LANES};
        if (rest) out[used++] = {start + whole * LANES, count, stride, 1, LANES, rest};
        return used;
    }

    // body(part, block, Lanes) over all rows, tile by tile as they lie in memory; from the last tile on
    // where an earlier pass has left that one in the cache.
    template <class Body>
    void each(bool from_last, Body body) const {
        int64_t bytes = layout.stride * (int64_t)sizeof(REAL);
        int64_t rows = bytes >= TILE_BYTES ? 1 : TILE_BYTES / bytes;
        int64_t tiles = (layout.batch + rows - 1) / rows;
        Part part[2];
        for (int64_t i = 0; i < tiles; i++) {
            int64_t n = (from_last ? tiles - 1 - i : i) * rows;
            int64_t count = rows < layout.batch - n ? rows : layout.batch - n;
            for (int64_t b = 0; b < blocks; b++)
                for (int p = 0, used = parts(b, n, count, part); p < used; p++) {
                    if (part[p].lanes == LANES) body(part[p], b, Lanes<true>{});
                    else body(part[p], b, Lanes<false>{});
                }
        }
    }

    // body(block, channel, place of the channel within its block)
    template <class Body>
    void each_channel(Body body) const {
        for (int64_t b = 0; b < blocks; b++)
            for (int j = 0; j < channels(b); j++) body(b, first + b * block + j, j);
    }

    double total(const Sums &sums, int i, int j) const {
        if (layout.inner == 1) return sums.sum[i][j];
        double all = 0;
        for (int l = 0; l < LANES; l++) all += sums.sum[i][l];
        return all;
    }

    // Set lane `l` of `v` for channel j of a block: all lanes where the block is one channel.
    void put(vec &v, int j, double value) const {
        if (layout.inner > 1) v = splat(value);
        else v[j] = (REAL)value;
    }

    // A value near the mean of each channel's x: the mean of its first few; 0 if not finite.
    vec near_mean(const REAL *x, int64_t b) const {
        Part part[2];
        vec mean = {};
        int64_t rows = layout.inner > 1 ? 1 : (layout.batch < LANES ? layout.batch : LANES);
        parts(b, 0, rows, part);
        if (layout.inner == 1) {
            each_vector(part[0], [&](int64_t at) { mean += load<false>(x + at, part[0].lanes, vec{}); });
            mean /= (REAL)rows;
        } else {
            vec some = load<false>(x + part[0].start, part[0].lanes, vec{});
            double sum = 0;
            for (int l = 0; l < part[0].lanes; l++) sum += some[l];
            mean = splat(sum / part[0].lanes);
        }
        return mean * 0 == 0 ? mean : vec{};
    }
};

template <class T>
struct Block {  // an aligned, zeroed array
    T *items;
    explicit Block(int64_t count) : items((T *)aligned_alloc(BYTES, bytes(count))) {
        if (items) memset((void *)items, 0, bytes(count));
    }
    ~Block() { free(items); }
    static size_t bytes(int64_t count) { return (count * sizeof(T) + BYTES - 1) / BYTES * BYTES; }
    T &operator[](int64_t i) { return items[i]; }
    void clear(int64_t count) { memset((void *)items, 0, bytes(count)); }
};

struct Moments {
    double mean, variance;
    bool finite() const { return isfinite(mean) && isfinite(variance); }
};

INLINE Moments about(double pivot, double sum, double squares, double values) {
    double shift = sum / values, variance = squares / values - shift * shift;
    return {pivot + shift, variance < 0 ? 0 : variance};
}

// A batch that overflowed must not spoil what the batches before it have settled.
INLINE void join(REAL *mean, REAL *variance, Moments batch, bool first, double share) {
    if (!mean || !batch.finite()) return;
    *mean = (REAL)(first ? batch.mean : *mean + share * (batch.mean - *mean));
    *variance = (REAL)(first ? batch.variance : *variance + share * (batch.variance - *variance));
}

void settle_input(const Setting &f, const State &s, Channel &to, int64_t c, Moments statistics) {
    bool none = f.input == NONE;
    to.mean = none ? 0 : statistics.mean;
    to.inverse = none ? 1 : 1 / sqrt(statistics.variance + f.epsilon);
    to.scale = f.unit * to.inverse * (s.gain ? (double)s.gain[c] : 1);
    to.shift = f.unit * (s.offset ? (double)s.offset[c] : 0);
    to.centre = 0;
}

// Mean and variance of each element from the sums of z₁ … z₂D.
INLINE bool element_moments(const Setting &f, const double *sums, double values, Channel &of,
                            Moments *out) {
    double A[D][D + 1], mean[2 * D + 1] = {1}, covariance[D + 1][D + 1];
    bool finite = true;
    expand(f, of.centre, A);
    for (int k = 1; k <= 2 * D; k++) mean[k] = sums[k - 1] / values;
    for (int j = 1; j <= D; j++)
        for (int k = 1; k <= j; k++) {
            double product = mean[j + k];
            if (!POWERS) product = (product + mean[j - k]) / 2;
            covariance[j][k] = product - mean[j] * mean[k];
        }
    for (int i = 0; i < D; i++) {
        double m = A[i][0], variance = 0;
        for (int j = 1; j <= terms(A[i]); j++) {
            double row = A[i][j] * covariance[j][j];
            for (int k = 1; k < j; k++) row += 2 * A[i][k] * covariance[j][k];
            m += A[i][j] * mean[j];
            variance += A[i][j] * row;
        }
        out[i] = {m, variance < 0 ? 0 : variance};
        finite = finite && out[i].finite();
        of.element_mean[i] = m;
        of.element_inverse[i] = 1 / sqrt(out[i].variance + f.epsilon);
    }
    return finite;
}

void settle_elements(const Setting &f, const State &s, Channel &to, int64_t c, int64_t row) {
    to.bias = s.bias[row];
    for (int i = 0; i < D; i++) {
        if (f.element == CONSTANT) {
            to.element_mean[i] = s.element_mean[c * D + i];
            to.element_inverse[i] = 1 / sqrt((double)s.element_variance[c * D + i] + f.epsilon);
        } else if (f.element == NONE) {
            to.element_mean[i] = 0;
            to.element_inverse[i] = 1;
        }
        to.weight[i] = s.coefficients[row * D + i] * to.element_inverse[i];
    }
}

void fill_maps(const Setting &f, const Range &range, const Channel *table, Lane *lanes) {
    range.each_channel([&](int64_t b, int64_t c, int j) {
        range.put(lanes[b].m, j, table[c].mean);
        range.put(lanes[b].s, j, table[c].scale);
        range.put(lanes[b].t, j, table[c].shift);
        lanes[b].low = splat(f.low);
        lanes[b].high = splat(f.high);
        lanes[b].edge = splat(f.edge);
    });
}

// The series of up to LANES neighbouring channels, where A is the same for all of them. Arrays, not
// vectors: a number written into a vector makes the next read of the vector wait.
INLINE void fill_block(const Setting &f, const Channel *table, int channels, Lane &lane) {
    double value[D + 1][LANES] = {}, slope[D][LANES], weight[LANES], c[D + 1], d[D];
    for (int j = 0; j < channels; j++) value[0][j] = table[j].bias;
    for (int i = 0; i < D; i++) {
        for (int j = 0; j < channels; j++) {
            weight[j] = table[j].weight[i];
            value[0][j] -= weight[j] * table[j].element_mean[i];
        }
        for (int k = 0; k <= D; k++)
            for (int j = 0; j < channels; j++) value[k][j] += weight[j] * f.matrix[i][k];
    }
    for (int j = 0; j < channels; j++) {
        for (int k = 0; k <= D; k++) c[k] = value[k][j];
        derive(c, D + 1, d);
        for (int k = 0; k < D; k++) slope[k][j] = d[k];
    }
    for (int k = 0; k <= D; k++)
        for (int j = 0; j < channels; j++) ((REAL *)&lane.value[k])[j] = (REAL)value[k][j];
    for (int k = 0; k < D; k++)
        for (int j = 0; j < channels; j++) ((REAL *)&lane.slope[k])[j] = (REAL)slope[k][j];
}

void fill_series(const Setting &f, const Range &range, const Channel *table, Lane *lanes) {
    bool centred = f.element == BATCH && f.input == NONE && !f.clipped();
    if (range.layout.inner == 1 && !centred) {
        for (int64_t b = 0; b < range.blocks; b++)
            fill_block(f, table + range.first + b * LANES, range.channels(b), lanes[b]);
        return;
    }
    range.each_channel([&](int64_t b, int64_t c, int j) {
        double A[D][D + 1], value[D + 1] = {table[c].bias}, slope[D];
        expand(f, table[c].centre, A);
        for (int i = 0; i < D; i++) {
            value[0] -= table[c].weight[i] * table[c].element_mean[i];
            for (int k = 0; k <= D; k++) value[k] += table[c].weight[i] * A[i][k];
        }
        derive(value, D + 1, slope);
        for (int k = 0; k <= D; k++) range.put(lanes[b].value[k], j, value[k]);
        for (int k = 0; k < D; k++) range.put(lanes[b].slope[k], j, slope[k]);
    });
}

int forward_range(const Setting &f, const Range &range, const State &s, const REAL *x, REAL *y,
                  Channel *table, int64_t seen, int64_t element_seen) {
    const Layout &layout = range.layout;
    double values = (double)layout.batch * (double)layout.inner;
    bool follows = f.input == FOLLOW && !(f.settle && seen >= f.settle), first = seen == 0;
    bool by_element = f.element == BATCH, clipped = f.clipped();
    // The first batch is followed at once; later ones join the pass over the elements if any.
    bool early = f.input == BATCH || (follows && (first || !by_element)), late = follows && !early;
    bool bad = false;
    Block<Lane> lanes(range.blocks);
    Block<Sums> sums(range.blocks);
    Block<vec> pivots(range.blocks);
    if (!lanes.items || !sums.items || !pivots.items) return -1;
    if (early || (by_element && !clipped))
        for (int64_t b = 0; b < range.blocks; b++) pivots[b] = range.near_mean(x, b);
    if (early)
        range.each(false, [&](const Part &part, int64_t b, auto valid) {
            sum_inputs<valid.all>(x, part, pivots[b], sums[b]);
        });
    range.each_channel([&](int64_t b, int64_t c, int j) {
        Moments batch = {0, 1}, used = {0, 1};
        if (early)
            batch = about(pivots[b][j], range.total(sums[b], 0, j), range.total(sums[b], 1, j),
                          values);
        bad |= !batch.finite();
        if (f.input == BATCH || (follows && first)) used = batch;
        else if (f.input != NONE) used = {(double)s.mean[c], (double)s.variance[c]};
        if (early) join(s.mean ? s.mean + c : nullptr, s.variance + c, batch, first, f.momentum);
        settle_input(f, s, table[c], c, used);
        if (by_element && !clipped && f.input == NONE) {  // powers are taken near the mean
            table[c].mean = pivots[b][j];
            table[c].centre = f.unit * table[c].mean;
        }
    });
    fill_maps(f, range, table, lanes.items);
    if (by_element) {
        sums.clear(range.blocks);
        range.each(false, [&](const Part &part, int64_t b, auto valid) {
            if (late) sum_series<valid.all, true>(x, part, lanes[b], sums[b]);
            else sum_series<valid.all, false>(x, part, lanes[b], sums[b]);
        });
        range.each_channel([&](int64_t b, int64_t c, int j) {
            double total[2 * D + 2];
            Moments batch[D];
            for (int k = 0; k < 2 * D + 2 * late; k++) total[k] = range.total(sums[b], k, j);
            bad |= !element_moments(f, total, values, table[c], batch);
            for (int i = 0; s.element_mean && i < D; i++)
                join(s.element_mean + c * D + i, s.element_variance + c * D + i, batch[i],
                     element_seen == 0, f.momentum);
            if (!late) return;
            Moments moved = about(table[c].mean, total[2 * D], total[2 * D + 1], values);
            join(s.mean + c, s.variance + c, moved, false, f.momentum);
        });
    }
    range.each_channel([&](int64_t, int64_t c, int) {
        settle_elements(f, s, table[c], c, layout.row(c));
    });
    fill_series(f, range, table, lanes.items);
    sums.clear(range.blocks);
    range.each(by_element || early, [&](const Part &part, int64_t b, auto valid) {
        evaluate<valid.all>(x, y, part, lanes[b], sums[b]);
    });
    wide check = {};
    for (int64_t b = 0; b < range.blocks; b++) check += *(wide *)sums[b].sum[0];
    for (int l = 0; l < LANES; l++) bad |= check[l] != 0;
    return bad;
}

int backward_range(const Setting &f, const Range &range, bool affine, const REAL *x, const REAL *g,
                   REAL *gx, const Channel *table, double *grad) {
    double values = (double)range.layout.batch * (double)range.layout.inner;
    bool element = f.element == BATCH, direct = !element && f.input != BATCH;
    Block<Lane> lanes(range.blocks);
    Block<Sums> sums(range.blocks);
    if (!lanes.items || !sums.items) return -1;
    fill_maps(f, range, table, lanes.items);
    fill_series(f, range, table, lanes.items);
    range.each(false, [&](const Part &part, int64_t b, auto valid) {
        if (direct && affine) sum_gradients<valid.all, true, true>(x, g, gx, part, lanes[b], sums[b]);
        else if (direct) sum_gradients<valid.all, false, true>(x, g, gx, part, lanes[b], sums[b]);
        else if (affine) sum_gradients<valid.all, true, false>(x, g, gx, part, lanes[b], sums[b]);
        else sum_gradients<valid.all, false, false>(x, g, gx, part, lanes[b], sums[b]);
    });
    range.each_channel([&](int64_t b, int64_t c, int j) {
        const Channel &from = table[c];
        double *out = grad + c * (D + 3), A[D][D + 1], total[D + 3];
        double pull[2 * D + 1] = {}, slope[2 * D];
        expand(f, from.centre, A);
        for (int k = 0; k < D + 1 + 2 * affine; k++) total[k] = range.total(sums[b], k, j);
        for (int i = 0; i < D; i++) {
            double sum = 0, r = from.element_inverse[i];
            A[i][0] -= from.element_mean[i];
            for (int k = 0; k <= D; k++) sum += A[i][k] * total[k];
            out[i] = sum * r;
            if (element) add_square(pull, A[i], from.weight[i] * r * r * sum / values / 2);
        }
        out[D] = total[0];
        if (element) {
            derive(pull, 2 * D + 1, slope);
            for (int k = 0; k < 2 * D; k++) range.put(lanes[b].pull[k], j, slope[k]);
            range.put(lanes[b].g, j, total[0] / values);
        }
        if (!affine) return;
        double h0 = total[D + 1], h1 = total[D + 2] * from.inverse;
        out[D + 1] = f.unit * h1;
        out[D + 2] = f.unit * h0;
        range.put(lanes[b].h0, j, h0 / values);
        range.put(lanes[b].h1, j, h1 / values * from.inverse);
    });
    if (element)
        range.each(true, [&](const Part &part, int64_t b, auto valid) {
            propagate<valid.all, true>(x, g, gx, part, lanes[b]);
        });
    else if (!direct)
        range.each(true, [&](const Part &part, int64_t b, auto valid) {
            propagate<valid.all, false>(x, g, gx, part, lanes[b]);
        });
    return 0;
}

// work(range) on as many threads as the layout names; returns 0, 1 if any did, or −1 if any did.
template <class Work>
int in_ranges(const Layout &layout, Work work) {
    int64_t block = layout.inner > 1 ? 1 : LANES, channels = layout.channels;
    int64_t blocks = (channels + block - 1) / block;
    int64_t threads = layout.threads < blocks ? layout.threads : blocks;
    int bad = 0, failed = 0;
#pragma omp parallel for num_threads(threads) reduction(| : bad, failed) if (threads > 1)
    for (int64_t i = 0; i < threads; i++) {
        int64_t first = blocks * i / threads * block, last = blocks * (i + 1) / threads * block;
        int status = work(Range(layout, first, last < channels ? last : channels));
        bad |= status > 0;
        failed |= status < 0;
    }
    return failed ? -1 : bad;
}

}  // namespace

extern "C" {

// Returns 0, 1 if a statistic or an output is not finite, or −1 without memory.
int forward(const Setting *f, const Layout *layout, const State *s, const REAL *x, REAL *y,
            Channel *table) {
    int64_t values = layout->batch * layout->inner;
    if (values == 0) return 0;
    int64_t seen = s->seen ? *s->seen : 0, element_seen = s->element_seen ? *s->element_seen : 0;
    int status = in_ranges(*layout, [&](const Range &range) {
        return forward_range(*f, range, *s, x, y, table, seen, element_seen);
    });
    bool follows = f->input == FOLLOW && !(f->settle && seen >= f->settle);
    if (status != 0) return status;  // Not counted: until all is finite, the next batch is the first.
    if (s->seen && (f->input == BATCH || follows)) *s->seen += values;
    if (s->element_seen && f->element == BATCH) *s->element_seen += values;
    return status;
}

// Returns 0, or −1 without memory.
int backward(const Setting *f, const Layout *layout, const REAL *x, const REAL *g, REAL *gx,
             const Channel *table, REAL *coefficients, REAL *bias, REAL *gain, REAL *offset) {
    int64_t channels = layout->channels;
    Block<double> grad(channels * (D + 3));  // a channel: ∂L/∂a₁ … a_D, ∂b, ∂gain, ∂offset
    if (!grad.items) return -1;
    int status = layout->batch * layout->inner == 0
                     ? 0
                     : in_ranges(*layout, [&](const Range &range) {
                           return backward_range(*f, range, gain != nullptr, x, g, gx, table,
                                                 grad.items);
                       });
    double sum[D + 1] = {};
    for (int64_t c = 0, row = 0; c < channels; c++) {
        const double *from = grad.items + c * (D + 3);
        for (int i = 0; i <= D; i++) sum[i] += from[i];
        if (gain) gain[c] = (REAL)from[D + 1];
        if (offset) offset[c] = (REAL)from[D + 2];
        int64_t next = layout->row(c + 1);
        if (c + 1 < channels && next == row) continue;
        for (int i = 0; i < D; i++) coefficients[row * D + i] = (REAL)sum[i];
        bias[row] = (REAL)sum[D];
        memset(sum, 0, sizeof sum);
        row = next;
    }
    return status;
}

// Many forward passes in turn, of any degrees: a call holds the function and its arguments. Returns
// −1 without memory; `status` gathers what each pass returned.
struct Forward {
    int (*pass)(const void *, const void *, const void *, const void *, void *, void *);
    const void *setting, *layout, *state, *x;
    void *y, *table;
};

int forwards(const Forward *calls, int64_t count, int64_t *status) {
    bool failed = false;
    for (int64_t i = 0; i < count; i++) {
        const Forward &c = calls[i];
        int found = c.pass(c.setting, c.layout, c.state, c.x, c.y, c.table);
        status[i] |= found;
        failed |= found < 0;
    }
    return failed ? -1 : 0;
}

// Many backward passes in turn.
struct Backward {
    int (*pass)(const void *, const void *, const void *, const void *, void *, const void *, void *,
                void *, void *, void *);
    const void *setting, *layout, *x, *g;
    void *gx;
    const void *table;
    void *coefficients, *bias, *gain, *offset;
};

int backwards(const Backward *calls, int64_t count) {
    bool failed = false;
    for (int64_t i = 0; i < count; i++) {
        const Backward &c = calls[i];
        failed |= c.pass(c.setting, c.layout, c.x, c.g, c.gx, c.table, c.coefficients, c.bias, c.gain,
                         c.offset) < 0;
    }
    return failed ? -1 : 0;
}
}
