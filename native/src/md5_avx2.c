/* MD5 of eight messages at a time with AVX2. Compiled with -mavx2, called only where the processor has it. */
#include "md5_256.h"

#define F(b, c, d) _mm256_xor_si256(d, _mm256_and_si256(b, _mm256_xor_si256(c, d)))
#define G(b, c, d) _mm256_xor_si256(c, _mm256_and_si256(d, _mm256_xor_si256(b, c)))
#define H(b, c, d) _mm256_xor_si256(_mm256_xor_si256(b, c), d)
#define I(b, c, d) _mm256_xor_si256(c, _mm256_or_si256(b, _mm256_xor_si256(d, _mm256_set1_epi32(-1))))
#define ROTATE(x, bits) _mm256_or_si256(_mm256_slli_epi32(x, bits), _mm256_srli_epi32(x, 32 - (bits)))

#include "md5_lanes.h"

void md5_lanes_avx2(uint32_t state[4][MAX_LANES], const uint8_t *data[MAX_LANES], uint64_t blocks)
{
    md5_lanes(state, data, blocks);
}
