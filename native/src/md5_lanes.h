/*
 * The rounds of MD5 over vectors of 32-bit lanes. The including file defines VEC, ADD, F, G, H, I (of three vectors),
 * ROTATE(value, bits) and CONSTANT(word), and has the sixteen message words of all lanes in VEC w[16].
 */
#define STEP(f, a, b, c, d, word, index, bits) \
    a = ADD(b, ROTATE(ADD(ADD(a, f(b, c, d)), ADD(word, CONSTANT(md5_constants[index]))), bits))
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
