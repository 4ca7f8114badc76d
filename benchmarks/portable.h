/* The package's own exp, log, tanh, sin and cos (a3c_tut/engine/portable.py): the same sums. */
#include <math.h>

static inline double own_exp(double x) {
  if (x < -746.0) return 0.0;
  int k = (int)(0.5 - x * 1.4426950408889634);
  double r = (x + k * 0x1.62e42feep-1) + k * 0x1.a39ef35793c76p-33, r2 = r * r, r4 = r2 * r2;
  double series = ((1.0 / 2 + r * (1.0 / 6)) + r2 * (1.0 / 24 + r * (1.0 / 120)))
    + r4 * (((1.0 / 720 + r * (1.0 / 5040)) + r2 * (1.0 / 40320 + r * (1.0 / 362880)))
    + r4 * ((1.0 / 3628800 + r * (1.0 / 39916800)) + r2 * (1.0 / 479001600 + r * (1.0 / 6227020800))));
  return ldexp(1.0 + (r + r2 * series), -k);
}

static inline double own_log(double x) {
  int e = 0;
  while (x > 1.4142135623730951 && x < INFINITY) { x *= 0.5; e++; }
  double f = x - 1.0, s = f / (2.0 + f), z = s * s, z2 = z * z, z4 = z2 * z2;
  double R = z * (((2.0 / 3 + z * (2.0 / 5)) + z2 * (2.0 / 7 + z * (2.0 / 9)))
    + z4 * (((2.0 / 11 + z * (2.0 / 13)) + z2 * (2.0 / 15 + z * (2.0 / 17)))
    + z4 * (2.0 / 19 + z * (2.0 / 21))));
  double half = 0.5 * f * f;
  return e * 0x1.62e42feep-1 + (f - (half - (s * (half + R) + e * 0x1.a39ef35793c76p-33)));
}

static inline double own_tanh(double x) {
  double e = own_exp(-2.0 * fabs(x)), y = (1.0 - e) / (1.0 + e);
  return x < 0.0 ? -y : y;
}

static inline double own_sin_of(double x, int quarters) {
  double k = floor(x * 0.6366197723675814 + 0.5);
  double r = ((x - k * 0x1.921fb544p+0) - k * 0x1.0b4611a6p-34) - k * 0x1.3198a2e037073p-69, y;
  double z = r * r;
  int quarter = ((int)k + quarters) & 3;
  if (quarter & 1) {
    double tail = z * (1.0 / 40320 + z * (-1.0 / 3628800 + z * (1.0 / 479001600
      + z * (-1.0 / 87178291200 + z * (1.0 / 20922789888000)))));
    y = 1.0 - (0.5 * z - z * z * (1.0 / 24 + z * (-1.0 / 720 + tail)));
  } else {
    double tail = z * (1.0 / 362880 + z * (-1.0 / 39916800 + z * (1.0 / 6227020800
      + z * (-1.0 / 1307674368000 + z * (1.0 / 355687428096000)))));
    y = r + r * (z * (-1.0 / 6 + z * (1.0 / 120 + z * (-1.0 / 5040 + tail))));
  }
  return quarter >= 2 ? -y : y;
}

/* NumPy's PCG64, so that what is learned can be compared with what Python learns. */
typedef unsigned __int128 u128;
typedef struct { u128 state, inc; } Stream;

static inline double uniform(Stream *stream) {
  const u128 multiplier = ((u128)2549297995355413924ULL << 64) | 4865540595714422341ULL;
  stream->state = stream->state * multiplier + stream->inc;
  uint64_t high = stream->state >> 64, folded = high ^ (uint64_t)stream->state;
  unsigned turn = high >> 58;
  return ((folded >> turn | folded << (-turn & 63)) >> 11) * (1.0 / 9007199254740992.0);
}

static int read_streams(Stream *streams, int count) {
  for (int i = 0; i < count; i++) {
    unsigned long long x[4];
    if (scanf("%llu %llu %llu %llu", &x[0], &x[1], &x[2], &x[3]) != 4) return 0;
    streams[i] = (Stream){((u128)x[0] << 64) | x[1], ((u128)x[2] << 64) | x[3]};
  }
  return 1;
}
