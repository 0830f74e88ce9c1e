using System.Globalization;

namespace BlockRepl.Core.Tests.Protocol;

/// <summary>Runs a property with many seeds and names the seed that breaks it.</summary>
internal static class Seeded
{
    public static void Run(int count, Action<Random> property, int firstSeed = 1)
    {
        for (int seed = firstSeed; seed < firstSeed + count; seed++)
        {
            try
            {
                property(new Random(seed));
            }
            catch (Exception e)
            {
                throw new InvalidOperationException("seed " + seed.ToString(CultureInfo.InvariantCulture), e);
            }
        }
    }

    public static ulong NextUInt64(this Random random)
    {
        ulong value = (ulong)random.NextInt64(long.MinValue, long.MaxValue);
        // Small and extreme numbers more often than chance alone would give.
        return random.Next(4) switch
        {
            0 => value >> random.Next(64),
            1 => ulong.MaxValue - (value >> random.Next(64)),
            _ => value,
        };
    }

    public static uint NextUInt32(this Random random) => (uint)random.NextUInt64();

    public static int NextSize(this Random random) => (int)(random.NextUInt32() & int.MaxValue);

    public static bool NextBool(this Random random) => random.Next(2) == 1;

    public static byte[] NextBytes(this Random random, int count)
    {
        byte[] bytes = new byte[count];
        random.NextBytes(bytes);
        return bytes;
    }

    /// <summary>A name of an algorithm, 0..63 printable characters.</summary>
    public static string NextName(this Random random) => random.Next(3) switch
    {
        0 => "",
        1 => "sha1",
        _ => new string([.. Enumerable.Range(0, random.Next(64)).Select(_ => (char)random.Next(' ', '~' + 1))]),
    };
}
