// The kernels of kernels.c as one writes them in AssemblyScript: its arrays, classes, strings and maps, and its garbage collector.
// asc kernels.ts -O3 --enable simd --runtime incremental --use abort= -o kernels.wasm

let seed: u32 = 0;
function next(): u32 {
  seed = seed * 1664525 + 1013904223;
  return seed >> 8;
}

export function matmul(n: i32): i32 {
  const left = new Float64Array(n * n), right = new Float64Array(n * n), product = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      left[i * n + j] = <f64>((i + j) % 7);
      right[i * n + j] = <f64>((i * j) % 5);
    }
  }
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let sum: f64 = 0;
      for (let k = 0; k < n; k++) sum += left[i * n + k] * right[k * n + j];
      product[i * n + j] = sum;
    }
  }
  let trace: f64 = 0;
  for (let i = 0; i < n; i++) trace += product[i * n + i];
  return <i32>trace;
}

export function sieve(n: i32): i32 {
  const composite = new Uint8Array(n);
  let primes = 0;
  for (let i = 2; i < n; i++) {
    if (composite[i]) continue;
    primes++;
    for (let j = <i64>i * i; j < n; j += i) composite[<i32>j] = 1;
  }
  return primes;
}

const state = new Uint32Array(8), w = new Uint32Array(64), v = new Uint32Array(8), block = new Uint8Array(64);

function compress(): void {
  for (let i = 0; i < 16; i++) {
    w[i] = (<u32>block[4 * i] << 24) | (<u32>block[4 * i + 1] << 16) | (<u32>block[4 * i + 2] << 8) | <u32>block[4 * i + 3];
  }
  for (let i = 16; i < 64; i++) {
    w[i] = w[i - 16] + w[i - 7] + (rotr(w[i - 15], 7) ^ rotr(w[i - 15], 18) ^ (w[i - 15] >> 3))
      + (rotr(w[i - 2], 17) ^ rotr(w[i - 2], 19) ^ (w[i - 2] >> 10));
  }
  for (let i = 0; i < 8; i++) v[i] = state[i];
  for (let i = 0; i < 64; i++) {
    const t1: u32 = v[7] + (rotr(v[4], 6) ^ rotr(v[4], 11) ^ rotr(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) + <u32>0x9e3779b9 * i + w[i];
    const t2: u32 = (rotr(v[0], 2) ^ rotr(v[0], 13) ^ rotr(v[0], 22)) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
    for (let j = 7; j > 0; j--) v[j] = v[j - 1];
    v[4] += t1;
    v[0] = t1 + t2;
  }
  for (let i = 0; i < 8; i++) state[i] += v[i];
}

export function sha256(n: i32): i32 {
  for (let i = 0; i < 8; i++) state[i] = <u32>0x6a09e667 * (i + 1);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < 64; j++) block[j] = <u8>(i + j);
    compress();
  }
  return <i32>(state[0] ^ state[7]);
}

export function quicksort(n: i32): i32 {
  const numbers = new Array<i32>(n);
  seed = 7;
  for (let i = 0; i < n; i++) numbers[i] = <i32>next();
  numbers.sort((a, b) => a - b);
  return numbers[n / 3];
}

class Node {
  less: Node | null = null;
  more: Node | null = null;
  constructor(public key: i32) {}
}

function insert(tree: Node | null, key: i32): Node {
  if (!tree) return new Node(key);
  if (key < tree.key) tree.less = insert(tree.less, key);
  else tree.more = insert(tree.more, key);
  return tree;
}

function depth(tree: Node | null): i32 {
  return tree ? 1 + max(depth(tree.less), depth(tree.more)) : 0;
}

export function tree(n: i32): i32 {
  let root: Node | null = null;
  seed = 1;
  for (let i = 0; i < n; i++) root = insert(root, <i32>next());
  return depth(root);
}

export function mandelbrot(n: i32): i32 {
  let inside = 0;
  for (let y = 0; y < n; y++) {
    for (let x = 0; x < n; x++) {
      let a: f64 = 0, b: f64 = 0;
      const ca = 3.0 * x / n - 2.0, cb = 2.0 * y / n - 1.0;
      let steps = 0;
      while (steps < 100 && a * a + b * b < 4.0) {
        const t = a * a - b * b + ca;
        b = 2 * a * b + cb;
        a = t;
        steps++;
      }
      if (steps == 100) inside++;
    }
  }
  return inside;
}

export function strings(n: i32): i32 {
  const words = new Array<string>();
  seed = 3;
  for (let i = 0; i < n / 100; i++) words.push(i % 10 == 0 ? "needle" : (next() % 100000).toString());
  const text = words.join(" ");
  let found = 0, hash = 0;
  for (let at = text.indexOf("needle"); at >= 0; at = text.indexOf("needle", at + 1)) found++;
  for (let i = 0; i < text.length; i++) hash = hash * 31 + text.charCodeAt(i);
  return found ^ hash ^ text.toUpperCase().split(" ").length;
}

export function maps(n: i32): i32 {
  const counts = new Map<u32, u32>();
  seed = 11;
  let most: u32 = 0;
  for (let i = 0; i < n; i++) {
    const key = next() % 60000 + 1, count = counts.has(key) ? counts.get(key) + 1 : 1;
    counts.set(key, count);
    if (count > most) most = count;
  }
  return most;
}

export function vectors(n: i32): i32 {
  const count = 16384;
  const first = new StaticArray<f32>(count * 4), second = new StaticArray<f32>(count * 4);
  for (let i = 0; i < count; i++) {
    first[4 * i] = <f32>(i % 3); first[4 * i + 1] = <f32>(i % 5); first[4 * i + 2] = <f32>(i % 7); first[4 * i + 3] = <f32>(i % 11);
    for (let lane = 0; lane < 4; lane++) second[4 * i + lane] = <f32>(lane + 1);
  }
  const half = f32x4.splat(0.5), most = f32x4.splat(0.999), least = f32x4.splat(0.001);
  let sum = f32x4.splat(0);
  for (let round = 0; round < n; round++) {
    for (let i = 0; i < count; i++) {
      const from = changetype<usize>(first) + 16 * i, to = changetype<usize>(second) + 16 * i;
      const a = v128.load(from), b = v128.load(to);
      sum = f32x4.add(f32x4.mul(sum, half), f32x4.mul(a, b));
      v128.store(to, f32x4.add(f32x4.mul(b, most), f32x4.mul(a, least)));
    }
  }
  return <i32>(f32x4.extract_lane(sum, 0) + f32x4.extract_lane(sum, 1) + f32x4.extract_lane(sum, 2) + f32x4.extract_lane(sum, 3));
}
