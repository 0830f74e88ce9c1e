using System.Text;

namespace BlockRepl.Sbd;

/// <summary>
/// A node's name as it stands on the device: up to 63 bytes, compared without regard to the case of ASCII letters.
/// Foreign programs may have written any bytes.
/// </summary>
public readonly struct NodeName : IEquatable<NodeName>
{
    public const int MaxBytes = 63;
    public const int FieldBytes = 64;

    private readonly byte[]? _bytes;

    private NodeName(byte[] bytes) => _bytes = bytes;

    public ReadOnlySpan<byte> Bytes => _bytes;

    public bool IsEmpty => Bytes.IsEmpty;

    /// <summary>Cut to 63 bytes, as sbd does.</summary>
    public static NodeName FromText(string text) => FromBytes(Encoding.UTF8.GetBytes(text));

    /// <summary>Bytes up to the first zero, at most 63.</summary>
    public static NodeName FromBytes(ReadOnlySpan<byte> bytes)
    {
        var end = bytes.IndexOf((byte)0);
        bytes = end < 0 ? bytes : bytes[..end];
        return new NodeName(bytes[..Math.Min(bytes.Length, MaxBytes)].ToArray());
    }

    /// <summary>Writes the name, padded with zeroes, over a field of 64 bytes.</summary>
    public void WriteTo(Span<byte> field)
    {
        field[..FieldBytes].Clear();
        Bytes.CopyTo(field);
    }

    public bool Equals(NodeName other)
    {
        var mine = Bytes;
        var theirs = other.Bytes;
        if (mine.Length != theirs.Length)
        {
            return false;
        }

        for (var i = 0; i < mine.Length; i++)
        {
            if (Lower(mine[i]) != Lower(theirs[i]))
            {
                return false;
            }
        }

        return true;
    }

    public override bool Equals(object? obj) => obj is NodeName other && Equals(other);

    public override int GetHashCode()
    {
        var hash = default(HashCode);
        foreach (var value in Bytes)
        {
            hash.Add(Lower(value));
        }

        return hash.ToHashCode();
    }

    public override string ToString() => Encoding.UTF8.GetString(Bytes);

    public static bool operator ==(NodeName left, NodeName right) => left.Equals(right);

    public static bool operator !=(NodeName left, NodeName right) => !left.Equals(right);

    private static byte Lower(byte value) => value is >= (byte)'A' and <= (byte)'Z' ? (byte)(value | 0x20) : value;
}
