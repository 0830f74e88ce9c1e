using System.Text;
using BlockRepl.Core.Tests;
using BlockRepl.Iscsi.Protocol;
using BlockRepl.Iscsi.Protocol.Login;
using Xunit;

namespace BlockRepl.Iscsi.Tests;

public sealed class TextKeysTests
{
    [Fact]
    public void Pairs_keep_their_order_and_come_back()
    {
        byte[] text = new TextKeys().Add("B", "1,2").Add("A", "x=y").Encode();
        Assert.Equal("B=1,2\0A=x=y\0", Encoding.UTF8.GetString(text));
        Assert.Equal(new TextKeys().Add("B", "1,2").Add("A", "x=y").Pairs, TextKeys.Decode(text).Pairs);
    }

    [Theory]
    [InlineData("A=1", "zero at its end")]
    [InlineData("A\0", "not key=value")]
    [InlineData("=1\0", "not key=value")]
    [InlineData("A B=1\0", "not key=value")]
    [InlineData("A=1\0A=2\0", "A comes twice")]
    public void Bad_text_is_refused(string text, string words) =>
        Assert.Contains(
            words, Assert.Throws<IscsiException>(() => TextKeys.Decode(Encoding.UTF8.GetBytes(text))).Message,
            StringComparison.Ordinal);

    [Fact]
    public void More_zeroes_at_the_end_are_padding() =>
        Assert.Equal("1", TextKeys.Decode("A=1\0\0\0"u8).Find("A"));

    [Fact]
    public void Any_bytes_decode_or_are_refused() => Seeded.Run(1, 2000, random =>
    {
        byte[] text = new byte[random.Next(0, 60)];
        for (int i = 0; i < text.Length; i++)
        {
            text[i] = random.Next(4) == 0 ? (byte)random.Next(256) : "A=1\0b"u8[random.Next(5)];
        }

        try
        {
            TextKeys.Decode(text);
        }
        catch (IscsiException e)
        {
            Assert.Equal(IscsiError.ProtocolViolation, e.Error);
        }
    });
}
