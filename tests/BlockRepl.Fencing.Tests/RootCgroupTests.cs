using BlockRepl.Fencing.CommandLine;
using BlockRepl.Fencing.Watch;
using Xunit;

namespace BlockRepl.Fencing.Tests;

/// <summary>Control groups as files: few kernels still schedule real-time processes by groups.</summary>
public sealed class RootCgroupTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("sbd-cgroup-").FullName;

    private string Members => Path.Combine(_folder, "cpu", "cgroup.procs");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("auto", "0", true)]
    [InlineData("auto", "950000", false)]
    [InlineData("yes", "950000", true)]
    [InlineData("yes", null, false)]
    [InlineData("no", "0", false)]
    public void A_daemon_leaves_a_group_without_real_time_or_as_it_is_told(string setting, string? budget, bool moves)
    {
        Assert.Equal(moves, Enter(setting, "9:cpu,cpuacct:/system.slice/sbd.service", budget));
        Assert.Equal(moves ? $"{Environment.ProcessId}" : "", File.ReadAllText(Members));
    }

    [Theory]
    [InlineData("0::/system.slice/sbd.service")]
    [InlineData("9:cpu,cpuacct:/")]
    [InlineData("9:cpuset:/system.slice/sbd.service")]
    public void In_the_root_and_under_version_2_nothing_is_done(string group) => Assert.False(Enter("yes", group, "0"));

    private bool Enter(string setting, string line, string? budget)
    {
        var group = Directory.CreateDirectory(Path.Combine(_folder, "cpu", "system.slice", "sbd.service")).FullName;
        File.WriteAllText(Members, "");
        File.WriteAllText(Path.Combine(_folder, "cgroup"), $"12:pids:/x\n{line}\n1:name=systemd:/y\n");
        if (budget is not null)
        {
            File.WriteAllText(Path.Combine(group, "cpu.rt_runtime_us"), budget + "\n");
            File.WriteAllText(Path.Combine(_folder, "cpu", "cpu.rt_runtime_us"), "950000\n");
        }

        var options = SbdOptionsReader.Read(
            ["watch"], new SettingsFile(name => name == "SBD_MOVE_TO_ROOT_CGROUP" ? setting : null), false);
        return RootCgroup.Enter(options.MoveToRootCgroup, _folder, _folder) is not null;
    }
}
