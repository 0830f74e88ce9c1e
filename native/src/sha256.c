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

static void expand(uint32_t w[64], const uint8_t *data)
{
    for (uint32_t i = 0; i < 16; i++) {
        w[i] = load_big(data + 4 * i);
    }
    for (uint32_t i = 16; i < 64; i++) {
        uint32_t s0 = rotate_right(w[i - 15], 7) ^ rotate_right(w[i - 15], 18) ^ (w[i - 15] >> 3);
        uint32_t s1 = rotate_right(w[i - 2], 17) ^ rotate_right(w[i - 2], 19) ^ (w[i - 2] >> 10);
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
}

static void sha256_block(uint32_t state[8], const uint8_t *data)
{
    uint32_t w[64];
    expand(w, data);
    uint32_t v[8];
    memcpy(v, state, sizeof v);
    for (uint32_t i = 0; i < 64; i++) {
        uint32_t s1 = rotate_right(v[4], 6) ^ rotate_right(v[4], 11) ^ rotate_right(v[4], 25);
        uint32_t choice = v[6] ^ (v[4] & (v[5] ^ v[6]));
        uint32_t first = v[7] + s1 + choice + sha256_constants[i] + w[i];
        uint32_t s0 = rotate_right(v[0], 2) ^ rotate_right(v[0], 13) ^ rotate_right(v[0], 22);
        uint32_t majority = (v[0] & v[1]) | (v[2] & (v[0] | v[1]));
        v[7] = v[6];
        v[6] = v[5];
        v[5] = v[4];
        v[4] = v[3] + first;
        v[3] = v[2];
        v[2] = v[1];
        v[1] = v[0];
        v[0] = first + s0 + majority;
    }
    for (uint32_t i = 0; i < 8; i++) {
        state[i] += v[i];
    }
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
