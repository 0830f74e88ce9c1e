/*
 * SHA-1, SHA-256 and CRC-32C with the instructions of x86-64. Compiled with -msha -msse4.2, called only where the
 * processor has them.
 */
#include <immintrin.h>

#include "digest_internal.h"

static inline __m128i load(const void *address)
{
    return _mm_loadu_si128((const __m128i *)address);
}

static inline void store(void *address, __m128i value)
{
    _mm_storeu_si128((__m128i *)address, value);
}

/* Schedule word group i (four words) from the groups i-4 .. i-1, kept in a ring of four. */
static inline __m128i sha1_schedule(const __m128i w[4], uint32_t i)
{
    __m128i mixed = _mm_sha1msg1_epu32(w[i & 3], w[(i + 1) & 3]);
    return _mm_sha1msg2_epu32(_mm_xor_si128(mixed, w[(i + 2) & 3]), w[(i + 3) & 3]);
}

static inline __m128i sha1_rounds(__m128i abcd, __m128i e, uint32_t group)
{
    switch (group / 5) {
    case 0:
        return _mm_sha1rnds4_epu32(abcd, e, 0);
    case 1:
        return _mm_sha1rnds4_epu32(abcd, e, 1);
    case 2:
        return _mm_sha1rnds4_epu32(abcd, e, 2);
    default:
        return _mm_sha1rnds4_epu32(abcd, e, 3);
    }
}

void sha1_blocks_cpu(uint32_t state[5], const uint8_t *data, uint64_t blocks)
{
    const __m128i order = _mm_set_epi64x(0x0001020304050607, 0x08090a0b0c0d0e0f);
    __m128i abcd = _mm_shuffle_epi32(load(state), 0x1b);
    __m128i e = _mm_set_epi32((int)state[4], 0, 0, 0);
    for (; blocks > 0; blocks--, data += 64) {
        __m128i abcd_before = abcd;
        __m128i e_before = e;
        __m128i w[4];
        __m128i previous = abcd;
#pragma GCC unroll 20
        for (uint32_t group = 0; group < 20; group++) {
            if (group < 4) {
                w[group] = _mm_shuffle_epi8(load(data + 16 * group), order);
            } else {
                w[group & 3] = sha1_schedule(w, group);
            }
            __m128i input = group == 0 ? _mm_add_epi32(e, w[0]) : _mm_sha1nexte_epu32(previous, w[group & 3]);
            previous = abcd;
            abcd = sha1_rounds(abcd, input, group);
        }
        e = _mm_sha1nexte_epu32(previous, e_before);
        abcd = _mm_add_epi32(abcd, abcd_before);
    }
    store(state, _mm_shuffle_epi32(abcd, 0x1b));
    state[4] = (uint32_t)_mm_extract_epi32(e, 3);
}

static inline __m128i sha256_schedule(const __m128i w[4], uint32_t i)
{
    __m128i mixed = _mm_sha256msg1_epu32(w[i & 3], w[(i + 1) & 3]);
    __m128i seventh = _mm_alignr_epi8(w[(i + 3) & 3], w[(i + 2) & 3], 4);
    return _mm_sha256msg2_epu32(_mm_add_epi32(mixed, seventh), w[(i + 3) & 3]);
}

/* The instructions keep the state as ABEF and CDGH, highest word first. */
void sha256_blocks_cpu(uint32_t state[8], const uint8_t *data, uint64_t blocks)
{
    const __m128i order = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i abef = _mm_set_epi32((int)state[0], (int)state[1], (int)state[4], (int)state[5]);
    __m128i cdgh = _mm_set_epi32((int)state[2], (int)state[3], (int)state[6], (int)state[7]);
    for (; blocks > 0; blocks--, data += 64) {
        __m128i abef_before = abef;
        __m128i cdgh_before = cdgh;
        __m128i w[4];
#pragma GCC unroll 16
        for (uint32_t group = 0; group < 16; group++) {
            if (group < 4) {
                w[group] = _mm_shuffle_epi8(load(data + 16 * group), order);
            } else {
                w[group & 3] = sha256_schedule(w, group);
            }
            __m128i input = _mm_add_epi32(w[group & 3], load(sha256_constants + 4 * group));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, input);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(input, 0x0e));
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    uint32_t first[4];
    uint32_t second[4];
    store(first, abef);
    store(second, cdgh);
    for (uint32_t i = 0; i < 2; i++) {
        state[i] = first[3 - i];
        state[4 + i] = first[1 - i];
        state[2 + i] = second[3 - i];
        state[6 + i] = second[1 - i];
    }
}

uint32_t crc32c_cpu(uint32_t crc, const uint8_t *data, uint64_t length)
{
    uint64_t value = crc;
    for (; length >= 8; length -= 8, data += 8) {
        uint64_t word;
        memcpy(&word, data, sizeof word);
        value = _mm_crc32_u64(value, word);
    }
    crc = (uint32_t)value;
    for (; length > 0; length--, data++) {
        crc = _mm_crc32_u8(crc, *data);
    }
    return crc;
}
