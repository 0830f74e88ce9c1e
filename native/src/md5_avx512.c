/*
 * MD5 of sixteen messages at a time with AVX-512: one instruction for each of F, G, H, I (a truth table) and for the
 * rotation. Compiled with -mavx512f, called only where the processor has it.
 */
#include <immintrin.h>

#include "digest_internal.h"

#define VEC __m512i
#define LANES 16u
#define LOAD(words) _mm512_loadu_si512(words)
#define STORE(words, x) _mm512_storeu_si512(words, x)
#define ADD(x, y) _mm512_add_epi32(x, y)
#define TERNARY(b, c, d, table) _mm512_ternarylogic_epi32(b, c, d, table)
#define ROTATE(x, bits) _mm512_rol_epi32(x, bits)
#define CONSTANT(value) _mm512_set1_epi32((int)(value))
#define UNPACK_LOW_32(x, y) _mm512_unpacklo_epi32(x, y)
#define UNPACK_HIGH_32(x, y) _mm512_unpackhi_epi32(x, y)
#define UNPACK_LOW_64(x, y) _mm512_unpacklo_epi64(x, y)
#define UNPACK_HIGH_64(x, y) _mm512_unpackhi_epi64(x, y)

static inline __m128i load_quarter(const uint8_t *data)
{
    return _mm_loadu_si128((const __m128i *)(const void *)data);
}

static inline VEC load_row(const uint8_t *const *data, size_t row, size_t offset)
{
    VEC x = _mm512_castsi128_si512(load_quarter(data[row] + offset));
    x = _mm512_inserti32x4(x, load_quarter(data[row + 4] + offset), 1);
    x = _mm512_inserti32x4(x, load_quarter(data[row + 8] + offset), 2);
    return _mm512_inserti32x4(x, load_quarter(data[row + 12] + offset), 3);
}

#include "md5_ternary.h"

#include "md5_lanes.h"

void md5_lanes_avx512(uint32_t state[4][MAX_LANES], const uint8_t *data[MAX_LANES], uint64_t blocks)
{
    md5_lanes(state, data, blocks);
}
