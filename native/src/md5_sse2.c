/* MD5 of four messages at a time with SSE2, which every x86-64 has. */
#include "md5_128.h"

#define F(b, c, d) _mm_xor_si128(d, _mm_and_si128(b, _mm_xor_si128(c, d)))
#define G(b, c, d) _mm_xor_si128(c, _mm_and_si128(d, _mm_xor_si128(b, c)))
#define H(b, c, d) _mm_xor_si128(_mm_xor_si128(b, c), d)
#define I(b, c, d) _mm_xor_si128(c, _mm_or_si128(b, _mm_xor_si128(d, _mm_set1_epi32(-1))))
#define ROTATE(x, bits) _mm_or_si128(_mm_slli_epi32(x, bits), _mm_srli_epi32(x, 32 - (bits)))

#include "md5_lanes.h"

void md5_lanes_sse2(uint32_t state[4][MAX_LANES], const uint8_t *data[MAX_LANES], uint64_t blocks)
{
    md5_lanes(state, data, blocks);
}
