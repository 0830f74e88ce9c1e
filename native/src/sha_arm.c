/*
 * SHA-1, SHA-256 and CRC-32C with the instructions of ARMv8. Compiled with +crypto+crc, called only where the processor
 * has them (a Raspberry Pi 4 has CRC-32C only).
 */
#include <arm_acle.h>
#include <arm_neon.h>

#include "digest_internal.h"

static const uint32_t sha1_constants[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};

static inline uint32x4_t load_big(const uint8_t *data)
{
    return vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(data)));
}

static inline uint32x4_t sha1_rounds(uint32x4_t abcd, uint32_t e, uint32x4_t input, uint32_t group)
{
    switch (group / 5) {
    case 0:
        return vsha1cq_u32(abcd, e, input);
    case 2:
        return vsha1mq_u32(abcd, e, input);
    default:
        return vsha1pq_u32(abcd, e, input);
    }
}

void sha1_blocks_cpu(uint32_t state[5], const uint8_t *data, uint64_t blocks)
{
    uint32x4_t abcd = vld1q_u32(state);
    uint32_t e = state[4];
    for (; blocks > 0; blocks--, data += 64) {
        uint32x4_t abcd_before = abcd;
        uint32_t e_before = e;
        uint32x4_t w[4];
#pragma GCC unroll 20
        for (uint32_t group = 0; group < 20; group++) {
            if (group < 4) {
                w[group] = load_big(data + 16 * group);
            } else {
                uint32x4_t mixed = vsha1su0q_u32(w[group & 3], w[(group + 1) & 3], w[(group + 2) & 3]);
                w[group & 3] = vsha1su1q_u32(mixed, w[(group + 3) & 3]);
            }
            uint32_t next_e = vsha1h_u32(vgetq_lane_u32(abcd, 0));
            abcd = sha1_rounds(abcd, e, vaddq_u32(w[group & 3], vdupq_n_u32(sha1_constants[group / 5])), group);
            e = next_e;
        }
        abcd = vaddq_u32(abcd, abcd_before);
        e += e_before;
    }
    vst1q_u32(state, abcd);
    state[4] = e;
}

void sha256_blocks_cpu(uint32_t state[8], const uint8_t *data, uint64_t blocks)
{
    uint32x4_t abcd = vld1q_u32(state);
    uint32x4_t efgh = vld1q_u32(state + 4);
    for (; blocks > 0; blocks--, data += 64) {
        uint32x4_t abcd_before = abcd;
        uint32x4_t efgh_before = efgh;
        uint32x4_t w[4];
#pragma GCC unroll 16
        for (uint32_t group = 0; group < 16; group++) {
            if (group < 4) {
                w[group] = load_big(data + 16 * group);
            } else {
                uint32x4_t mixed = vsha256su0q_u32(w[group & 3], w[(group + 1) & 3]);
                w[group & 3] = vsha256su1q_u32(mixed, w[(group + 2) & 3], w[(group + 3) & 3]);
            }
            uint32x4_t input = vaddq_u32(w[group & 3], vld1q_u32(sha256_constants + 4 * group));
            uint32x4_t old_abcd = abcd;
            abcd = vsha256hq_u32(abcd, efgh, input);
            efgh = vsha256h2q_u32(efgh, old_abcd, input);
        }
        abcd = vaddq_u32(abcd, abcd_before);
        efgh = vaddq_u32(efgh, efgh_before);
    }
    vst1q_u32(state, abcd);
    vst1q_u32(state + 4, efgh);
}

uint32_t crc32c_cpu(uint32_t crc, const uint8_t *data, uint64_t length)
{
    for (; length >= 8; length -= 8, data += 8) {
        uint64_t word;
        memcpy(&word, data, sizeof word);
        crc = __crc32cd(crc, word);
    }
    for (; length > 0; length--, data++) {
        crc = __crc32cb(crc, *data);
    }
    return crc;
}
