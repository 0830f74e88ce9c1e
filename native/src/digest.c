/* The choice between digest variants, by what the processor has. */
#include <errno.h>

#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include "digest_internal.h"

#if defined(__x86_64__)
/* SHA-1 and SHA-256 instructions: CPUID leaf 7, EBX bit 29; the compiler's own test does not know their name. */
static bool cpu_has_sha(void)
{
    uint32_t a = 7;
    uint32_t b = 0;
    uint32_t c = 0;
    uint32_t d = 0;
    __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return (b & (1u << 29)) != 0 && __builtin_cpu_supports("sse4.1");
}

bool cpu_has(uint32_t algorithm, uint32_t variant)
{
    bool md5 = algorithm == BRN_DIGEST_MD5;
    switch (variant) {
    case BRN_VARIANT_SCALAR:
        return true;
    case BRN_VARIANT_SSE2:
        return md5;
    case BRN_VARIANT_AVX2:
        return md5 && __builtin_cpu_supports("avx2");
    case BRN_VARIANT_AVX512:
        return md5 && __builtin_cpu_supports("avx512f");
    case BRN_VARIANT_AVX512_8:
    case BRN_VARIANT_AVX512_4:
        return md5 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl");
    case BRN_VARIANT_CPU:
        return !md5 && (algorithm == BRN_DIGEST_CRC32C ? __builtin_cpu_supports("sse4.2") : cpu_has_sha());
    default:
        return false;
    }
}

static md5_lanes_fn *md5_lanes(uint32_t variant, uint32_t *n_lanes)
{
    switch (variant) {
    case BRN_VARIANT_AVX512:
        *n_lanes = 16;
        return md5_lanes_avx512;
    case BRN_VARIANT_AVX512_8:
        *n_lanes = 8;
        return md5_lanes_avx512_8;
    case BRN_VARIANT_AVX512_4:
        *n_lanes = 4;
        return md5_lanes_avx512_4;
    case BRN_VARIANT_AVX2:
        *n_lanes = 8;
        return md5_lanes_avx2;
    default:
        *n_lanes = 4;
        return md5_lanes_sse2;
    }
}
#elif defined(__aarch64__)
bool cpu_has(uint32_t algorithm, uint32_t variant)
{
    unsigned long caps = getauxval(AT_HWCAP);
    bool md5 = algorithm == BRN_DIGEST_MD5;
    switch (variant) {
    case BRN_VARIANT_SCALAR:
        return true;
    case BRN_VARIANT_NEON:
        return md5 && (caps & HWCAP_ASIMD) != 0;
    case BRN_VARIANT_CPU:
        return (algorithm == BRN_DIGEST_CRC32C && (caps & HWCAP_CRC32) != 0) ||
               (algorithm == BRN_DIGEST_SHA1 && (caps & HWCAP_SHA1) != 0) ||
               (algorithm == BRN_DIGEST_SHA256 && (caps & HWCAP_SHA2) != 0);
    default:
        return false;
    }
}

static md5_lanes_fn *md5_lanes(uint32_t variant, uint32_t *n_lanes)
{
    (void)variant;
    *n_lanes = 4;
    return md5_lanes_neon;
}
#endif

int32_t brn_digest_best_variant(uint32_t algorithm)
{
    static const uint32_t order[] = {
        BRN_VARIANT_CPU, BRN_VARIANT_AVX512, BRN_VARIANT_AVX2, BRN_VARIANT_SSE2, BRN_VARIANT_NEON,
    };
    if (algorithm < BRN_DIGEST_CRC32C || algorithm > BRN_DIGEST_SHA256) {
        return -EINVAL;
    }
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        if (cpu_has(algorithm, order[i])) {
            return (int32_t)order[i];
        }
    }
    return BRN_VARIANT_SCALAR;
}

static void md5_digest(uint32_t variant, const brn_digest_item *items, uint32_t n_items)
{
    if (variant == BRN_VARIANT_SCALAR || n_items == 1) {
        for (uint32_t i = 0; i < n_items; i++) {
            md5_single(&items[i]);
        }
        return;
    }
    uint32_t n_lanes = 0;
    md5_lanes_fn *lanes = md5_lanes(variant, &n_lanes);
    md5_multi(lanes, n_lanes, items, n_items);
}

/* A wide kernel costs nearly the same however few of its lanes are busy: few messages take a narrow one. */
static uint32_t md5_variant_for(uint32_t best, uint32_t n_items)
{
#if defined(__x86_64__)
    bool narrow = best == BRN_VARIANT_AVX512 && cpu_has(BRN_DIGEST_MD5, BRN_VARIANT_AVX512_4);
    if (best == BRN_VARIANT_SCALAR) {
        return best;
    }
    if (n_items <= 4) {
        return narrow ? BRN_VARIANT_AVX512_4 : BRN_VARIANT_SSE2;
    }
    if (best == BRN_VARIANT_AVX512 && n_items <= 8) {
        return narrow ? BRN_VARIANT_AVX512_8 : BRN_VARIANT_AVX2;
    }
#else
    (void)n_items;
#endif
    return best;
}

int32_t brn_digest(uint32_t algorithm, uint32_t variant, const brn_digest_item *items, uint32_t n_items)
{
    if (algorithm < BRN_DIGEST_CRC32C || algorithm > BRN_DIGEST_SHA256) {
        return -EINVAL;
    }
    if (variant == BRN_VARIANT_AUTO) {
        static _Atomic uint32_t best[BRN_DIGEST_SHA256 + 1];
        variant = best[algorithm];
        if (variant == BRN_VARIANT_AUTO) {
            variant = (uint32_t)brn_digest_best_variant(algorithm);
            best[algorithm] = variant;
        }
        if (algorithm == BRN_DIGEST_MD5) {
            variant = md5_variant_for(variant, n_items);
        }
    } else if (!cpu_has(algorithm, variant)) {
        return -ENOTSUP;
    }
    bool cpu = variant == BRN_VARIANT_CPU;
    switch (algorithm) {
    case BRN_DIGEST_MD5:
        md5_digest(variant, items, n_items);
        break;
    case BRN_DIGEST_SHA1:
        sha1_digest(items, n_items, cpu);
        break;
    case BRN_DIGEST_SHA256:
        sha256_digest(items, n_items, cpu);
        break;
    default:
        crc32c_digest(items, n_items, cpu);
        break;
    }
    return 0;
}
