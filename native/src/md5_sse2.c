/* MD5 of four messages at a time with SSE2, which every x86-64 has. */
#include <emmintrin.h>

#include "digest_internal.h"

#define VEC __m128i
#define ADD(x, y) _mm_add_epi32(x, y)
#define F(b, c, d) _mm_xor_si128(d, _mm_and_si128(b, _mm_xor_si128(c, d)))
#define G(b, c, d) _mm_xor_si128(c, _mm_and_si128(d, _mm_xor_si128(b, c)))
#define H(b, c, d) _mm_xor_si128(_mm_xor_si128(b, c), d)
#define I(b, c, d) _mm_xor_si128(c, _mm_or_si128(b, _mm_xor_si128(d, ones)))
#define ROTATE(x, bits) rotate_left(x, bits)
#define CONSTANT(value) _mm_set1_epi32((int)(value))

#include "md5_lanes.h"

static inline __attribute__((always_inline)) VEC rotate_left(VEC x, int bits)
{
    return _mm_or_si128(_mm_slli_epi32(x, bits), _mm_srli_epi32(x, 32 - bits));
}

/* Four words of four lanes: rows become columns. */
static inline void load_four(VEC *w, const uint8_t *const data[4], size_t offset)
{
    VEC r0 = _mm_loadu_si128((const VEC *)(const void *)(data[0] + offset));
    VEC r1 = _mm_loadu_si128((const VEC *)(const void *)(data[1] + offset));
    VEC r2 = _mm_loadu_si128((const VEC *)(const void *)(data[2] + offset));
    VEC r3 = _mm_loadu_si128((const VEC *)(const void *)(data[3] + offset));
    VEC t0 = _mm_unpacklo_epi32(r0, r1);
    VEC t1 = _mm_unpackhi_epi32(r0, r1);
    VEC t2 = _mm_unpacklo_epi32(r2, r3);
    VEC t3 = _mm_unpackhi_epi32(r2, r3);
    w[0] = _mm_unpacklo_epi64(t0, t2);
    w[1] = _mm_unpackhi_epi64(t0, t2);
    w[2] = _mm_unpacklo_epi64(t1, t3);
    w[3] = _mm_unpackhi_epi64(t1, t3);
}

void md5_lanes_sse2(uint32_t state[4][MAX_LANES], const uint8_t *data[MAX_LANES], uint64_t blocks)
{
    const VEC ones = _mm_set1_epi32(-1);
    VEC a = _mm_loadu_si128((const VEC *)(const void *)state[0]);
    VEC b = _mm_loadu_si128((const VEC *)(const void *)state[1]);
    VEC c = _mm_loadu_si128((const VEC *)(const void *)state[2]);
    VEC d = _mm_loadu_si128((const VEC *)(const void *)state[3]);
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
        for (size_t i = 0; i < 4; i++) {
            data[i] += 64;
        }
    }
    _mm_storeu_si128((VEC *)(void *)state[0], a);
    _mm_storeu_si128((VEC *)(void *)state[1], b);
    _mm_storeu_si128((VEC *)(void *)state[2], c);
    _mm_storeu_si128((VEC *)(void *)state[3], d);
}
