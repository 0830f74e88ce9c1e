/* MD5 of eight messages at a time with AVX2. Compiled with -mavx2, called only where the processor has it. */
#include <immintrin.h>

#include "digest_internal.h"

#define VEC __m256i
#define LANES 8u
#define LOAD(words) _mm256_loadu_si256((const VEC *)(const void *)(words))
#define STORE(words, x) _mm256_storeu_si256((VEC *)(void *)(words), x)
#define ADD(x, y) _mm256_add_epi32(x, y)
#define F(b, c, d) _mm256_xor_si256(d, _mm256_and_si256(b, _mm256_xor_si256(c, d)))
#define G(b, c, d) _mm256_xor_si256(c, _mm256_and_si256(d, _mm256_xor_si256(b, c)))
#define H(b, c, d) _mm256_xor_si256(_mm256_xor_si256(b, c), d)
#define I(b, c, d) _mm256_xor_si256(c, _mm256_or_si256(b, _mm256_xor_si256(d, _mm256_set1_epi32(-1))))
#define ROTATE(x, bits) _mm256_or_si256(_mm256_slli_epi32(x, bits), _mm256_srli_epi32(x, 32 - (bits)))
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

void md5_lanes_avx2(uint32_t state[4][MAX_LANES], const uint8_t *data[MAX_LANES], uint64_t blocks)
{
    md5_lanes(state, data, blocks);
}
