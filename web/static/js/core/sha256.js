// SHA-256 (FIPS 180-4) of bytes that come in pieces: Web Crypto wants all of them at once. Pure.

const BLOCK = 64;
const LENGTH_AT = 56;

// The fractions of the cube roots of the first 64 primes, and of the square roots of the first 8.
const K = new Int32Array([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
]);
const START = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

const mix = (e) => ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
const turn = (a) => ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
const choose = (e, f, g) => g ^ (e & (f ^ g));
const most = (a, b, c) => (a & b) | (c & (a | b));

export class Sha256 {
  constructor() {
    this.state = new Int32Array(START);
    this.schedule = new Int32Array(BLOCK);
    this.rest = new Uint8Array(BLOCK);
    this.held = 0;
    this.length = 0;
  }

  /** The next bytes, a Uint8Array of any length. */
  update(bytes) {
    this.length += bytes.length;
    let at = 0;
    if (this.held > 0) {
      at = Math.min(BLOCK - this.held, bytes.length);
      this.rest.set(bytes.subarray(0, at), this.held);
      this.held += at;
      if (this.held < BLOCK) return this;
      this.blocks(this.rest, 0, BLOCK);
      this.held = 0;
    }
    const whole = bytes.length - ((bytes.length - at) % BLOCK);
    this.blocks(bytes, at, whole);
    this.rest.set(bytes.subarray(whole));
    this.held = bytes.length - whole;
    return this;
  }

  /** The digest in lower-case hexadecimal. Nothing can be added afterwards. */
  hex() {
    const bits = this.length * 8;
    const { rest } = this;
    rest[this.held] = 0x80;
    rest.fill(0, this.held + 1);
    if (this.held >= LENGTH_AT) {
      this.blocks(rest, 0, BLOCK);
      rest.fill(0);
    }
    const view = new DataView(rest.buffer);
    view.setUint32(LENGTH_AT, Math.floor(bits / 2 ** 32));
    view.setUint32(LENGTH_AT + 4, bits >>> 0);
    this.blocks(rest, 0, BLOCK);
    return [...this.state].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }

  /**
   * Takes in whole blocks, from `from` up to `to`. Eight rounds are written out, so that the eight words change places by
   * their names and are not moved about: that is three times as fast.
   */
  blocks(bytes, from, to) {
    const { state, schedule: w } = this;
    let [s0, s1, s2, s3, s4, s5, s6, s7] = state;
    for (let at = from; at < to; at += BLOCK) {
      for (let i = 0, j = at; i < 16; i += 1, j += 4) {
        w[i] = (bytes[j] << 24) | (bytes[j + 1] << 16) | (bytes[j + 2] << 8) | bytes[j + 3];
      }
      for (let i = 16; i < BLOCK; i += 1) {
        const x = w[i - 15];
        const y = w[i - 2];
        const low = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
        const high = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
        w[i] = (w[i - 16] + low + w[i - 7] + high) | 0;
      }
      let a = s0;
      let b = s1;
      let c = s2;
      let d = s3;
      let e = s4;
      let f = s5;
      let g = s6;
      let h = s7;
      for (let i = 0; i < BLOCK; i += 8) {
        h = (h + mix(e) + choose(e, f, g) + K[i + 0] + w[i + 0]) | 0;
        d = (d + h) | 0;
        h = (h + turn(a) + most(a, b, c)) | 0;
        g = (g + mix(d) + choose(d, e, f) + K[i + 1] + w[i + 1]) | 0;
        c = (c + g) | 0;
        g = (g + turn(h) + most(h, a, b)) | 0;
        f = (f + mix(c) + choose(c, d, e) + K[i + 2] + w[i + 2]) | 0;
        b = (b + f) | 0;
        f = (f + turn(g) + most(g, h, a)) | 0;
        e = (e + mix(b) + choose(b, c, d) + K[i + 3] + w[i + 3]) | 0;
        a = (a + e) | 0;
        e = (e + turn(f) + most(f, g, h)) | 0;
        d = (d + mix(a) + choose(a, b, c) + K[i + 4] + w[i + 4]) | 0;
        h = (h + d) | 0;
        d = (d + turn(e) + most(e, f, g)) | 0;
        c = (c + mix(h) + choose(h, a, b) + K[i + 5] + w[i + 5]) | 0;
        g = (g + c) | 0;
        c = (c + turn(d) + most(d, e, f)) | 0;
        b = (b + mix(g) + choose(g, h, a) + K[i + 6] + w[i + 6]) | 0;
        f = (f + b) | 0;
        b = (b + turn(c) + most(c, d, e)) | 0;
        a = (a + mix(f) + choose(f, g, h) + K[i + 7] + w[i + 7]) | 0;
        e = (e + a) | 0;
        a = (a + turn(b) + most(b, c, d)) | 0;
      }
      s0 = (s0 + a) | 0;
      s1 = (s1 + b) | 0;
      s2 = (s2 + c) | 0;
      s3 = (s3 + d) | 0;
      s4 = (s4 + e) | 0;
      s5 = (s5 + f) | 0;
      s6 = (s6 + g) | 0;
      s7 = (s7 + h) | 0;
    }
    state.set([s0, s1, s2, s3, s4, s5, s6, s7]);
  }
}
