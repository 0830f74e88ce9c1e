using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using BlockRepl.Cli;
using Xunit;

namespace BlockRepl.Administration.Tests;

/// <summary>The daemon as a process: start, readiness, the lock, the end.</summary>
public sealed class DaemonProcessTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("brd");
    private readonly Socket _notify = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);

    public DaemonProcessTests()
    {
        File.WriteAllText(ConfigPath, TestNode.TwoResources);
        _notify.Bind(new UnixDomainSocketEndPoint(NotifyPath));
        _notify.ReceiveTimeout = 60_000;
    }

    private string ConfigPath => Path.Combine(_directory.FullName, "drbd.conf");

    private string NotifyPath => Path.Combine(_directory.FullName, "notify");

    private string RunDirectory => Path.Combine(_directory.FullName, "run");

    public void Dispose()
    {
        _notify.Dispose();
        _directory.Delete(recursive: true);
    }

    [Fact]
    public async Task It_tells_when_it_is_ready_answers_and_ends_in_order()
    {
        using Process daemon = Start();
        Task<string> log = daemon.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        Assert.StartsWith("READY=1\nSTATUS=", ReceiveNotice());
        Assert.Equal(
            UnixFileMode.UserRead | UnixFileMode.UserWrite,
            File.GetUnixFileMode(Path.Combine(RunDirectory, "control.sock")));

        using (Process second = Start())
        {
            Assert.True(second.WaitForExit(60_000));
            Assert.Equal(20, second.ExitCode);
            Assert.Contains("is in use by another blockrepld", await second.StandardError.ReadToEndAsync(
                TestContext.Current.CancellationToken));
        }

        var output = new StringWriter();
        int exit = await Program.RunAsync(
            ["status", "--run-dir", RunDirectory, "--node", "a", "--config", ConfigPath],
            new Terminal(output, output, null));
        Assert.Equal(0, exit);
        Assert.StartsWith("version: 8.4.11", output.ToString());

        Assert.Equal(0, Mono.Unix.Native.Syscall.kill(daemon.Id, Mono.Unix.Native.Signum.SIGTERM));
        Assert.StartsWith("STOPPING=1\n", ReceiveNotice());
        Assert.True(daemon.WaitForExit(60_000));
        Assert.Equal(0, daemon.ExitCode);
        Assert.False(File.Exists(Path.Combine(RunDirectory, "control.sock")));
        Assert.False(File.Exists(Path.Combine(RunDirectory, "nbd.sock")));
        string text = await log;
        Assert.Contains("info: BlockRepl.Daemon.Hosting.NodeService[2] Ready", text);
        Assert.Contains("Stopped", text);
    }

    [Fact]
    public void A_killed_daemon_does_not_stand_in_the_next_ones_way()
    {
        using (Process daemon = Start())
        {
            ReceiveNotice();
            daemon.Kill();
            daemon.WaitForExit();
        }

        using Process next = Start();
        try
        {
            Assert.StartsWith("READY=1", ReceiveNotice());
        }
        finally
        {
            next.Kill();
            next.WaitForExit();
        }
    }

    [Fact]
    public async Task Another_process_takes_over_and_systemd_is_told()
    {
        using Process daemon = Start();
        _ = daemon.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        ReceiveNotice();
        var output = new StringWriter();
        Assert.Equal(0, await Program.RunAsync(
            ["restart", "--run-dir", RunDirectory, "--node", "a", "--config", ConfigPath],
            new Terminal(output, output, null)));
        int next = int.Parse(output.ToString().Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture);
        Assert.StartsWith($"MAINPID={next}\n", ReceiveNotice());
        Assert.StartsWith("READY=1\n", ReceiveNotice());
        Assert.True(daemon.WaitForExit(60_000));
        Assert.Equal(0, daemon.ExitCode);

        Assert.NotEqual(daemon.Id, next);
        using Process successor = Process.GetProcessById(next);
        Assert.Equal(0, Mono.Unix.Native.Syscall.kill(next, Mono.Unix.Native.Signum.SIGTERM));
        Assert.StartsWith("STOPPING=1\n", ReceiveNotice());
        Assert.True(successor.WaitForExit(60_000));
    }

    [Fact]
    public async Task A_daemon_whose_successor_does_not_start_goes_on()
    {
        using Process daemon = Start();
        Task<string> log = daemon.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        ReceiveNotice();
        var output = new StringWriter();
        string[] node = ["--run-dir", RunDirectory, "--node", "a", "--config", ConfigPath];
        File.Move(Path.Combine(AppContext.BaseDirectory, "blockrepld.runtimeconfig.json"), Hidden);
        try
        {
            Assert.Equal(20, await Program.RunAsync(["restart", .. node], new Terminal(output, output, null)));
            Assert.Contains("the new process does not start", output.ToString());
        }
        finally
        {
            File.Move(Hidden, Path.Combine(AppContext.BaseDirectory, "blockrepld.runtimeconfig.json"));
        }

        Assert.Equal(0, await Program.RunAsync(["status", .. node], new Terminal(output, output, null)));
        daemon.Kill();
        await log;
    }

    private static string Hidden => Path.Combine(AppContext.BaseDirectory, "blockrepld.runtimeconfig.hidden");

    private Process Start()
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardError = true };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "blockrepld.dll"));
        foreach ((string name, string value) in new[]
        {
            ("NOTIFY_SOCKET", NotifyPath), ("BLOCKREPL_CONFIG", ConfigPath),
            ("BLOCKREPL_NODE", "a"), ("BLOCKREPL_RUN_DIR", RunDirectory),
        })
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }

    private string ReceiveNotice()
    {
        byte[] buffer = new byte[1024];
        return Encoding.UTF8.GetString(buffer, 0, _notify.Receive(buffer));
    }
}
