// AdamW over flat vectors: every lane with its own gradient norm, every group with its own rates.
//
// Two passes over memory: the first sums each lane's squares, the second clips and updates.
#include <math.h>
#include <stdint.h>

namespace {

constexpr int GROUPS = 3;

struct Segment {
    int64_t start, length, lane, group;
};

struct Rates {  // of one group of one lane; a rate that is NaN: the group rests
    double rate, keep, first, second;
};

double square(const REAL *g, int64_t count) {
    REAL sums[16] = {};
    double total = 0;
    int64_t i = 0;
    while (i + 16 <= count) {
        int64_t end = i + 512 < count - 15 ? i + 512 : count - 15;
        for (; i < end; i += 16)
            for (int l = 0; l < 16; l++) sums[l] += g[i + l] * g[i + l];
        for (int l = 0; l < 16; l++) {
            total += sums[l];
            sums[l] = 0;
        }
    }
    for (; i < count; i++) total += (double)g[i] * g[i];
    return total;
}

void update(REAL *__restrict p, const REAL *__restrict g, REAL *__restrict m, REAL *__restrict v,
            int64_t count, double scale, const Rates &rates) {
    const REAL s = (REAL)scale, keep = (REAL)rates.keep, move = (REAL)(rates.rate / rates.first);
    const REAL root = (REAL)(1 / rates.second);
    const REAL b1 = (REAL)(1 - 0.9), b2 = (REAL)0.999, rest = (REAL)(1 - 0.999), eps = (REAL)1e-8;
    for (int64_t i = 0; i < count; i++) {
        REAL c = g[i] * s;
        m[i] += b1 * (c - m[i]);
        v[i] = b2 * v[i] + rest * c * c;
        p[i] = keep * p[i] - move * m[i] / ((REAL)sqrt(v[i]) * root + eps);
    }
}

}  // namespace

extern "C" void adamw(const Segment *segments, int64_t count, int64_t lanes, REAL *p, const REAL *g,
                      REAL *m, REAL *v, const double *limits, double *squares, const Rates *rates) {
    for (int64_t lane = 0; lane < lanes; lane++) squares[lane] = 0;
    for (int64_t i = 0; i < count; i++) {
        const Segment &s = segments[i];
        if (isinf(limits[s.lane]) || isnan(rates[s.lane * GROUPS + s.group].rate)) continue;
        squares[s.lane] += square(g + s.start, s.length);
    }
    for (int64_t i = 0; i < count; i++) {
        const Segment &s = segments[i];
        const Rates &r = rates[s.lane * GROUPS + s.group];
        if (isnan(r.rate)) continue;
        double scale = 1;
        if (!isinf(limits[s.lane])) {
            scale = limits[s.lane] / (sqrt(squares[s.lane]) + 1e-6);
            if (scale > 1) scale = 1;  // NaN stays NaN
        }
        update(p + s.start, g + s.start, m + s.start, v + s.start, s.length, scale, r);
    }
}
