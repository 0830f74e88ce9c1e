/* MD5 of four messages at a time with NEON. */
#include <arm_neon.h>

#include "digest_internal.h"

#define VEC uint32x4_t
#define ADD(x, y) vaddq_u32(x, y)
#define F(b, c, d) vbslq_u32(b, c, d)
#define G(b, c, d) vbslq_u32(d, b, c)
#define H(b, c, d) veorq_u32(veorq_u32(b, c), d)
#define I(b, c, d) veorq_u32(c, vornq_u32(b, d))
#define ROTATE(x, bits) vsriq_n_u32(vshlq_n_u32(x, bits), x, 32 - (bits))
#define CONSTANT(value) vdupq_n_u32(value)

#include "md5_lanes.h"

static inline VEC load_row(const uint8_t *data)
{
    return vreinterpretq_u32_u8(vld1q_u8(data));
}

/* Four words of four lanes: rows become columns. */
static inline void load_four(VEC *w, const uint8_t *const data[4], size_t offset)
{
    VEC r0 = load_row(data[0] + offset);
    VEC r1 = load_row(data[1] + offset);
    VEC r2 = load_row(data[2] + offset);
    VEC r3 = load_row(data[3] + offset);
    uint64x2_t t0 = vreinterpretq_u64_u32(vtrn1q_u32(r0, r1));
    uint64x2_t t1 = vreinterpretq_u64_u32(vtrn2q_u32(r0, r1));
    uint64x2_t t2 = vreinterpretq_u64_u32(vtrn1q_u32(r2, r3));
    uint64x2_t t3 = vreinterpretq_u64_u32(vtrn2q_u32(r2, r3));
    w[0] = vreinterpretq_u32_u64(vtrn1q_u64(t0, t2));
    w[1] = vreinterpretq_u32_u64(vtrn1q_u64(t1, t3));
    w[2] = vreinterpretq_u32_u64(vtrn2q_u64(t0, t2));
    w[3] = vreinterpretq_u32_u64(vtrn2q_u64(t1, t3));
}

void md5_lanes_neon(uint32_t state[4][MAX_LANES], const uint8_t *data[MAX_LANES], uint64_t blocks)
{
    VEC a = vld1q_u32(state[0]);
    VEC b = vld1q_u32(state[1]);
    VEC c = vld1q_u32(state[2]);
    VEC d = vld1q_u32(state[3]);
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
    vst1q_u32(state[0], a);
    vst1q_u32(state[1], b);
    vst1q_u32(state[2], c);
    vst1q_u32(state[3], d);
}
