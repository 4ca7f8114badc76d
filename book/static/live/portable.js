// exp and log that give the same bits everywhere: the twin of a3c_tut/portable.py.
//
// Math.exp and Math.log may differ in the last bit from browser to browser, and from Python.
(globalThis.a3cModules ??= []).push(function portable(a3c) {
  "use strict";
  const LN2_HIGH = 0.6931471803691238, LN2_LOW = 1.9082149292705877e-10;
  const PER_LN2 = 1.4426950408889634, SQRT2 = 1.4142135623730951, SMALLEST = -746.0;
  const HALVES = new Float64Array(1023).fill(1.0);
  for (let k = 1; k < HALVES.length; k++) HALVES[k] = 0.5 * HALVES[k - 1];
  const factorial = [1];
  for (let k = 1; k < 14; k++) factorial.push(k * factorial[k - 1]);
  const [E2, E3, E4, E5, E6, E7, E8, E9, E10, E11, E12, E13] =
    factorial.slice(2).map((product) => 1.0 / product);
  const [L1, L2, L3, L4, L5, L6, L7, L8, L9, L10] =
    Array.from({ length: 10 }, (_, k) => 2.0 / (2 * k + 3));

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

  Object.assign(a3c, { exp, log });
});
