/*
 * MD5 of four messages at a time with AVX-512's instructions on 128-bit registers: one for each of F, G, H, I (a truth
 * table) and for the rotation. Compiled with -mavx512f -mavx512vl, called only where the processor has both.
 */
#include "md5_128.h"

#define TERNARY(b, c, d, table) _mm_ternarylogic_epi32(b, c, d, table)
#define ROTATE(x, bits) _mm_rol_epi32(x, bits)

#include "md5_ternary.h"

#include "md5_lanes.h"

void md5_lanes_avx512_4(uint32_t state[4][MAX_LANES], const uint8_t *data[MAX_LANES], uint64_t blocks)
{
    md5_lanes(state, data, blocks);
}
