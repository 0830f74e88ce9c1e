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

struct working {
    uint32_t a, b, c, d, e;
};

static inline void step(struct working *v, uint32_t mixed, uint32_t constant, uint32_t word)
{
    uint32_t next = rotate(v->a, 5) + mixed + v->e + constant + word;
    v->e = v->d;
    v->d = v->c;
    v->c = rotate(v->b, 30);
    v->b = v->a;
    v->a = next;
}

static void sha1_block(uint32_t state[5], const uint8_t *data)
{
    uint32_t w[80];
    for (uint32_t i = 0; i < 16; i++) {
        w[i] = load_big(data + 4 * i);
    }
    for (uint32_t i = 16; i < 80; i++) {
        w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    }
    struct working v = {state[0], state[1], state[2], state[3], state[4]};
    for (uint32_t i = 0; i < 20; i++) {
        step(&v, v.d ^ (v.b & (v.c ^ v.d)), 0x5a827999, w[i]);
    }
    for (uint32_t i = 20; i < 40; i++) {
        step(&v, v.b ^ v.c ^ v.d, 0x6ed9eba1, w[i]);
    }
    for (uint32_t i = 40; i < 60; i++) {
        step(&v, (v.b & v.c) | (v.d & (v.b | v.c)), 0x8f1bbcdc, w[i]);
    }
    for (uint32_t i = 60; i < 80; i++) {
        step(&v, v.b ^ v.c ^ v.d, 0xca62c1d6, w[i]);
    }
    state[0] += v.a;
    state[1] += v.b;
    state[2] += v.c;
    state[3] += v.d;
    state[4] += v.e;
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
