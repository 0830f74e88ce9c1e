using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace BlockRepl.Iscsi.Protocol.Login;

/// <summary>A challenge: the identifier and the bytes that the answer is a digest of.</summary>
internal sealed record ChapChallenge(byte Id, byte[] Bytes);

/// <summary>The digests of CHAP, with their numbers in CHAP_A.</summary>
internal enum ChapAlgorithm
{
    Md5 = 5,
    Sha1 = 6,
    Sha256 = 7,
}

/// <summary>Computes a digest; the host has them.</summary>
internal delegate byte[] ChapDigest(ChapAlgorithm algorithm, ReadOnlySpan<byte> text);

/// <summary>
/// The arithmetic of CHAP (RFC 1994 as RFC 7143, 12.1.3 has it): the answer is the digest of identifier, secret and
/// challenge.
/// </summary>
internal static class Chap
{
    /// <summary>
    /// Most wanted first: MD5, SHA1, SHA256. Every target has MD5; tgtd 1.0.85 accepts the longer ones and then fails
    /// (its buffer for the answer is too short), so they are for targets that refuse MD5.
    /// </summary>
    public const string Offer = "5,6,7";

    private const int LongestBinary = 1024;

    /// <exception cref="IscsiException">Not one that was offered.</exception>
    public static ChapAlgorithm ParseAlgorithm(string text) => text switch
    {
        "5" => ChapAlgorithm.Md5,
        "6" => ChapAlgorithm.Sha1,
        "7" => ChapAlgorithm.Sha256,
        "Reject" => throw new IscsiException(
            IscsiError.AuthenticationFailed, "the target knows none of CHAP's digests MD5, SHA1 and SHA256"),
        _ => throw IscsiException.Violation($"CHAP_A={Printable.Text(text)} was not offered"),
    };

    public static byte[] Answer(ChapDigest digest, ChapAlgorithm algorithm, ChapChallenge challenge, string secret) =>
        digest(algorithm, [challenge.Id, .. Encoding.UTF8.GetBytes(secret), .. challenge.Bytes]);

    /// <summary>Takes the same time wherever the two differ.</summary>
    public static bool IsAnswer(ReadOnlySpan<byte> answer, ReadOnlySpan<byte> expected) =>
        CryptographicOperations.FixedTimeEquals(answer, expected);

    /// <exception cref="IscsiException">Not 0 to 255.</exception>
    public static byte ParseId(string text) =>
        byte.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out byte id)
            ? id
            : throw IscsiException.Violation($"CHAP_I={Printable.Text(text)} is no number from 0 to 255");

    public static string ToHex(byte[] bytes) => "0x" + Convert.ToHexStringLower(bytes);

    /// <summary>A binary value: 0x and hexadecimal digits, or 0b and base64.</summary>
    /// <exception cref="IscsiException">Neither, or longer than 1024 bytes.</exception>
    public static byte[] ParseBinary(string name, string text)
    {
        byte[]? bytes = null;
        try
        {
            if (text.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
            {
                string digits = text[2..];
                bytes = Convert.FromHexString(digits.Length % 2 == 0 ? digits : "0" + digits);
            }
            else if (text.StartsWith("0b", StringComparison.OrdinalIgnoreCase))
            {
                bytes = Convert.FromBase64String(text[2..]);
            }
        }
        catch (FormatException)
        {
            bytes = null;
        }

        return bytes is { Length: > 0 and <= LongestBinary }
            ? bytes
            : throw IscsiException.Violation($"{name} is no binary value of 1 to {LongestBinary} bytes");
    }
}
