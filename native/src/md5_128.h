/* For md5_lanes.h: four messages in 128-bit registers, with what every x86-64 has. */
#include <immintrin.h>

#include "digest_internal.h"

#define VEC __m128i
#define LANES 4u
#define LOAD(words) _mm_loadu_si128((const VEC *)(const void *)(words))
#define STORE(words, x) _mm_storeu_si128((VEC *)(void *)(words), x)
#define ADD(x, y) _mm_add_epi32(x, y)
#define CONSTANT(value) _mm_set1_epi32((int)(value))
#define UNPACK_LOW_32(x, y) _mm_unpacklo_epi32(x, y)
#define UNPACK_HIGH_32(x, y) _mm_unpackhi_epi32(x, y)
#define UNPACK_LOW_64(x, y) _mm_unpacklo_epi64(x, y)
#define UNPACK_HIGH_64(x, y) _mm_unpackhi_epi64(x, y)

static inline VEC load_row(const uint8_t *const *data, size_t row, size_t offset)
{
    return LOAD(data[row] + offset);
}
