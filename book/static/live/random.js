// NumPy's random numbers: SeedSequence, PCG64 and Generator.random(), bit for bit.
//
// PCG64 (O'Neill 2014): a 128-bit state x ← m x + c, of which 64 scrambled bits come out. Here the
// state is four limbs of 32 bits, the lowest first; BigInt is exact too, but ten times slower.
(globalThis.a3cModules ??= []).push(function random(a3c) {
  "use strict";
  const M0 = 0x9fccf645, M1 = 0x4385df64, M2 = 0x1fc65da4, M3 = 0x2360ed05;
  const MULTIPLIER = 0x2360ed051fc65da44385df649fccf645n;
  const MASK = (1n << 128n) - 1n;

  /** The upper 32 bits of x · y. The double x * y errs by less than 2^11, far less than 2^32. */
  function high(x, y) {
    return Math.round((x * y - (Math.imul(x, y) >>> 0)) / 4294967296);
  }

  /** A seed and the children it spawns: numpy.random.SeedSequence(entropy, spawn_key=…). */
  class SeedSequence {
    constructor(entropy, spawn_key = []) {
      this.entropy = entropy;
      this.spawn_key = spawn_key;
    }

    spawn(count) {
      return Array.from({ length: count }, (_, i) => new SeedSequence(this.entropy, [i]));
    }

    pool() {
      const words = words_of(this.entropy);
      if (this.spawn_key.length) while (words.length < 4) words.push(0);
      for (const key of this.spawn_key) words.push(...words_of(key));
      let constant = 0x43b0d7e5;
      const hash = (value) => {
        value ^= constant;
        constant = Math.imul(constant, 0x931e8875);
        value = Math.imul(value, constant);
        return value ^ (value >>> 16);
      };
      const mix = (x, y) => {
        const mixed = Math.imul(0xca01f9dd, x) - Math.imul(0x4973f715, y);
        return mixed ^ (mixed >>> 16);
      };
      const pool = [0, 1, 2, 3].map((i) => hash(i < words.length ? words[i] : 0));
      for (let from = 0; from < 4; from++)
        for (let to = 0; to < 4; to++) if (from !== to) pool[to] = mix(pool[to], hash(pool[from]));
      for (let from = 4; from < words.length; from++)
        for (let to = 0; to < 4; to++) pool[to] = mix(pool[to], hash(words[from]));
      return pool;
    }

    /** `count` words of 64 bits, as BigInt. */
    generate_state(count) {
      const pool = this.pool();
      let constant = 0x8b51f9dd;
      const words = [];
      for (let i = 0; i < 2 * count; i++) {
        let value = pool[i % 4] ^ constant;
        constant = Math.imul(constant, 0x58f38ded);
        value = Math.imul(value, constant);
        words.push(BigInt((value ^ (value >>> 16)) >>> 0));
      }
      return Array.from({ length: count }, (_, i) => words[2 * i] | (words[2 * i + 1] << 32n));
    }
  }

  /** A whole number from 0 as words of 32 bits, the lowest first. */
  function words_of(number) {
    const words = [];
    let rest = BigInt(number);
    do {
      words.push(Number(rest & 0xffffffffn) | 0);
      rest >>= 32n;
    } while (rest > 0n);
    return words;
  }

  class PCG64 {
    constructor(seed) {
      const [high_state, low_state, high_inc, low_inc] = seed.generate_state(4);
      this.inc = ((((high_inc << 64n) | low_inc) << 1n) | 1n) & MASK;
      const state = (this.inc + ((high_state << 64n) | low_state)) & MASK;
      this.limbs = new Uint32Array(4);
      this.state = (state * MULTIPLIER + this.inc) & MASK;
    }

    get state() {
      return this.limbs.reduceRight((all, limb) => (all << 32n) | BigInt(limb), 0n);
    }

    set state(state) {
      for (let i = 0; i < 4; i++) this.limbs[i] = Number((state >> BigInt(32 * i)) & 0xffffffffn);
    }

    /** Skip so many numbers, in time that grows with the logarithm. */
    advance(count) {
      let [left, multiplier, plus] = [BigInt(count), MULTIPLIER, this.inc];
      let [total_multiplier, total_plus] = [1n, 0n];
      while (left > 0n) {
        if (left & 1n) {
          total_multiplier = (total_multiplier * multiplier) & MASK;
          total_plus = (total_plus * multiplier + plus) & MASK;
        }
        plus = ((multiplier + 1n) * plus) & MASK;
        multiplier = (multiplier * multiplier) & MASK;
        left >>= 1n;
      }
      this.state = (total_multiplier * this.state + total_plus) & MASK;
    }

    /** Write the next numbers of Generator.random() into `numbers`, from place `first` on. */
    random(numbers, first = 0) {
      let [s0, s1, s2, s3] = this.limbs;
      const [c0, c1, c2, c3] = [0n, 32n, 64n, 96n].map((at) => Number((this.inc >> at) & 0xffffffffn));
      for (let i = first; i < numbers.length; i++) {
        let sum = (Math.imul(s0, M0) >>> 0) + c0;
        const t0 = sum >>> 0;
        sum = (sum > t0 ? 1 : 0) + c1 + high(s0, M0) +
          (Math.imul(s0, M1) >>> 0) + (Math.imul(s1, M0) >>> 0);
        const t1 = sum >>> 0;
        sum = (sum - t1) / 4294967296 + c2 + high(s0, M1) + high(s1, M0) +
          (Math.imul(s0, M2) >>> 0) + (Math.imul(s1, M1) >>> 0) + (Math.imul(s2, M0) >>> 0);
        const t2 = sum >>> 0;
        sum = (sum - t2) / 4294967296 + c3 + high(s0, M2) + high(s1, M1) + high(s2, M0) +
          (Math.imul(s0, M3) >>> 0) + (Math.imul(s1, M2) >>> 0) +
          (Math.imul(s2, M1) >>> 0) + (Math.imul(s3, M0) >>> 0);
        s0 = t0; s1 = t1; s2 = t2; s3 = sum >>> 0;
        // The scrambler: fold the halves together, rotate by the six highest bits.
        const turn = s3 >>> 26;
        let low = (s0 ^ s2) >>> 0, top = (s1 ^ s3) >>> 0;
        if (turn >= 32) [low, top] = [top, low];
        const by = turn & 31;
        if (by > 0) {
          const turned = (low >>> by) | (top << (32 - by));
          top = (top >>> by) | (low << (32 - by));
          low = turned;
        }
        numbers[i] = ((top >>> 0) * 2097152 + (low >>> 11)) / 9007199254740992; // 53 bits
      }
      this.limbs.set([s0, s1, s2, s3]);
      return numbers;
    }
  }

  Object.assign(a3c, { SeedSequence, PCG64 });
});
