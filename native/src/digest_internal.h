/* Digests: what the variants offer to the dispatcher. Messages are independent and of any length. */
#ifndef BRN_DIGEST_INTERNAL_H
#define BRN_DIGEST_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "blockrepl_native.h"

#define MAX_LANES 16u

/* The last one or two blocks of a message: its tail, the 0x80 byte, zeroes, the length in bits. */
struct tail {
    uint8_t bytes[128];
    uint32_t blocks;
};

static inline void tail_make(struct tail *tail, const uint8_t *data, uint64_t length, bool big_endian)
{
    uint32_t rest = (uint32_t)(length & 63);
    memset(tail->bytes, 0, sizeof tail->bytes);
    if (rest > 0) {
        memcpy(tail->bytes, data + (length - rest), rest);
    }
    tail->bytes[rest] = 0x80;
    tail->blocks = rest < 56 ? 1 : 2;
    uint64_t bits = length * 8;
    uint8_t *end = tail->bytes + tail->blocks * 64 - 8;
    for (uint32_t i = 0; i < 8; i++) {
        end[i] = (uint8_t)(bits >> (big_endian ? 56 - 8 * i : 8 * i));
    }
}

extern const uint32_t md5_constants[64];
extern const uint32_t md5_initial[4];

void md5_blocks_scalar(uint32_t state[4], const uint8_t *data, uint64_t blocks);

/*
 * A multi-buffer kernel hashes the same number of blocks from every lane. state[word][lane]; data[lane] is moved past
 * what was read.
 */
typedef void md5_lanes_fn(uint32_t state[4][MAX_LANES], const uint8_t *data[MAX_LANES], uint64_t blocks);

#if defined(__x86_64__)
md5_lanes_fn md5_lanes_sse2;
md5_lanes_fn md5_lanes_avx2;
md5_lanes_fn md5_lanes_avx512;
md5_lanes_fn md5_lanes_avx512_8;
md5_lanes_fn md5_lanes_avx512_4;
void sha1_blocks_cpu(uint32_t state[5], const uint8_t *data, uint64_t blocks);
void sha256_blocks_cpu(uint32_t state[8], const uint8_t *data, uint64_t blocks);
uint32_t crc32c_cpu(uint32_t crc, const uint8_t *data, uint64_t length);
#elif defined(__aarch64__)
md5_lanes_fn md5_lanes_neon;
void sha1_blocks_cpu(uint32_t state[5], const uint8_t *data, uint64_t blocks);
void sha256_blocks_cpu(uint32_t state[8], const uint8_t *data, uint64_t blocks);
uint32_t crc32c_cpu(uint32_t crc, const uint8_t *data, uint64_t length);
#endif

void md5_single(const brn_digest_item *item);
void md5_multi(md5_lanes_fn *lanes, uint32_t n_lanes, const brn_digest_item *items, uint32_t n_items);
void sha1_digest(const brn_digest_item *items, uint32_t n_items, bool cpu);
void sha256_digest(const brn_digest_item *items, uint32_t n_items, bool cpu);
void crc32c_digest(const brn_digest_item *items, uint32_t n_items, bool cpu);
bool cpu_has(uint32_t algorithm, uint32_t variant);

extern const uint32_t sha256_constants[64];

#endif
