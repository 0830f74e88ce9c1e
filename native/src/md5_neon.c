/* MD5 of four messages at a time with NEON. */
#include <arm_neon.h>

#include "digest_internal.h"

#define VEC uint32x4_t
#define LANES 4u
#define LOAD(words) vld1q_u32(words)
#define STORE(words, x) vst1q_u32(words, x)
#define ADD(x, y) vaddq_u32(x, y)
#define F(b, c, d) vbslq_u32(b, c, d)
#define G(b, c, d) vbslq_u32(d, b, c)
#define H(b, c, d) veorq_u32(veorq_u32(b, c), d)
#define I(b, c, d) veorq_u32(c, vornq_u32(b, d))
#define ROTATE(x, bits) vsriq_n_u32(vshlq_n_u32(x, bits), x, 32 - (bits))
#define CONSTANT(value) vdupq_n_u32(value)
#define AS_64(x) vreinterpretq_u64_u32(x)
#define UNPACK_LOW_32(x, y) vzip1q_u32(x, y)
#define UNPACK_HIGH_32(x, y) vzip2q_u32(x, y)
#define UNPACK_LOW_64(x, y) vreinterpretq_u32_u64(vzip1q_u64(AS_64(x), AS_64(y)))
#define UNPACK_HIGH_64(x, y) vreinterpretq_u32_u64(vzip2q_u64(AS_64(x), AS_64(y)))

static inline VEC load_row(const uint8_t *const *data, size_t row, size_t offset)
{
    return vreinterpretq_u32_u8(vld1q_u8(data[row] + offset));
}

#include "md5_lanes.h"

void md5_lanes_neon(uint32_t state[4][MAX_LANES], const uint8_t *data[MAX_LANES], uint64_t blocks)
{
    md5_lanes(state, data, blocks);
}
