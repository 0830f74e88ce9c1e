/* For md5_lanes.h: eight messages in 256-bit registers, with AVX2. */
#include <immintrin.h>

#include "digest_internal.h"

#define VEC __m256i
#define LANES 8u
#define LOAD(words) _mm256_loadu_si256((const VEC *)(const void *)(words))
#define STORE(words, x) _mm256_storeu_si256((VEC *)(void *)(words), x)
#define ADD(x, y) _mm256_add_epi32(x, y)
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
