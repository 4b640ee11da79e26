// One SLAF of a line and tents, forward and backward, with the interface of kernel.cpp.
//
// Compiled for one REAL; any degree d up to MOST. x is (batch, channels), channels innermost. Per
// channel
//
//     v = clamp((s·(x − m) + t)/c),   f = b + a₁·v + Σₖ aₖ₊₁·max(0, 1 − |p − k|),   k = 1 … d−1,
//
// with p = (v + 1)·d/2. m and s come from the input's statistics, which are no part of the gradient
// (NONE, CONSTANT, FOLLOW), and its learned affine map. Every loop over channels is a vector loop;
// sums run in REAL over FLUSH rows, then in double.
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

namespace {

constexpr int MOST = 16, BLOCK = 64, FLUSH = 32;

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

constexpr int MEAN = 0, INVERSE = 1, SCALE = 2, SHIFT = 3, BIAS = 4, LINE = 5;
// What a forward pass settled for a channel: v = scale·(x − mean) + shift; a₁ … a_d from LINE on.

// Up to BLOCK channels, ready to compute with.
struct Maps {
    int64_t first, count;
    REAL mean[BLOCK], scale[BLOCK], shift[BLOCK], bias[BLOCK], line[BLOCK], tent[MOST][BLOCK];

    Maps(const double *table, int64_t width, int64_t degree, int64_t from, int64_t channels)
        : first(from), count(channels - from < BLOCK ? channels - from : BLOCK) {
        for (int64_t c = 0; c < count; c++) {
            const double *of = table + (first + c) * width;
            mean[c] = (REAL)of[MEAN];
            scale[c] = (REAL)of[SCALE];
            shift[c] = (REAL)of[SHIFT];
            bias[c] = (REAL)of[BIAS];
            line[c] = (REAL)of[LINE];
            for (int64_t k = 1; k < degree; k++) tent[k][c] = (REAL)of[LINE + k];
        }
    }
};

// Means and variances of the batch, about each channel's first value, so that a far mean costs no
// digits.
void batch_moments(const Layout &layout, const REAL *x, double *mean, double *variance) {
    int64_t channels = layout.channels;
    double values = (double)layout.batch;
    for (int64_t c = 0; c < channels; c++) mean[c] = variance[c] = 0;
    for (int64_t n = 0; n < layout.batch; n++)
        for (int64_t c = 0; c < channels; c++) {
            double d = (double)x[n * layout.stride + c] - (double)x[c];
            mean[c] += d;
            variance[c] += d * d;
        }
    for (int64_t c = 0; c < channels; c++) {
        double shift = mean[c] / values, spread = variance[c] / values - shift * shift;
        mean[c] = (double)x[c] + shift;
        variance[c] = spread < 0 ? 0 : spread;
    }
}

// Fill what the statistics settle, and move the running ones; returns whether all are finite.
bool settle(const Setting &f, const Layout &layout, const State &s, const REAL *x, double *table,
            int64_t width, bool follows, bool first, double *moments) {
    int64_t channels = layout.channels;
    bool finite = true;
    if (follows) batch_moments(layout, x, moments, moments + channels);
    for (int64_t c = 0; c < channels; c++) {
        double mean = 0, variance = 1;
        if (f.input != NONE) mean = s.mean[c], variance = s.variance[c];
        if (follows) {
            double moved = moments[c], spread = moments[channels + c];
            if (isfinite(moved) && isfinite(spread)) {
                double old = s.mean[c], wide = s.variance[c];
                s.mean[c] = (REAL)(first ? moved : old + f.momentum * (moved - old));
                s.variance[c] = (REAL)(first ? spread : wide + f.momentum * (spread - wide));
            } else finite = false;
            if (first) mean = moved, variance = spread;
        }
        double *to = table + c * width;
        to[MEAN] = f.input == NONE ? 0 : mean;
        to[INVERSE] = f.input == NONE ? 1 : 1 / sqrt(variance + f.epsilon);
        to[SCALE] = f.unit * to[INVERSE] * (s.gain ? (double)s.gain[c] : 1);
        to[SHIFT] = f.unit * (s.offset ? (double)s.offset[c] : 0);
    }
    return finite;
}

inline REAL clamped(REAL u) {  // NaN stays NaN
    u = u > 1 ? (REAL)1 : u;
    return u < -1 ? (REAL)-1 : u;
}

}  // namespace

extern "C" {

// Returns 0, 1 if a statistic or an output is not finite, or −1 without memory.
int forward(const Setting *f, const Layout *layout, const State *s, const REAL *x, REAL *y,
            double *table) {
    int64_t degree = f->degree, channels = layout->channels;
    if (layout->batch == 0) return 0;
    int64_t seen = s->seen ? *s->seen : 0, width = LINE + degree;
    bool follows = f->input == FOLLOW && !(f->settle && seen >= f->settle);
    double *moments = (double *)malloc(2 * channels * sizeof(double));
    if (!moments) return -1;
    bool bad = !settle(*f, *layout, *s, x, table, width, follows, seen == 0, moments);
    free(moments);
    for (int64_t c = 0; c < channels; c++) {
        int64_t row = layout->row(c);
        double *to = table + c * width;
        to[BIAS] = s->bias[row];
        for (int64_t i = 0; i < degree; i++) to[LINE + i] = s->coefficients[row * degree + i];
    }
    const REAL half = (REAL)(0.5 * degree);
    for (int64_t from = 0; from < channels; from += BLOCK) {
        const Maps maps(table, width, degree, from, channels);
        const int64_t count = maps.count;
        REAL zero[BLOCK] = {};  // stays 0 while all is finite
        for (int64_t n = 0; n < layout->batch; n++) {
            const REAL *in = x + n * layout->stride + from;
            REAL *to = y + n * layout->stride + from, p[BLOCK], out[BLOCK];
            for (int64_t c = 0; c < count; c++) {
                REAL v = clamped(maps.scale[c] * (in[c] - maps.mean[c]) + maps.shift[c]);
                p[c] = (v + 1) * half;
                out[c] = maps.bias[c] + maps.line[c] * v;
            }
            for (int64_t k = 1; k < degree; k++)
                for (int64_t c = 0; c < count; c++) {
                    REAL t = 1 - (REAL)fabs(p[c] - (REAL)k);
                    out[c] += maps.tent[k][c] * (t > 0 ? t : (REAL)0);
                }
            for (int64_t c = 0; c < count; c++) {
                to[c] = out[c];
                zero[c] += out[c] * 0;
            }
        }
        for (int64_t c = 0; c < count; c++) bad |= zero[c] != 0;
    }
    if (bad) return 1;  // Not counted: until all is finite, the next batch is the first.
    if (s->seen && follows) *s->seen += layout->batch;
    return 0;
}

// Returns 0.
int backward(const Setting *f, const Layout *layout, const REAL *x, const REAL *g, REAL *gx,
             const double *table, REAL *coefficients, REAL *bias, REAL *gain, REAL *offset) {
    int64_t channels = layout->channels, degree = f->degree, width = LINE + degree;
    const REAL half = (REAL)(0.5 * degree);
    for (int64_t row = 0; row < layout->rows; row++) {
        bias[row] = 0;
        for (int64_t i = 0; i < degree; i++) coefficients[row * degree + i] = 0;
    }
    for (int64_t from = 0; from < channels; from += BLOCK) {
        const Maps maps(table, width, degree, from, channels);
        const int64_t count = maps.count;
        // ∂L/∂b, ∂L/∂a₁ … ∂L/∂a_d, and with h = g·f'(v): Σh·(x − m), Σh.
        double total[MOST + 3][BLOCK] = {};
        for (int64_t start = 0; start < layout->batch; start += FLUSH) {
            int64_t end = start + FLUSH < layout->batch ? start + FLUSH : layout->batch;
            REAL sum[MOST + 3][BLOCK] = {};
            for (int64_t n = start; n < end; n++) {
                const REAL *in = x + n * layout->stride + from, *up = g + n * layout->stride + from;
                REAL *to = gx + n * layout->stride + from, p[BLOCK], slope[BLOCK], inside[BLOCK];
                for (int64_t c = 0; c < count; c++) {
                    REAL raw = maps.scale[c] * (in[c] - maps.mean[c]) + maps.shift[c];
                    REAL v = clamped(raw);
                    p[c] = (v + 1) * half;
                    slope[c] = maps.line[c];
                    inside[c] = raw == v ? (REAL)1 : (REAL)0;
                    sum[0][c] += up[c];
                    sum[1][c] += up[c] * v;
                }
                for (int64_t k = 1; k < degree; k++)
                    for (int64_t c = 0; c < count; c++) {
                        REAL d = p[c] - (REAL)k, t = 1 - (REAL)fabs(d);
                        sum[1 + k][c] += up[c] * (t > 0 ? t : (REAL)0);
                        // At a knot a tent has no slope, as written out.
                        REAL rise = d < 0 ? half : d > 0 ? -half : (REAL)0;
                        slope[c] += maps.tent[k][c] * (t > 0 ? rise : (REAL)0);
                    }
                for (int64_t c = 0; c < count; c++) {
                    REAL h = inside[c] * up[c] * slope[c];
                    to[c] = maps.scale[c] * h;
                    sum[degree + 1][c] += h * (in[c] - maps.mean[c]);
                    sum[degree + 2][c] += h;
                }
            }
            for (int64_t i = 0; i < degree + 3; i++)
                for (int64_t c = 0; c < count; c++) total[i][c] += sum[i][c];
        }
        for (int64_t c = 0; c < count; c++) {
            int64_t channel = from + c, row = layout->row(channel);
            // Without rows there was no forward pass that filled the table.
            double inverse = layout->batch ? table[channel * width + INVERSE] : 0;
            bias[row] += (REAL)total[0][c];
            for (int64_t i = 0; i < degree; i++)
                coefficients[row * degree + i] += (REAL)total[1 + i][c];
            if (gain) gain[channel] = (REAL)(f->unit * inverse * total[degree + 1][c]);
            if (offset) offset[channel] = (REAL)(f->unit * total[degree + 2][c]);
        }
    }
    return 0;
}
}
