using System.Text;
using BlockRepl.Core.Handshake;
using BlockRepl.Core.Protocol;
using Xunit;

namespace BlockRepl.Core.Tests.Handshake;

public sealed class AuthenticationTests
{
    private const string Secret = "example-secret";

    private static byte[] Challenge => [.. Enumerable.Range(0, 64).Select(i => (byte)i)];

    private static byte[] Respond(DigestAlgorithm algorithm, string secret, byte[] challenge)
    {
        byte[] response = new byte[algorithm.Size()];
        Authentication.Respond(algorithm, secret, challenge, response);
        return response;
    }

    [Theory]
    [InlineData(DigestAlgorithm.Sha1, "fe0bf4b334789d7e3bf7f569bff048dcdcb9d160")]
    [InlineData(DigestAlgorithm.Sha256, "123e4a3a7ad282746476ac3525e2b85bb2a4944b53e67b15be65159330d613a9")]
    [InlineData(DigestAlgorithm.Md5, "37409152bc9188909afad2fb863c1060")]
    public void A_response_is_the_HMAC_of_the_challenge_under_the_secret(DigestAlgorithm algorithm, string expected) =>
        Assert.Equal(expected, Convert.ToHexStringLower(Respond(algorithm, Secret, Challenge)));

    [Theory]
    [InlineData(DigestAlgorithm.Md5)]
    [InlineData(DigestAlgorithm.Sha1)]
    [InlineData(DigestAlgorithm.Sha256)]
    public void Only_the_right_secret_answers_only_the_own_challenge(DigestAlgorithm algorithm)
    {
        byte[] response = Respond(algorithm, Secret, Challenge);
        byte[] other = Challenge;
        other[63] ^= 1;

        Assert.True(Authentication.Verify(algorithm, Secret, Challenge, response));
        Assert.False(Authentication.Verify(algorithm, Secret + "x", Challenge, response));
        Assert.False(Authentication.Verify(algorithm, Secret, other, response));
        Assert.False(Authentication.Verify(algorithm, Secret, Challenge, response.AsSpan(1)));
        Assert.False(Authentication.Verify(algorithm, Secret, Challenge, []));
    }

    [Fact]
    public void All_bytes_of_a_long_challenge_count()
    {
        byte[] longChallenge = Encoding.ASCII.GetBytes(new string('a', 128));
        byte[] other = [.. longChallenge];
        other[127] = (byte)'b';

        Assert.NotEqual(
            Respond(DigestAlgorithm.Sha1, Secret, longChallenge), Respond(DigestAlgorithm.Sha1, Secret, other));
    }

    [Fact]
    public void The_own_challenge_in_front_of_the_peers_is_a_reflection()
    {
        byte[] longer = [.. Challenge, 1, 2, 3];
        byte[] other = Challenge;
        other[0] ^= 0x80;

        Assert.True(Authentication.IsReflected(Challenge, Challenge));
        Assert.True(Authentication.IsReflected(Challenge, longer));
        Assert.False(Authentication.IsReflected(Challenge, other));
        Assert.False(Authentication.IsReflected(Challenge, other.AsSpan(0, 10)));
    }

    [Theory]
    [InlineData(DigestAlgorithm.None)]
    [InlineData(DigestAlgorithm.Crc32c)]
    public void What_is_no_keyed_digest_is_no_authentication(DigestAlgorithm algorithm)
    {
        Assert.Throws<ArgumentOutOfRangeException>(
            () => Authentication.Respond(algorithm, Secret, Challenge, new byte[64]));
    }
}
