using Xunit;

namespace BlockRepl.Fencing.Tests;

/// <summary>What only our commands do, on plain files.</summary>
public sealed class CommandTests : IDisposable
{
    private readonly string _file = Path.Combine(
        Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(), $"sbd-test-{Guid.NewGuid():N}");

    public void Dispose() => File.Delete(_file);

    [Fact]
    public void A_device_that_is_too_small_is_not_touched()
    {
        File.WriteAllBytes(_file, [.. Enumerable.Repeat((byte)7, 510 * 512)]);
        var result = Programs.RunOurs("-d", _file, "create");
        Assert.Equal(1, result.Code);
        Assert.Contains("has 510 sectors, 511 are needed", result.Errors, StringComparison.Ordinal);
        Assert.All(File.ReadAllBytes(_file), value => Assert.Equal(7, value));
    }

    [Fact]
    public void Timeouts_that_do_not_fit_are_warned_of_and_written()
    {
        MakeDevice("-1", "15");
        var result = Programs.RunOurs("-d", _file, "-1", "15", "create");
        Assert.Equal(0, result.Code);
        Assert.Contains("create with -4 30 or more", result.Errors, StringComparison.Ordinal);
        Assert.Contains("(watchdog) : 15", Programs.RunOurs("-d", _file, "dump").Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_that_has_shrunk_is_listed_as_far_as_it_goes_and_then_an_error()
    {
        MakeDevice();
        Programs.RunOurs("-d", _file, "allocate", "alice");
        using (var file = File.OpenWrite(_file))
        {
            file.SetLength(2560);
        }

        var result = Programs.RunOurs("-d", _file, "list");
        Assert.Equal((1, "0\talice\tclear\t\n"), (result.Code, result.Output));
        Assert.Contains($"== Slots on disk {_file} NOT dumped", result.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_that_would_break_the_listing_is_shown_with_question_marks()
    {
        MakeDevice();
        using (var file = File.OpenWrite(_file))
        {
            file.Position = 512;
            file.Write("\u0001a\tb\nc"u8);
        }

        Assert.Equal("0\ta?b?c\tclear\t\n", Programs.RunOurs("-d", _file, "list").Output);
    }

    [Fact]
    public void An_image_with_larger_sectors_is_read_as_a_file()
    {
        using var device = new SharedDevice(4096);
        Programs.RunOurs("-d", device.Node, "-2", "0", "create");
        Programs.RunOurs("-d", device.Node, "allocate", "alice");
        var header = Programs.RunOurs("-d", device.Node, "dump").Output;
        File.WriteAllBytes(_file, File.ReadAllBytes(device.Node));
        Assert.Equal("0\talice\tclear\t\n", Programs.RunOurs("-d", _file, "list").Output);
        Assert.Equal(
            header, Programs.RunOurs("-d", _file, "dump").Output.Replace(_file, device.Node, StringComparison.Ordinal));
    }

    [Fact]
    public void The_file_of_the_service_is_read_and_the_environment_wins()
    {
        MakeDevice();
        var settings = Path.GetTempFileName();
        try
        {
            File.WriteAllText(settings, $"# comment\nSBD_DEVICE=\"{_file}\"\nSBD_TIMEOUT_ACTION='bla'\n");
            var variables = new Dictionary<string, string>
            {
                ["BLOCKREPL_SBD_CONFIG"] = settings, ["SBD_TIMEOUT_ACTION"] = "flush,off",
            };
            Assert.Contains(_file, Programs.RunOursWith(variables, "dump").Output, StringComparison.Ordinal);
            variables.Remove("SBD_TIMEOUT_ACTION");
            Assert.Equal(1, Programs.RunOursWith(variables, "dump").Code);
        }
        finally
        {
            File.Delete(settings);
        }
    }

    [Fact]
    public void A_file_that_is_no_device_is_refused_by_name()
    {
        var result = Programs.RunOurs("-d", "/dev/null", "dump");
        Assert.Equal(1, result.Code);
        Assert.Contains("neither a block device nor a regular file", result.Errors, StringComparison.Ordinal);
        Assert.Contains("== disk /dev/null unreadable!", result.Errors, StringComparison.Ordinal);
    }

    private void MakeDevice(params string[] options)
    {
        using (var file = File.Create(_file))
        {
            file.SetLength(1 << 20);
        }

        Assert.Equal(0, Programs.RunOurs(["-d", _file, "-2", "0", .. options, "create"]).Code);
    }
}
