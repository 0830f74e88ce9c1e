namespace BlockRepl.Simulation;

/// <summary>
/// A seeded generator (xoshiro256**, seeded by splitmix64): the only source of chance in a simulation.
/// </summary>
public sealed class Rng
{
    private ulong _s0;
    private ulong _s1;
    private ulong _s2;
    private ulong _s3;

    public Rng(ulong seed)
    {
        ulong state = seed;
        _s0 = SplitMix(ref state);
        _s1 = SplitMix(ref state);
        _s2 = SplitMix(ref state);
        _s3 = SplitMix(ref state);
    }

    public ulong NextULong()
    {
        ulong result = ulong.RotateLeft(_s1 * 5, 7) * 9;
        ulong t = _s1 << 17;
        _s2 ^= _s0;
        _s3 ^= _s1;
        _s1 ^= _s2;
        _s0 ^= _s3;
        _s2 ^= t;
        _s3 = ulong.RotateLeft(_s3, 45);
        return result;
    }

    /// <summary>0 to <paramref name="bound"/> - 1.</summary>
    public int Below(int bound) => (int)Math.BigMul(NextULong(), (ulong)bound, out _);

    /// <summary>First to last, both included.</summary>
    public long Between(long first, long last) =>
        first + (long)Math.BigMul(NextULong(), (ulong)(last - first + 1), out _);

    /// <summary>True so often in a million.</summary>
    public bool Chance(int perMillion) => Below(1_000_000) < perMillion;

    public bool Percent(int percent) => Below(100) < percent;

    public T Pick<T>(params ReadOnlySpan<T> items) => items[Below(items.Length)];

    /// <summary>Log-uniform: small values are as likely as large ones.</summary>
    public long Skewed(long first, long last)
    {
        int bits = 64 - (int)ulong.LeadingZeroCount((ulong)(last - first + 1));
        long bound = 1L << Below(bits + 1);
        return first + Math.Min(Between(0, bound), last - first);
    }

    /// <summary>An independent generator for one part of the simulation.</summary>
    public Rng Fork() => new(NextULong());

    private static ulong SplitMix(ref ulong state)
    {
        state += 0x9E3779B97F4A7C15;
        ulong z = state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
