using System.Globalization;

namespace BlockRepl.Core.Tests;

/// <summary>Runs a check for many seeds and names the seed of the first failure.</summary>
internal static class Seeded
{
    public static void Run(int firstSeed, int count, Action<Random> check)
    {
        for (int seed = firstSeed; seed < firstSeed + count; seed++)
        {
            try
            {
                check(new Random(seed));
            }
            catch (Exception e)
            {
                throw new InvalidOperationException(
                    string.Create(CultureInfo.InvariantCulture, $"seed {seed}: {e.Message}"), e);
            }
        }
    }
}
