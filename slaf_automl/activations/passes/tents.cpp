// One SLAF of a line and tents, forward and backward, with the interface of kernel.cpp.
//
// Compiled for one REAL; any degree d. x is (batch, channels, inner). Per channel
//
//     v = clamp((s·(x − m) + t)/c),   f = b + a₁·v + (1 − q)·Aₖ + q·Aₖ₊₁,
//
// where p = (v + 1)·d/2 lies in the interval k = ⌊p⌋ and q = p − k within it, Aₖ = a₍ₖ₊₁₎ for
// 0 < k < d and A₀ = A_d = 0. m and s come from the input's statistics, which are no part of the
// gradient (NONE, CONSTANT, FOLLOW), and its learned affine map. Sums run in double.
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

namespace {

enum Source : int64_t { NONE, CONSTANT, FOLLOW };

struct Setting {
    double unit, epsilon, momentum;  // unit: 1/c
    int64_t degree, settle, input;   // FOLLOW ends after so many values; 0: never
};

struct Layout {
    int64_t batch, channels, inner, rows, threads;  // rows of coefficients: 1 … channels
    int64_t stride;                                 // from one row of the batch to the next
    int64_t row(int64_t channel) const { return channel * rows / channels; }
};

struct State {  // parameters and statistics; null where the setting has none
    const REAL *coefficients, *bias, *gain, *offset;
    REAL *mean, *variance;
    int64_t *seen;
    REAL *element_mean, *element_variance;
    int64_t *element_seen;
};

constexpr int MEAN = 0, INVERSE = 1, SCALE = 2, SHIFT = 3, BIAS = 4, KNOTS = 5;
// What a forward pass settled for a channel: v = scale·(x − mean) + shift; a₁ at KNOTS, then A₀ … A_d.

template <class Body>
void each(const Layout &layout, Body body) {
    for (int64_t n = 0; n < layout.batch; n++)
        for (int64_t c = 0; c < layout.channels; c++)
            for (int64_t i = 0; i < layout.inner; i++)
                body(n * layout.stride + c * layout.inner + i, c);
}

void settle_statistics(const Setting &f, const Layout &layout, const State &s, const REAL *x,
                       double *table, int64_t width, bool follows, bool first, bool *bad) {
    int64_t channels = layout.channels;
    double values = (double)layout.batch * (double)layout.inner;
    double *sums = follows ? (double *)calloc(2 * channels, sizeof(double)) : nullptr;
    if (sums) {
        // About a first value of each channel, so that a far mean costs no digits.
        each(layout, [&](int64_t at, int64_t c) {
            double d = (double)x[at] - (double)x[c * layout.inner];
            sums[2 * c] += d;
            sums[2 * c + 1] += d * d;
        });
    }
    for (int64_t c = 0; c < channels; c++) {
        double mean = 0, variance = 1;
        if (f.input != NONE) mean = s.mean[c], variance = s.variance[c];
        if (sums) {
            double shift = sums[2 * c] / values, moved = (double)x[c * layout.inner] + shift;
            double spread = sums[2 * c + 1] / values - shift * shift;
            spread = spread < 0 ? 0 : spread;
            if (first) mean = moved, variance = spread;
            if (isfinite(moved) && isfinite(spread)) {
                double share = first ? 1.0 : f.momentum;
                double old = s.mean[c], wide = s.variance[c];
                s.mean[c] = (REAL)(first ? moved : old + share * (moved - old));
                s.variance[c] = (REAL)(first ? spread : wide + share * (spread - wide));
            } else *bad = true;
        }
        double inverse = f.input == NONE ? 1 : 1 / sqrt(variance + f.epsilon);
        double *to = table + c * width;
        to[MEAN] = f.input == NONE ? 0 : mean;
        to[INVERSE] = inverse;
        to[SCALE] = f.unit * inverse * (s.gain ? (double)s.gain[c] : 1);
        to[SHIFT] = f.unit * (s.offset ? (double)s.offset[c] : 0);
    }
    free(sums);
}

struct Place {
    double v, q;
    int64_t k;
    bool inside;
};

inline Place place(const double *of, double x, int64_t degree) {
    double raw = of[SCALE] * (x - of[MEAN]) + of[SHIFT], v = raw;
    v = v > 1 ? 1 : v;
    v = v < -1 ? -1 : v;
    double p = (v + 1) * (0.5 * degree);
    int64_t k = p >= 0 && p < degree ? (int64_t)p : (p >= degree ? degree - 1 : 0);  // NaN: 0
    return {v, p - k, k, raw == v};
}

}  // namespace

extern "C" {

// Returns 0, 1 if a statistic or an output is not finite.
int forward(const Setting *f, const Layout *layout, const State *s, const REAL *x, REAL *y,
            double *table) {
    int64_t values = layout->batch * layout->inner, degree = f->degree;
    if (values == 0) return 0;
    int64_t seen = s->seen ? *s->seen : 0, width = KNOTS + degree + 2;
    bool follows = f->input == FOLLOW && !(f->settle && seen >= f->settle), bad = false;
    settle_statistics(*f, *layout, *s, x, table, width, follows, seen == 0, &bad);
    for (int64_t c = 0; c < layout->channels; c++) {
        int64_t row = layout->row(c);
        double *to = table + c * width;
        const REAL *a = s->coefficients + row * degree;
        to[BIAS] = s->bias[row];
        to[KNOTS] = a[0];
        for (int64_t k = 1; k < degree; k++) to[KNOTS + 1 + k] = a[k];
        to[KNOTS + 1] = to[KNOTS + 1 + degree] = 0;
    }
    each(*layout, [&](int64_t at, int64_t c) {
        const double *of = table + c * width, *A = of + KNOTS + 1;
        Place p = place(of, x[at], degree);
        double out = of[BIAS] + of[KNOTS] * p.v + (1 - p.q) * A[p.k] + p.q * A[p.k + 1];
        y[at] = (REAL)out;
        bad |= !isfinite(y[at]);
    });
    if (bad) return 1;  // Not counted: until all is finite, the next batch is the first.
    if (s->seen && follows) *s->seen += values;
    return 0;
}

// Returns 0, or −1 without memory.
int backward(const Setting *f, const Layout *layout, const REAL *x, const REAL *g, REAL *gx,
             const double *table, REAL *coefficients, REAL *bias, REAL *gain, REAL *offset) {
    int64_t channels = layout->channels, degree = f->degree, width = KNOTS + degree + 2;
    // A channel: ∂L/∂b, ∂L/∂a₁, ∂L/∂A₀ … ∂L/∂A_d, ∂L/∂gain, ∂L/∂offset.
    int64_t size = degree + 5;
    double *grad = (double *)calloc(channels * size, sizeof(double));
    if (!grad) return -1;
    each(*layout, [&](int64_t at, int64_t c) {
        const double *of = table + c * width, *A = of + KNOTS + 1;
        double *out = grad + c * size, g0 = g[at];
        Place p = place(of, x[at], degree);
        out[0] += g0;
        out[1] += g0 * p.v;
        out[2 + p.k] += g0 * (1 - p.q);
        out[3 + p.k] += g0 * p.q;
        // At a knot the tents have no slope, as written out.
        double bend = p.q > 0 && p.q < 1 ? (A[p.k + 1] - A[p.k]) * (0.5 * degree) : 0;
        double h = p.inside ? g0 * (of[KNOTS] + bend) : 0;
        gx[at] = (REAL)(of[SCALE] * h);
        out[degree + 3] += h * (x[at] - of[MEAN]);
        out[degree + 4] += h;
    });
    for (int64_t row = 0; row < layout->rows; row++) {
        bias[row] = 0;
        for (int64_t i = 0; i < degree; i++) coefficients[row * degree + i] = 0;
    }
    for (int64_t c = 0; c < channels; c++) {
        const double *from = grad + c * size, *of = table + c * width;
        int64_t row = layout->row(c);
        bias[row] += (REAL)from[0];
        coefficients[row * degree] += (REAL)from[1];
        for (int64_t k = 1; k < degree; k++) coefficients[row * degree + k] += (REAL)from[2 + k];
        double inverse = layout->batch * layout->inner ? of[INVERSE] : 0;  // no rows, no table
        if (gain) gain[c] = (REAL)(f->unit * inverse * from[degree + 3]);
        if (offset) offset[c] = (REAL)(f->unit * from[degree + 4]);
    }
    free(grad);
    return 0;
}
}
