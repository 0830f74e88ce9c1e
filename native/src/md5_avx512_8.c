/*
 * MD5 of eight messages at a time with AVX-512's instructions on 256-bit registers: one for each of F, G, H, I (a truth
 * table) and for the rotation. Compiled with -mavx512f -mavx512vl, called only where the processor has both.
 */
#include <immintrin.h>

#include "digest_internal.h"

#define VEC __m256i
#define LANES 8u
#define LOAD(words) _mm256_loadu_si256((const VEC *)(const void *)(words))
#define STORE(words, x) _mm256_storeu_si256((VEC *)(void *)(words), x)
#define ADD(x, y) _mm256_add_epi32(x, y)
#define F(b, c, d) _mm256_ternarylogic_epi32(b, c, d, 0xca)
#define G(b, c, d) _mm256_ternarylogic_epi32(b, c, d, 0xe4)
#define H(b, c, d) _mm256_ternarylogic_epi32(b, c, d, 0x96)
#define I(b, c, d) _mm256_ternarylogic_epi32(b, c, d, 0x39)
#define ROTATE(x, bits) _mm256_rol_epi32(x, bits)
#define CONSTANT(value) _mm256_set1_epi32((int)(value))
#define UNPACK_LOW_32(x, y) _mm256_unpacklo_epi32(x, y)
#define UNPACK_HIGH_32(x, y) _mm256_unpackhi_epi32(x, y)
#define UNPACK_LOW_64(x, y) _mm256_unpacklo_epi64(x, y)
#define UNPACK_HIGH_64(x, y) _mm256_unpackhi_epi64(x, y)

static inline VEC load_row(const uint8_t *const *data, size_t row, size_t offset)
{
    __m128i low = _mm_loadu_si128((const __m128i *)(const void *)(data[row] + offset));
    __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(data[row + 4] + offset));
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

#include "md5_lanes.h"

void md5_lanes_avx512_8(uint32_t state[4][MAX_LANES], const uint8_t *data[MAX_LANES], uint64_t blocks)
{
    md5_lanes(state, data, blocks);
}
