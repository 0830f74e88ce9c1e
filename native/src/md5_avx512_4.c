/*
 * MD5 of four messages at a time with AVX-512's instructions on 128-bit registers: one for each of F, G, H, I (a truth
 * table) and for the rotation. Compiled with -mavx512f -mavx512vl, called only where the processor has both.
 */
#include <immintrin.h>

#include "digest_internal.h"

#define VEC __m128i
#define LANES 4u
#define LOAD(words) _mm_loadu_si128((const VEC *)(const void *)(words))
#define STORE(words, x) _mm_storeu_si128((VEC *)(void *)(words), x)
#define ADD(x, y) _mm_add_epi32(x, y)
#define F(b, c, d) _mm_ternarylogic_epi32(b, c, d, 0xca)
#define G(b, c, d) _mm_ternarylogic_epi32(b, c, d, 0xe4)
#define H(b, c, d) _mm_ternarylogic_epi32(b, c, d, 0x96)
#define I(b, c, d) _mm_ternarylogic_epi32(b, c, d, 0x39)
#define ROTATE(x, bits) _mm_rol_epi32(x, bits)
#define CONSTANT(value) _mm_set1_epi32((int)(value))
#define UNPACK_LOW_32(x, y) _mm_unpacklo_epi32(x, y)
#define UNPACK_HIGH_32(x, y) _mm_unpackhi_epi32(x, y)
#define UNPACK_LOW_64(x, y) _mm_unpacklo_epi64(x, y)
#define UNPACK_HIGH_64(x, y) _mm_unpackhi_epi64(x, y)

static inline VEC load_row(const uint8_t *const *data, size_t row, size_t offset)
{
    return LOAD(data[row] + offset);
}

#include "md5_lanes.h"

void md5_lanes_avx512_4(uint32_t state[4][MAX_LANES], const uint8_t *data[MAX_LANES], uint64_t blocks)
{
    md5_lanes(state, data, blocks);
}
