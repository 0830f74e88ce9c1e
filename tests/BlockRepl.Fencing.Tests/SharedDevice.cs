using System.Diagnostics;
using Xunit;

namespace BlockRepl.Fencing.Tests;

/// <summary>
/// A file of 1 MiB or, with sectors of 4096 bytes, 4 MiB, and a loop device on it: the original takes no files.
/// </summary>
internal sealed class SharedDevice : IDisposable
{
    // In memory where it can be: a device is created with 511 durable writes.
    private readonly string _file = Path.Combine(
        Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(), $"sbd-test-{Guid.NewGuid():N}");

    public SharedDevice(int sectorSize = 512)
    {
        using (var file = File.OpenWrite(_file))
        {
            file.SetLength(sectorSize * 2048L);
        }

        var (code, output, errors) =
            Tool.Run("losetup", "--find", "--show", "--sector-size", $"{sectorSize}", "--direct-io=off", _file);
        if (code != 0)
        {
            File.Delete(_file);
            Assert.Skip("no loop device here: " + errors.Trim());
        }

        Node = output.Trim();
    }

    public string Node { get; }

    /// <summary>What is on it, but the UUID, which is drawn anew.</summary>
    public byte[] Content()
    {
        Tool.Run("blockdev", "--flushbufs", Node);
        var bytes = File.ReadAllBytes(_file);
        bytes.AsSpan(33, 16).Clear();
        return bytes;
    }

    public void Write(long offset, params byte[] bytes)
    {
        using var device = new FileStream(Node, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        device.Position = offset;
        device.Write(bytes);
        device.Flush(flushToDisk: true);
    }

    public void Dispose()
    {
        Tool.Run("losetup", "--detach", Node);
        File.Delete(_file);
    }
}

/// <summary>Runs a program to its end.</summary>
internal static class Tool
{
    public static (int Code, string Output, string Errors) Run(string program, params string[] arguments) =>
        RunWith(_ => { }, program, arguments);

    public static (int Code, string Output, string Errors) RunWith(
        Action<IDictionary<string, string?>> environment, string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true,
        };
        environment(start.Environment);
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var errors = Task.Run(process.StandardError.ReadToEnd);
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, errors.Result);
    }
}
