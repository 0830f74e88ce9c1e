/* SHA-1 (FIPS 180-4). */
#include "digest_internal.h"

static inline uint32_t rotate(uint32_t value, uint32_t bits)
{
    return (value << bits) | (value >> (32 - bits));
}

static inline uint32_t load_big(const uint8_t *data)
{
    uint32_t value;
    memcpy(&value, data, sizeof value);
    return __builtin_bswap32(value);
}

/* One step; the caller turns the names instead of moving the values. */
#define STEP(a, b, c, d, e, mixed, constant, word)         \
    e += rotate(a, 5) + (mixed) + (constant) + (word);     \
    b = rotate(b, 30)

#define CHOOSE(b, c, d) ((d) ^ ((b) & ((c) ^ (d))))
#define PARITY(b, c, d) ((b) ^ (c) ^ (d))
#define MAJORITY(b, c, d) (((b) & (c)) + ((d) & ((b) ^ (c))))

/* The schedule as a ring of sixteen words, each made when it is needed. */
#define WORD(i) ((i) < 16 ? w[(i) & 15] : schedule(w, i))

#define FIVE(f, constant, i)                                \
    STEP(a, b, c, d, e, f(b, c, d), constant, WORD(i));       \
    STEP(e, a, b, c, d, f(a, b, c), constant, WORD((i) + 1)); \
    STEP(d, e, a, b, c, f(e, a, b), constant, WORD((i) + 2)); \
    STEP(c, d, e, a, b, f(d, e, a), constant, WORD((i) + 3)); \
    STEP(b, c, d, e, a, f(c, d, e), constant, WORD((i) + 4))
#define TWENTY(f, constant, i)    \
    FIVE(f, constant, i);         \
    FIVE(f, constant, (i) + 5);   \
    FIVE(f, constant, (i) + 10);  \
    FIVE(f, constant, (i) + 15)

static inline __attribute__((always_inline)) uint32_t schedule(uint32_t w[16], uint32_t i)
{
    w[i & 15] = rotate(w[(i + 13) & 15] ^ w[(i + 8) & 15] ^ w[(i + 2) & 15] ^ w[i & 15], 1);
    return w[i & 15];
}

static void sha1_block(uint32_t state[5], const uint8_t *data)
{
    uint32_t w[16];
    for (uint32_t i = 0; i < 16; i++) {
        w[i] = load_big(data + 4 * i);
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    TWENTY(CHOOSE, 0x5a827999, 0);
    TWENTY(PARITY, 0x6ed9eba1, 20);
    TWENTY(MAJORITY, 0x8f1bbcdc, 40);
    TWENTY(PARITY, 0xca62c1d6, 60);
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

static void sha1_blocks_scalar(uint32_t state[5], const uint8_t *data, uint64_t blocks)
{
    for (; blocks > 0; blocks--, data += 64) {
        sha1_block(state, data);
    }
}

void sha1_digest(const brn_digest_item *items, uint32_t n_items, bool cpu)
{
    void (*run)(uint32_t state[5], const uint8_t *data, uint64_t blocks) = cpu ? sha1_blocks_cpu : sha1_blocks_scalar;
    for (uint32_t i = 0; i < n_items; i++) {
        const uint8_t *data = (const uint8_t *)(uintptr_t)items[i].data;
        uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
        struct tail tail;
        tail_make(&tail, data, items[i].length, true);
        run(state, data, items[i].length / 64);
        run(state, tail.bytes, tail.blocks);
        for (uint32_t word = 0; word < 5; word++) {
            state[word] = __builtin_bswap32(state[word]);
        }
        memcpy((void *)(uintptr_t)items[i].output, state, sizeof state);
    }
}
