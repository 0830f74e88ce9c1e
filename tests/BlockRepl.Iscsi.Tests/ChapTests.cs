using BlockRepl.Iscsi.Protocol;
using BlockRepl.Iscsi.Protocol.Login;
using Xunit;

namespace BlockRepl.Iscsi.Tests;

public sealed class ChapTests
{
    // printf '\x01password\x00\x01\x02\x03' | md5sum, sha1sum, sha256sum
    [Theory]
    [InlineData(5, "81a71e7d2c8415fc172f6d8c8ae1c892")]
    [InlineData(6, "5d5bae32a644f016ca4540bb9a8e88efa3b76eb0")]
    [InlineData(7, "c1a76d93b8cd867d7cfe877cc31ee22b7d81992b7b3cdeffba337b29b7bc2657")]
    public void The_answer_is_the_digest_of_identifier_secret_and_challenge(int algorithm, string answer)
    {
        var challenge = new ChapChallenge(1, [0, 1, 2, 3]);
        byte[] right = Chap.Answer(IscsiDisk.ComputeDigest, (ChapAlgorithm)algorithm, challenge, "password");
        Assert.Equal("0x" + answer, Chap.ToHex(right));
        Assert.True(Chap.IsAnswer(Convert.FromHexString(answer), right));
        Assert.False(Chap.IsAnswer([], right));
        Assert.False(Chap.IsAnswer(right.AsSpan(1), right));
        Assert.False(Chap.IsAnswer([.. right[..^1], (byte)(right[^1] ^ 1)], right));
    }

    [Theory]
    [InlineData("0x00ff", new byte[] { 0, 255 })]
    [InlineData("0X00FF", new byte[] { 0, 255 })]
    [InlineData("0xfff", new byte[] { 15, 255 })]
    [InlineData("0bAP8=", new byte[] { 0, 255 })]
    public void Binary_values_come_in_hexadecimal_or_base64(string text, byte[] bytes) =>
        Assert.Equal(bytes, Chap.ParseBinary("CHAP_C", text));

    [Theory]
    [InlineData("")]
    [InlineData("0x")]
    [InlineData("0b")]
    [InlineData("0xzz")]
    [InlineData("0b!")]
    [InlineData("1234")]
    public void Anything_else_is_refused_by_its_name(string text) =>
        Assert.Contains(
            "CHAP_C", Assert.Throws<IscsiException>(() => Chap.ParseBinary("CHAP_C", text)).Message,
            StringComparison.Ordinal);

    [Fact]
    public void A_binary_value_may_not_be_longer_than_1024_bytes()
    {
        Assert.Equal(1024, Chap.ParseBinary("CHAP_C", "0x" + new string('a', 2048)).Length);
        Assert.Throws<IscsiException>(() => Chap.ParseBinary("CHAP_C", "0x" + new string('a', 2050)));
    }

    [Theory]
    [InlineData("256")]
    [InlineData("-1")]
    [InlineData("")]
    [InlineData("1 ")]
    public void An_identifier_is_a_byte(string text) => Assert.Throws<IscsiException>(() => Chap.ParseId(text));

    [Fact]
    public void No_text_of_an_account_shows_its_secret()
    {
        var account = new ChapAccount("user", "geheim");
        Assert.DoesNotContain("geheim", account.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain(
            "geheim", new ChapCredentials(account, account).ToString(), StringComparison.Ordinal);
    }
}
