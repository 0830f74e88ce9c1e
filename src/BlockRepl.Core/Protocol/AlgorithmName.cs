using System.Text;

namespace BlockRepl.Core.Protocol;

/// <summary>Zero-terminated names of algorithms, at most 64 bytes with the zero.</summary>
internal static class AlgorithmName
{
    public const int MaxSize = 64;

    /// <summary>Bytes of a name with its zero.</summary>
    public static int Size(string name) => name.Length + 1;

    /// <summary>Writes the name and fills the rest of the destination with zeroes, at least one.</summary>
    public static void Write(Span<byte> destination, string name)
    {
        Invariant.Require(name.Length < destination.Length && name.Length < MaxSize, "the algorithm's name fits");
        int written = Encoding.ASCII.GetBytes(name, destination);
        destination[written..].Clear();
    }

    /// <summary>Reads up to the first zero; false without a zero or with anything but printable ASCII.</summary>
    public static bool TryRead(ReadOnlySpan<byte> source, out string name)
    {
        int length = source.IndexOf((byte)0);
        if (length < 0 || length >= MaxSize || source[..length].IndexOfAnyExceptInRange((byte)' ', (byte)'~') >= 0)
        {
            name = "";
            return false;
        }

        name = Encoding.ASCII.GetString(source[..length]);
        return true;
    }
}
