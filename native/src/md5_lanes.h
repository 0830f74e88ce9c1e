/*
 * MD5 over vectors of 32-bit lanes, one message in each lane. The including file defines
 *   VEC, LANES                         the vector's type, and how many messages it holds
 *   LOAD(words), STORE(words, x)       LANES words of memory
 *   ADD(x, y), ROTATE(x, bits), CONSTANT(word), and the functions F, G, H, I of three vectors
 *   UNPACK_LOW_32, _HIGH_32, _LOW_64, _HIGH_64 (x, y)   in each 128 bits: the lower or upper halves, interleaved
 *   load_row(data, row, offset)        16 bytes each of the messages row, row + 4, row + 8 ... as 128 bits each
 * and includes this last.
 *
 * Each step waits for b of the one before: what does not depend on it is added first, so that the wait is f, one
 * addition, the rotation and another addition. The compiler would put the additions in another order if it were not
 * kept from it.
 */
#if defined(__aarch64__)
#define KEEP_ORDER(x) __asm__("" : "+w"(x))
#else
#define KEEP_ORDER(x) __asm__("" : "+v"(x))
#endif
#define STEP(f, a, b, c, d, word, index, bits)              \
    a = ADD(a, ADD(word, CONSTANT(md5_constants[index])));  \
    KEEP_ORDER(a);                                          \
    a = ADD(b, ROTATE(ADD(a, f(b, c, d)), bits))
#define FOUR(f, i, w0, w1, w2, w3, s0, s1, s2, s3) \
    STEP(f, a, b, c, d, w[w0], i, s0);             \
    STEP(f, d, a, b, c, w[w1], (i) + 1, s1);       \
    STEP(f, c, d, a, b, w[w2], (i) + 2, s2);       \
    STEP(f, b, c, d, a, w[w3], (i) + 3, s3)

#define MD5_ROUNDS                                  \
    FOUR(F, 0, 0, 1, 2, 3, 7, 12, 17, 22);          \
    FOUR(F, 4, 4, 5, 6, 7, 7, 12, 17, 22);          \
    FOUR(F, 8, 8, 9, 10, 11, 7, 12, 17, 22);        \
    FOUR(F, 12, 12, 13, 14, 15, 7, 12, 17, 22);     \
    FOUR(G, 16, 1, 6, 11, 0, 5, 9, 14, 20);         \
    FOUR(G, 20, 5, 10, 15, 4, 5, 9, 14, 20);        \
    FOUR(G, 24, 9, 14, 3, 8, 5, 9, 14, 20);         \
    FOUR(G, 28, 13, 2, 7, 12, 5, 9, 14, 20);        \
    FOUR(H, 32, 5, 8, 11, 14, 4, 11, 16, 23);       \
    FOUR(H, 36, 1, 4, 7, 10, 4, 11, 16, 23);        \
    FOUR(H, 40, 13, 0, 3, 6, 4, 11, 16, 23);        \
    FOUR(H, 44, 9, 12, 15, 2, 4, 11, 16, 23);       \
    FOUR(I, 48, 0, 7, 14, 5, 6, 10, 15, 21);        \
    FOUR(I, 52, 12, 3, 10, 1, 6, 10, 15, 21);       \
    FOUR(I, 56, 8, 15, 6, 13, 6, 10, 15, 21);       \
    FOUR(I, 60, 4, 11, 2, 9, 6, 10, 15, 21)

/* Four words of every lane: rows become columns, in each 128 bits alike. */
static inline void load_four(VEC *w, const uint8_t *const *data, size_t offset)
{
    VEC r0 = load_row(data, 0, offset);
    VEC r1 = load_row(data, 1, offset);
    VEC r2 = load_row(data, 2, offset);
    VEC r3 = load_row(data, 3, offset);
    VEC t0 = UNPACK_LOW_32(r0, r1);
    VEC t1 = UNPACK_HIGH_32(r0, r1);
    VEC t2 = UNPACK_LOW_32(r2, r3);
    VEC t3 = UNPACK_HIGH_32(r2, r3);
    w[0] = UNPACK_LOW_64(t0, t2);
    w[1] = UNPACK_HIGH_64(t0, t2);
    w[2] = UNPACK_LOW_64(t1, t3);
    w[3] = UNPACK_HIGH_64(t1, t3);
}

static inline void md5_lanes(uint32_t state[4][MAX_LANES], const uint8_t *data[MAX_LANES], uint64_t blocks)
{
    VEC a = LOAD(state[0]);
    VEC b = LOAD(state[1]);
    VEC c = LOAD(state[2]);
    VEC d = LOAD(state[3]);
    for (; blocks > 0; blocks--) {
        VEC w[16];
        for (size_t i = 0; i < 4; i++) {
            load_four(w + 4 * i, (const uint8_t *const *)data, 16 * i);
        }
        VEC a0 = a, b0 = b, c0 = c, d0 = d;
        MD5_ROUNDS;
        a = ADD(a, a0);
        b = ADD(b, b0);
        c = ADD(c, c0);
        d = ADD(d, d0);
        for (size_t i = 0; i < LANES; i++) {
            data[i] += 64;
        }
    }
    STORE(state[0], a);
    STORE(state[1], b);
    STORE(state[2], c);
    STORE(state[3], d);
}
