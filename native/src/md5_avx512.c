/*
 * MD5 of sixteen messages at a time with AVX-512: one instruction for each of F, G, H, I (a truth table) and for the
 * rotation. Compiled with -mavx512f, called only where the processor has it.
 */
#include <immintrin.h>

#include "digest_internal.h"

#define VEC __m512i
#define ADD(x, y) _mm512_add_epi32(x, y)
#define F(b, c, d) _mm512_ternarylogic_epi32(b, c, d, 0xca)
#define G(b, c, d) _mm512_ternarylogic_epi32(b, c, d, 0xe4)
#define H(b, c, d) _mm512_ternarylogic_epi32(b, c, d, 0x96)
#define I(b, c, d) _mm512_ternarylogic_epi32(b, c, d, 0x39)
#define ROTATE(x, bits) _mm512_rol_epi32(x, bits)
#define CONSTANT(value) _mm512_set1_epi32((int)(value))

#include "md5_lanes.h"

static inline VEC load_quad(const uint8_t *const data[16], size_t lane, size_t offset)
{
    VEC row = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(const void *)(data[lane] + offset)));
    row = _mm512_inserti32x4(row, _mm_loadu_si128((const __m128i *)(const void *)(data[lane + 4] + offset)), 1);
    row = _mm512_inserti32x4(row, _mm_loadu_si128((const __m128i *)(const void *)(data[lane + 8] + offset)), 2);
    return _mm512_inserti32x4(row, _mm_loadu_si128((const __m128i *)(const void *)(data[lane + 12] + offset)), 3);
}

/* Four words of sixteen lanes; each quarter of a register transposes alike. */
static inline void load_four(VEC *w, const uint8_t *const data[16], size_t offset)
{
    VEC r0 = load_quad(data, 0, offset);
    VEC r1 = load_quad(data, 1, offset);
    VEC r2 = load_quad(data, 2, offset);
    VEC r3 = load_quad(data, 3, offset);
    VEC t0 = _mm512_unpacklo_epi32(r0, r1);
    VEC t1 = _mm512_unpackhi_epi32(r0, r1);
    VEC t2 = _mm512_unpacklo_epi32(r2, r3);
    VEC t3 = _mm512_unpackhi_epi32(r2, r3);
    w[0] = _mm512_unpacklo_epi64(t0, t2);
    w[1] = _mm512_unpackhi_epi64(t0, t2);
    w[2] = _mm512_unpacklo_epi64(t1, t3);
    w[3] = _mm512_unpackhi_epi64(t1, t3);
}

void md5_lanes_avx512(uint32_t state[4][MAX_LANES], const uint8_t *data[MAX_LANES], uint64_t blocks)
{
    VEC a = _mm512_loadu_si512(state[0]);
    VEC b = _mm512_loadu_si512(state[1]);
    VEC c = _mm512_loadu_si512(state[2]);
    VEC d = _mm512_loadu_si512(state[3]);
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
        for (size_t i = 0; i < 16; i++) {
            data[i] += 64;
        }
    }
    _mm512_storeu_si512(state[0], a);
    _mm512_storeu_si512(state[1], b);
    _mm512_storeu_si512(state[2], c);
    _mm512_storeu_si512(state[3], d);
}
