using System.Globalization;
using BlockRepl.Nodes;

namespace BlockRepl.Interop.Tests;

/// <summary>The decoder's own table of DRBD's packet names.</summary>
internal static class PacketName
{
    private static readonly Lazy<Dictionary<int, string>> Names = new(Read);

    /// <param name="number">As the decoder prints it: 0x000b.</param>
    public static string Of(string number)
    {
        int value = int.Parse(number.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        return Names.Value.GetValueOrDefault(value, "packet " + number);
    }

    private static Dictionary<int, string> Read() =>
        Tool.Run("tshark", "-G", "values").OrThrow().Output.Split('\n')
            .Where(line => line.StartsWith("V\tdrbd.command\t", StringComparison.Ordinal))
            .Select(line => line.Split('\t'))
            .ToDictionary(
                f => int.Parse(f[2].AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture), f => f[3]);
}
