// exp, log, tanh, sin and cos that give the same bits everywhere: the twin of a3c_tut/engine/portable.py.
//
// Math.exp and its like may differ in the last bit from browser to browser, and from Python.
(globalThis.a3cModules ??= []).push(function portable(a3c) {
  "use strict";
  const LN2_HIGH = 0.6931471803691238, LN2_LOW = 1.9082149292705877e-10;
  const PER_LN2 = 1.4426950408889634, SQRT2 = 1.4142135623730951, SMALLEST = -746.0;
  const HALVES = new Float64Array(1023).fill(1.0);
  for (let k = 1; k < HALVES.length; k++) HALVES[k] = 0.5 * HALVES[k - 1];
  const factorial = [1];
  for (let k = 1; k < 18; k++) factorial.push(k * factorial[k - 1]);
  const [E2, E3, E4, E5, E6, E7, E8, E9, E10, E11, E12, E13] =
    factorial.slice(2, 14).map((product) => 1.0 / product);
  const [L1, L2, L3, L4, L5, L6, L7, L8, L9, L10] =
    Array.from({ length: 10 }, (_, k) => 2.0 / (2 * k + 3));

  const HALF_PI_1 = 1.5707963267341256, HALF_PI_2 = 6.077100506303966e-11;
  const HALF_PI_3 = 2.0222662487959506e-21, PER_HALF_PI = 0.6366197723675814;
  const signed = (k) => ((k >> 1) & 1 ? -1.0 : 1.0) / factorial[k];
  const [S3, S5, S7, S9, S11, S13, S15, S17] = [3, 5, 7, 9, 11, 13, 15, 17].map(signed);
  const [C4, C6, C8, C10, C12, C14, C16] = [4, 6, 8, 10, 12, 14, 16].map(signed);

  function exp(x) {
    if (x !== x) return x;
    if (x < SMALLEST) return 0.0;
    const k = Math.trunc(0.5 - x * PER_LN2);
    const r = x + k * LN2_HIGH + k * LN2_LOW;
    const r2 = r * r;
    const r4 = r2 * r2;
    const series = E2 + r * E3 + r2 * (E4 + r * E5) + r4 * (
      E6 + r * E7 + r2 * (E8 + r * E9) + r4 * (E10 + r * E11 + r2 * (E12 + r * E13))
    );
    const power = 1.0 + (r + r2 * series);
    if (k <= 1022) return power * HALVES[k];
    return power * HALVES[1022] * HALVES[k - 1022];
  }

  function log(x) {
    let e = 0;
    while (x > SQRT2 && x < Infinity) {
      x *= 0.5;
      e++;
    }
    const f = x - 1.0;
    const s = f / (2.0 + f);
    const z = s * s;
    const z2 = z * z;
    const z4 = z2 * z2;
    const R = z * (
      L1 + z * L2 + z2 * (L3 + z * L4) +
      z4 * (L5 + z * L6 + z2 * (L7 + z * L8) + z4 * (L9 + z * L10))
    );
    const half = 0.5 * f * f;
    return e * LN2_HIGH + (f - (half - (s * (half + R) + e * LN2_LOW)));
  }

  function tanh(x) {
    const e = exp(-2.0 * Math.abs(x));
    const y = (1.0 - e) / (1.0 + e);
    return x < 0.0 ? -y : y;
  }

  function sin(x) {
    return _sin_of(x, 0);
  }

  function cos(x) {
    return _sin_of(x, 1);
  }

  function _sin_of(x, quarters) {
    const k = Math.floor(x * PER_HALF_PI + 0.5);
    const r = x - k * HALF_PI_1 - k * HALF_PI_2 - k * HALF_PI_3;
    const z = r * r;
    const quarter = (k + quarters) & 3;
    let y;
    if (quarter & 1) {
      const tail = z * (C8 + z * (C10 + z * (C12 + z * (C14 + z * C16))));
      y = 1.0 - (0.5 * z - z * z * (C4 + z * (C6 + tail)));
    } else {
      const tail = z * (S9 + z * (S11 + z * (S13 + z * (S15 + z * S17))));
      y = r + r * (z * (S3 + z * (S5 + z * (S7 + tail))));
    }
    return quarter >= 2 ? -y : y;
  }

  Object.assign(a3c, { exp, log, tanh, sin, cos });
});
