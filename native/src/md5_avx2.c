/* MD5 of eight messages at a time with AVX2. Compiled with -mavx2, called only where the processor has it. */
#include <immintrin.h>

#include "digest_internal.h"

#define VEC __m256i
#define ADD(x, y) _mm256_add_epi32(x, y)
#define F(b, c, d) _mm256_xor_si256(d, _mm256_and_si256(b, _mm256_xor_si256(c, d)))
#define G(b, c, d) _mm256_xor_si256(c, _mm256_and_si256(d, _mm256_xor_si256(b, c)))
#define H(b, c, d) _mm256_xor_si256(_mm256_xor_si256(b, c), d)
#define I(b, c, d) _mm256_xor_si256(c, _mm256_or_si256(b, _mm256_xor_si256(d, ones)))
#define ROTATE(x, bits) rotate_left(x, bits)
#define CONSTANT(value) _mm256_set1_epi32((int)(value))

#include "md5_lanes.h"

static inline __attribute__((always_inline)) VEC rotate_left(VEC x, int bits)
{
    return _mm256_or_si256(_mm256_slli_epi32(x, bits), _mm256_srli_epi32(x, 32 - bits));
}

static inline VEC load_pair(const uint8_t *low, const uint8_t *high)
{
    __m128i first = _mm_loadu_si128((const __m128i *)(const void *)low);
    __m128i second = _mm_loadu_si128((const __m128i *)(const void *)high);
    return _mm256_inserti128_si256(_mm256_castsi128_si256(first), second, 1);
}

/* Four words of eight lanes; lanes 0-3 in the lower half, 4-7 in the upper, so the halves transpose alike. */
static inline void load_four(VEC *w, const uint8_t *const data[8], size_t offset)
{
    VEC r0 = load_pair(data[0] + offset, data[4] + offset);
    VEC r1 = load_pair(data[1] + offset, data[5] + offset);
    VEC r2 = load_pair(data[2] + offset, data[6] + offset);
    VEC r3 = load_pair(data[3] + offset, data[7] + offset);
    VEC t0 = _mm256_unpacklo_epi32(r0, r1);
    VEC t1 = _mm256_unpackhi_epi32(r0, r1);
    VEC t2 = _mm256_unpacklo_epi32(r2, r3);
    VEC t3 = _mm256_unpackhi_epi32(r2, r3);
    w[0] = _mm256_unpacklo_epi64(t0, t2);
    w[1] = _mm256_unpackhi_epi64(t0, t2);
    w[2] = _mm256_unpacklo_epi64(t1, t3);
    w[3] = _mm256_unpackhi_epi64(t1, t3);
}

void md5_lanes_avx2(uint32_t state[4][MAX_LANES], const uint8_t *data[MAX_LANES], uint64_t blocks)
{
    const VEC ones = _mm256_set1_epi32(-1);
    VEC a = _mm256_loadu_si256((const VEC *)(const void *)state[0]);
    VEC b = _mm256_loadu_si256((const VEC *)(const void *)state[1]);
    VEC c = _mm256_loadu_si256((const VEC *)(const void *)state[2]);
    VEC d = _mm256_loadu_si256((const VEC *)(const void *)state[3]);
    for (; blocks > 0; blocks--) {
        VEC w[16];
        for (size_t i = 0; i < 4; i++) {
            load_four(w + 4 * i, (const uint8_t *const *)data, 16 * i);
        }
        VEC a0 = a, b0 = b, c0 = c, d0 = d;
        MD5_ROUNDS;
        a = ADD(a, a0);
        b = ADD(b, b0);
        c = ADD(c, c0);
        d = ADD(d, d0);
        for (size_t i = 0; i < 8; i++) {
            data[i] += 64;
        }
    }
    _mm256_storeu_si256((VEC *)(void *)state[0], a);
    _mm256_storeu_si256((VEC *)(void *)state[1], b);
    _mm256_storeu_si256((VEC *)(void *)state[2], c);
    _mm256_storeu_si256((VEC *)(void *)state[3], d);
}
