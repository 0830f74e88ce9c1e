using System.Text;

namespace BlockRepl.Iscsi.Protocol.Login;

/// <summary>key=value pairs of a login, each ended by a zero byte, in their order.</summary>
internal sealed class TextKeys
{
    /// <summary>More than any target needs: the largest pair is a CHAP challenge of about 2 KiB.</summary>
    public const int MaxBytes = 16384;

    private const int LongestName = 63;

    private readonly List<KeyValuePair<string, string>> _pairs = [];

    public IReadOnlyList<KeyValuePair<string, string>> Pairs => _pairs;

    public TextKeys Add(string name, string value)
    {
        _pairs.Add(new(name, value));
        return this;
    }

    /// <summary>The value; null without this key.</summary>
    public string? Find(string name)
    {
        foreach (KeyValuePair<string, string> pair in _pairs)
        {
            if (pair.Key == name)
            {
                return pair.Value;
            }
        }

        return null;
    }

    /// <exception cref="IscsiException">The target left it out.</exception>
    public string Require(string name) =>
        Find(name) ?? throw IscsiException.Violation($"the login's answer has no {name}");

    public byte[] Encode()
    {
        var text = new StringBuilder();
        foreach (KeyValuePair<string, string> pair in _pairs)
        {
            text.Append(pair.Key).Append('=').Append(pair.Value).Append('\0');
        }

        return Encoding.UTF8.GetBytes(text.ToString());
    }

    /// <exception cref="IscsiException">No zero at the end, no equals sign, a bad name, a name twice.</exception>
    public static TextKeys Decode(ReadOnlySpan<byte> text)
    {
        var keys = new TextKeys();
        while (text.Length > 0)
        {
            int end = text.IndexOf((byte)0);
            if (end < 0)
            {
                throw IscsiException.Violation("login text without a zero at its end");
            }

            // Some targets pad the text with more zeroes.
            if (end > 0)
            {
                keys.AddDecoded(text[..end]);
            }

            text = text[(end + 1)..];
        }

        return keys;
    }

    private void AddDecoded(ReadOnlySpan<byte> pair)
    {
        int equals = pair.IndexOf((byte)'=');
        if (equals is <= 0 or > LongestName || !IsName(pair[..equals]))
        {
            throw IscsiException.Violation("login text that is not key=value");
        }

        string name = Encoding.ASCII.GetString(pair[..equals]);
        if (Find(name) is not null)
        {
            throw IscsiException.Violation($"the key {name} comes twice");
        }

        Add(name, Encoding.UTF8.GetString(pair[(equals + 1)..]));
    }

    private static bool IsName(ReadOnlySpan<byte> name)
    {
        foreach (byte value in name)
        {
            if (!char.IsAsciiLetterOrDigit((char)value) && !".-+@_#".Contains((char)value))
            {
                return false;
            }
        }

        return true;
    }
}
