using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.Interop.Tests;

/// <summary>Kernel and initramfs of the guest, made from Debian packages and kept below artifacts/.</summary>
internal sealed record GuestImage(string Kernel, string InitialRamDisk, string Version)
{
    private const int BuildSeconds = 600;
    private const int SomethingIsMissing = 3;

    /// <param name="series">6.1 or 6.12.</param>
    public static GuestImage Get(string series)
    {
        string folder = Path.Combine(Programs.RepositoryRoot, "artifacts", "interop", "guest-" + series);
        string script = Path.Combine(Programs.RepositoryRoot, "tests", "interop", "guest", "build");
        ToolResult result = Tool.Run(script, BuildSeconds, [series, folder]);
        if (result.ExitCode == SomethingIsMissing)
        {
            Assert.Skip("no guest: " + result.Error.Trim().Split('\n')[^1]);
        }

        return new GuestImage(
            Path.Combine(folder, "vmlinuz"), Path.Combine(folder, "initrd.gz"), result.OrThrow().Output.Split('\n')[0]);
    }
}
