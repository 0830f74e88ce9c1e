using BlockRepl.Iscsi.Tests;
using Xunit;

namespace BlockRepl.Fencing.Tests;

/// <summary>The commands on a disk behind an iSCSI target, and the same disk as a file.</summary>
public sealed class IscsiTests
{
    [Theory]
    [InlineData(512)]
    [InlineData(4096)]
    public void A_disk_behind_a_target_is_used_as_any_other(int sectorSize)
    {
        using var tgtd = new Tgtd(sectorSize);
        string shown = $"iscsi://{Tgtd.User}%***@127.0.0.1:{tgtd.Port}/{Tgtd.Name}/1";
        Good($"Device {shown} is initialized.", "-d", tgtd.Url, "-4", "0", "create");
        Good("has been allocated on", "-d", tgtd.Url, "-n", "us", "allocate", "alice");
        Good("", "-d", tgtd.Url, "-n", "us", "message", "alice", "test");
        Good("0\talice\ttest\tus\n", "-d", tgtd.Url, "list");
        string dump = Good($"Sector size        : {sectorSize}", "-d", tgtd.Url, "dump");
        if (sectorSize == 4096)
        {
            // Its file has sectors of 4096 bytes to us as well: the header says so.
            Assert.Equal(
                dump.Replace(shown, tgtd.LunFile, StringComparison.Ordinal), Good("", "-d", tgtd.LunFile, "dump"));
        }

        Assert.Equal("0\talice\ttest\tus\n", Good("", "-d", tgtd.LunFile, "list"));
    }

    [Fact]
    public void A_wrong_secret_is_an_unreadable_disk_and_shown_nowhere()
    {
        using var tgtd = new Tgtd();
        var result = Programs.RunOurs(
            "-d", tgtd.Url.Replace(Tgtd.Secret, "geheim", StringComparison.Ordinal), "dump");
        Assert.Equal(1, result.Code);
        Assert.Contains("unreadable!", result.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("geheim", result.Output + result.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void An_address_that_is_none_shows_no_secret_either()
    {
        var result = Programs.RunOurs("-d", "iscsi://user%geheim@/x", "dump");
        Assert.Equal(1, result.Code);
        Assert.Contains("== disk iscsi://... unreadable!", result.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("geheim", result.Output + result.Errors, StringComparison.Ordinal);
    }

    private static string Good(string expected, params string[] arguments)
    {
        var result = Programs.RunOurs(arguments);
        Assert.True(result.Code == 0, result.Errors);
        Assert.Contains(expected, result.Output, StringComparison.Ordinal);
        return result.Output;
    }
}
