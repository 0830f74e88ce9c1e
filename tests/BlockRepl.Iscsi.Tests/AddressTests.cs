using BlockRepl.Core.Tests;
using BlockRepl.Iscsi.Protocol;
using Xunit;

namespace BlockRepl.Iscsi.Tests;

public sealed class AddressTests
{
    private const string Name = "iqn.2020-01.org.example:disk";

    [Theory]
    [InlineData($"iscsi://10.0.0.1/{Name}/1", $"iscsi://10.0.0.1:3260/{Name}/1")]
    [InlineData($"ISCSI://san.example:860/{Name}/16383", $"iscsi://san.example:860/{Name}/16383")]
    [InlineData($"iscsi://[::1]/{Name}/0", $"iscsi://[::1]:3260/{Name}/0")]
    [InlineData($"iscsi://[fe80::1%eth0]:1/{Name}/0", $"iscsi://[fe80::1%eth0]:1/{Name}/0")]
    [InlineData($"iscsi://u%p@10.0.0.1:3260/{Name}/1", $"iscsi://u%***@10.0.0.1:3260/{Name}/1")]
    [InlineData(
        $"iscsi://u%p@10.0.0.1/{Name}/1?target_user=t&target_password=s", $"iscsi://u%***@10.0.0.1:3260/{Name}/1")]
    public void An_address_is_read_and_shown_without_secrets(string text, string shown) =>
        Assert.Equal(shown, IscsiAddress.Parse(text).ToString());

    [Fact]
    public void The_accounts_are_in_it()
    {
        IscsiAddress address = IscsiAddress.Parse(
            $"iscsi://user%p%a@ss@10.0.0.1/{Name}/1?target_password=s=1&target_user=t");
        Assert.Equal(("user", "p%a@ss"), (address.Initiator!.User, address.Initiator.Secret));
        Assert.Equal(("t", "s=1"), (address.Target!.User, address.Target.Secret));
        Assert.Equal((Name, 1), (address.TargetName, address.Lun));
    }

    [Theory]
    [InlineData("/dev/sda", "does not begin with iscsi://")]
    [InlineData("iscsi://", "a host, a target name and a LUN")]
    [InlineData($"iscsi://10.0.0.1/{Name}", "a host, a target name and a LUN")]
    [InlineData($"iscsi://10.0.0.1/{Name}/1/2", "a host, a target name and a LUN")]
    [InlineData($"iscsi:///{Name}/1", "no host[:port]")]
    [InlineData($"iscsi://::1/{Name}/1", "no host[:port]")]
    [InlineData($"iscsi://[::1/{Name}/1", "no host[:port]")]
    [InlineData($"iscsi://[::1]1/{Name}/1", "no host[:port]")]
    [InlineData($"iscsi://a:0/{Name}/1", "no host[:port]")]
    [InlineData($"iscsi://a:65536/{Name}/1", "no host[:port]")]
    [InlineData($"iscsi://a b/{Name}/1", "no host[:port]")]
    [InlineData("iscsi://a/disk/1", "'disk' is no target name")]
    [InlineData("iscsi://a/iqn.a b/1", "is no target name")]
    [InlineData($"iscsi://a/{Name}/x", "the LUN 'x'")]
    [InlineData($"iscsi://a/{Name}/-1", "the LUN '-1'")]
    [InlineData($"iscsi://a/{Name}/16384", "the LUN '16384'")]
    [InlineData($"iscsi://geheim@a/{Name}/1", "user%password")]
    [InlineData($"iscsi://geheim%@a/{Name}/1", "user%password")]
    [InlineData($"iscsi://%geheim@a/{Name}/1", "user%password")]
    [InlineData($"iscsi://u%geheim@a/{Name}/1?target_user=t", "go together")]
    [InlineData($"iscsi://u%p@a/{Name}/1?target_password=geheim", "go together")]
    [InlineData($"iscsi://u%p@a/{Name}/1?geheim=t", "only target_user")]
    [InlineData($"iscsi://u%p@a/{Name}/1?", "only target_user")]
    public void A_bad_address_is_refused_with_the_reason_and_without_a_secret(string text, string words)
    {
        IscsiException failure = Assert.Throws<IscsiException>(() => IscsiAddress.Parse(text));
        Assert.Equal(IscsiError.BadAddress, failure.Error);
        Assert.Contains(words, failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("geheim", failure.ToString(), StringComparison.Ordinal);
    }

    private static readonly string[] Crumbs =
        ["a", "/", "%", "@", ":", "[", "]", "?", "&", "=", "1", Name, "target_user", "\0", "é"];

    [Fact]
    public void Any_text_is_an_address_or_refused() => Seeded.Run(1, 5000, random =>
    {
        string text = "iscsi://" + string.Concat(
            Enumerable.Range(0, random.Next(12)).Select(_ => Crumbs[random.Next(Crumbs.Length)]));
        try
        {
            IscsiAddress.Parse(text);
        }
        catch (IscsiException e)
        {
            Assert.Equal(IscsiError.BadAddress, e.Error);
        }
    });
}
