using System.Diagnostics;
using BlockRepl.FrontEnd.Nbd;
using Microsoft.Extensions.Logging.Abstractions;

namespace BlockRepl.Engine.Tests.Nbd;

/// <summary>Clients that others wrote, where they are installed.</summary>
public sealed class RealNbdClientTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("brn-nbd-").FullName;
    private readonly MemoryVolume _volume = new(64 << 20);
    private readonly NbdServer _server;
    private readonly string _socket;

    public RealNbdClientTests()
    {
        _socket = Path.Combine(_directory, "nbd.sock");
        _server = NbdServer.Start(new NbdServerOptions { UnixSocketPath = _socket }, _volume, NullLogger.Instance);
    }

    private string Uri => $"nbd+unix:///r0/0?socket={_socket}";

    public void Dispose()
    {
        _server.Dispose();
        _volume.Eventually(() => _volume.OpenCount == 0, "every session gives its open back");
        Assert.Equal(0, _volume.OnLoop(() => _volume.Buffers.RentedCount));
        _volume.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public void Nbdinfo_shows_size_block_sizes_and_flags()
    {
        var (exit, text) = Run("nbdinfo", Uri);

        Assert.True(exit == 0, text);
        Assert.Contains("67108864", text, StringComparison.Ordinal);
        Assert.Contains("can_multi_conn: true", text, StringComparison.Ordinal);
        Assert.Contains("can_fast_zero: true", text, StringComparison.Ordinal);
        Assert.Contains("block_size_minimum: 512", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Nbdinfo_lists_the_exports()
    {
        var (exit, text) = Run("nbdinfo", "--list", $"nbd+unix://?socket={_socket}");

        Assert.True(exit == 0, text);
        Assert.Contains("r0/0", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Nbdinfo_shows_the_refusal_of_a_secondary()
    {
        _volume.Refusal = "r0/0 is Secondary on this node; run: blockrepl primary r0";

        var (exit, text) = Run("nbdinfo", Uri);

        Assert.NotEqual(0, exit);
        Assert.Contains("r0/0", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Nbdcopy_copies_in_and_out()
    {
        var (source, back) = (Path.Combine(_directory, "in"), Path.Combine(_directory, "out"));
        var data = new byte[64 << 20];
        new Random(5).NextBytes(data.AsSpan(0, 40 << 20));
        File.WriteAllBytes(source, data);

        var (exit, text) = Run("nbdcopy", "--flush", source, Uri);
        Assert.True(exit == 0, text);
        (exit, text) = Run("nbdcopy", Uri, back);
        Assert.True(exit == 0, text);

        Assert.True(data.AsSpan().SequenceEqual(File.ReadAllBytes(back)));
    }

    [Fact]
    public void Fio_verifies_what_it_wrote()
    {
        var (exit, text) = Run(
            "fio", "--name=v", "--ioengine=nbd", "--uri=" + Uri, "--rw=randwrite", "--bsrange=4k-256k", "--size=32m",
            "--iodepth=32", "--verify=crc32c", "--verify_fatal=1", "--randseed=7");

        Assert.True(exit == 0, text);
    }

    [Fact]
    public void Qemu_io_writes_zeroes_discards_and_reads()
    {
        var (exit, text) = Run(
            "qemu-io", "-f", "raw",
            "-c", "write -P 0x5a 0 8M", "-c", "write -z 1M 1M", "-c", "discard 4M 1M", "-c", "flush",
            "-c", "read -P 0x5a 0 1M", "-c", "read -P 0 1M 1M",
            "-c", "write -f -P 0x11 2M 64k", "-c", "read -P 0x11 2M 64k", Uri);

        Assert.True(exit == 0 && !text.Contains("failed", StringComparison.Ordinal), text);
    }

    private static (int ExitCode, string Text) Run(string tool, params string[] arguments)
    {
        var path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')
            .Select(directory => Path.Combine(directory, tool)).FirstOrDefault(File.Exists);
        if (path is null)
        {
            Assert.Skip(tool + " is not installed");
        }

        var start =
            new ProcessStartInfo(path, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        if (!process.WaitForExit(60_000))
        {
            process.Kill();
            Assert.Fail(tool + " did not end");
        }

        return (process.ExitCode, output + errors.GetAwaiter().GetResult());
    }
}
