/* SHA-256 (FIPS 180-4). */
#include "digest_internal.h"

const uint32_t sha256_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static inline uint32_t rotate_right(uint32_t value, uint32_t bits)
{
    return (value >> bits) | (value << (32 - bits));
}

static inline uint32_t load_big(const uint8_t *data)
{
    uint32_t value;
    memcpy(&value, data, sizeof value);
    return __builtin_bswap32(value);
}

static inline __attribute__((always_inline)) uint32_t schedule(uint32_t w[16], uint32_t i)
{
    uint32_t w15 = w[(i + 1) & 15];
    uint32_t w2 = w[(i + 14) & 15];
    uint32_t s0 = rotate_right(w15, 7) ^ rotate_right(w15, 18) ^ (w15 >> 3);
    uint32_t s1 = rotate_right(w2, 17) ^ rotate_right(w2, 19) ^ (w2 >> 10);
    w[i & 15] += s0 + w[(i + 9) & 15] + s1;
    return w[i & 15];
}

/* The schedule as a ring of sixteen words, each made when it is needed. */
#define WORD(i) ((i) < 16 ? w[(i) & 15] : schedule(w, i))

/* One step; the caller turns the names instead of moving the values. */
#define STEP(a, b, c, d, e, f, g, h, i)                                              \
    h += (rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25)) +          \
         ((g) ^ ((e) & ((f) ^ (g)))) + sha256_constants[i] + WORD(i);                \
    d += h;                                                                          \
    h += (rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22)) +          \
         (((a) & (b)) | ((c) & ((a) | (b))))

#define EIGHT(i)                                   \
    STEP(a, b, c, d, e, f, g, h, i);               \
    STEP(h, a, b, c, d, e, f, g, (i) + 1);         \
    STEP(g, h, a, b, c, d, e, f, (i) + 2);         \
    STEP(f, g, h, a, b, c, d, e, (i) + 3);         \
    STEP(e, f, g, h, a, b, c, d, (i) + 4);         \
    STEP(d, e, f, g, h, a, b, c, (i) + 5);         \
    STEP(c, d, e, f, g, h, a, b, (i) + 6);         \
    STEP(b, c, d, e, f, g, h, a, (i) + 7)

static void sha256_block(uint32_t state[8], const uint8_t *data)
{
    uint32_t w[16];
    for (uint32_t i = 0; i < 16; i++) {
        w[i] = load_big(data + 4 * i);
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    EIGHT(0);
    EIGHT(8);
    EIGHT(16);
    EIGHT(24);
    EIGHT(32);
    EIGHT(40);
    EIGHT(48);
    EIGHT(56);
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
}

static void sha256_blocks_scalar(uint32_t state[8], const uint8_t *data, uint64_t blocks)
{
    for (; blocks > 0; blocks--, data += 64) {
        sha256_block(state, data);
    }
}

void sha256_digest(const brn_digest_item *items, uint32_t n_items, bool cpu)
{
    void (*run)(uint32_t state[8], const uint8_t *data, uint64_t blocks) =
        cpu ? sha256_blocks_cpu : sha256_blocks_scalar;
    for (uint32_t i = 0; i < n_items; i++) {
        const uint8_t *data = (const uint8_t *)(uintptr_t)items[i].data;
        uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                             0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
        struct tail tail;
        tail_make(&tail, data, items[i].length, true);
        run(state, data, items[i].length / 64);
        run(state, tail.bytes, tail.blocks);
        for (uint32_t word = 0; word < 8; word++) {
            state[word] = __builtin_bswap32(state[word]);
        }
        memcpy((void *)(uintptr_t)items[i].output, state, sizeof state);
    }
}
