// What compiled functions spend their time on. Each export takes a size and returns a checksum, the same in every engine.
// clang --target=wasm32 -O2 -msimd128 -nostdlib -Wl,--no-entry kernels.c -o kernels.wasm

typedef unsigned char byte;
typedef unsigned int word;
typedef float lanes __attribute__((vector_size(16)));

#define EXPORT(name) __attribute__((export_name(#name))) int name

static word seed;
static word next(void) { return (seed = seed * 1664525u + 1013904223u) >> 8; }

void *memcpy(void *to, const void *from, unsigned long count) {
  for (unsigned long i = 0; i < count; i++) ((byte *)to)[i] = ((const byte *)from)[i];
  return to;
}
void *memset(void *to, int value, unsigned long count) {
  for (unsigned long i = 0; i < count; i++) ((byte *)to)[i] = (byte)value;
  return to;
}

#define SIDE 200
static double left[SIDE][SIDE], right[SIDE][SIDE], product[SIDE][SIDE];

EXPORT(matmul)(int n) {
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++) { left[i][j] = (i + j) % 7; right[i][j] = (i * j) % 5; }
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++) {
      double sum = 0;
      for (int k = 0; k < n; k++) sum += left[i][k] * right[k][j];
      product[i][j] = sum;
    }
  double trace = 0;
  for (int i = 0; i < n; i++) trace += product[i][i];
  return (int)trace;
}

static byte composite[4000000];

EXPORT(sieve)(int n) {
  int primes = 0;
  memset(composite, 0, n);
  for (int i = 2; i < n; i++) {
    if (composite[i]) continue;
    primes++;
    for (long long j = (long long)i * i; j < n; j += i) composite[j] = 1;
  }
  return primes;
}

static word state[8];
static word rotate(word x, int by) { return x >> by | x << (32 - by); }

static void compress(const byte *block) {
  word w[64], v[8];
  for (int i = 0; i < 16; i++) w[i] = (word)block[4 * i] << 24 | block[4 * i + 1] << 16 | block[4 * i + 2] << 8 | block[4 * i + 3];
  for (int i = 16; i < 64; i++)
    w[i] = w[i - 16] + w[i - 7] + (rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3)
      + (rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10);
  for (int i = 0; i < 8; i++) v[i] = state[i];
  for (int i = 0; i < 64; i++) {
    word t1 = v[7] + (rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) + 0x9e3779b9u * i + w[i];
    word t2 = (rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
    for (int j = 7; j > 0; j--) v[j] = v[j - 1];
    v[4] += t1;
    v[0] = t1 + t2;
  }
  for (int i = 0; i < 8; i++) state[i] += v[i];
}

EXPORT(sha256)(int n) {
  static byte block[64];
  for (int i = 0; i < 8; i++) state[i] = 0x6a09e667u * (i + 1);
  for (int i = 0; i < n; i++) {
    for (int j = 0; j < 64; j++) block[j] = (byte)(i + j);
    compress(block);
  }
  return (int)(state[0] ^ state[7]);
}

static int numbers[300000];
static int ascending(int a, int b) { return a - b; }
static int (*volatile order)(int, int) = ascending;

static void sort(int *values, int count, int (*compare)(int, int)) {
  while (count > 1) {
    int pivot = values[count / 2], i = 0, j = count - 1;
    while (i <= j) {
      while (compare(values[i], pivot) < 0) i++;
      while (compare(values[j], pivot) > 0) j--;
      if (i <= j) { int held = values[i]; values[i++] = values[j]; values[j--] = held; }
    }
    sort(values, j + 1, compare);
    values += i;
    count -= i;
  }
}

EXPORT(quicksort)(int n) {
  seed = 7;
  for (int i = 0; i < n; i++) numbers[i] = (int)next();
  sort(numbers, n, order);
  return numbers[n / 3];
}

struct node { struct node *less, *more; int key; };
static struct node nodes[100000];
static int used;

static struct node *insert(struct node *tree, int key) {
  if (!tree) {
    struct node *made = &nodes[used++];
    made->less = made->more = 0;
    made->key = key;
    return made;
  }
  if (key < tree->key) tree->less = insert(tree->less, key);
  else tree->more = insert(tree->more, key);
  return tree;
}

static int depth(const struct node *tree) {
  if (!tree) return 0;
  int less = depth(tree->less), more = depth(tree->more);
  return 1 + (less > more ? less : more);
}

EXPORT(tree)(int n) {
  struct node *root = 0;
  seed = 1;
  used = 0;
  for (int i = 0; i < n; i++) root = insert(root, (int)next());
  return depth(root);
}

EXPORT(mandelbrot)(int n) {
  int inside = 0;
  for (int y = 0; y < n; y++)
    for (int x = 0; x < n; x++) {
      double a = 0, b = 0, ca = 3.0 * x / n - 2.0, cb = 2.0 * y / n - 1.0;
      int steps = 0;
      while (steps < 100 && a * a + b * b < 4.0) { double t = a * a - b * b + ca; b = 2 * a * b + cb; a = t; steps++; }
      inside += steps == 100;
    }
  return inside;
}

static char text[200000];

EXPORT(strings)(int n) {
  static const char word_of_text[] = "needle";
  int found = 0, hash = 0;
  seed = 3;
  for (int i = 0; i < n; i++) text[i] = (char)('a' + next() % 26);
  for (int i = 0; i + 6 < n; i += 997) memcpy(text + i, word_of_text, 6);
  for (int i = 0; i + 6 < n; i++) {
    int j = 0;
    while (j < 6 && text[i + j] == word_of_text[j]) j++;
    found += j == 6;
    hash = hash * 31 + text[i];
  }
  return found ^ hash;
}

#define SLOTS (1 << 17)
static word keys[SLOTS], counts[SLOTS];

EXPORT(maps)(int n) {
  memset(keys, 0, sizeof keys);
  memset(counts, 0, sizeof counts);
  seed = 11;
  word most = 0;
  for (int i = 0; i < n; i++) {
    word key = next() % 60000 + 1, slot = key * 2654435761u >> 15;
    while (keys[slot] && keys[slot] != key) slot = (slot + 1) & (SLOTS - 1);
    keys[slot] = key;
    if (++counts[slot] > most) most = counts[slot];
  }
  return (int)most;
}

static lanes first[16384], second[16384];

EXPORT(vectors)(int n) {
  for (int i = 0; i < 16384; i++) { first[i] = (lanes){i % 3, i % 5, i % 7, i % 11}; second[i] = (lanes){1, 2, 3, 4}; }
  lanes sum = {0, 0, 0, 0};
  for (int round = 0; round < n; round++)
    for (int i = 0; i < 16384; i++) { sum = sum * 0.5f + first[i] * second[i]; second[i] = second[i] * 0.999f + first[i] * 0.001f; }
  return (int)(sum[0] + sum[1] + sum[2] + sum[3]);
}
