using BlockRepl.Nodes;
using Xunit;

[assembly: CollectionBehavior(DisableTestParallelization = true)]
[assembly: AssemblyFixture(typeof(BlockRepl.Interop.Tests.Laboratory))]

namespace BlockRepl.Interop.Tests;

/// <summary>
/// The segment and the two nodes that all scripts of a run use. It is set up by the first script that asks for it; the
/// guest stays on between scripts unless one cut its power.
/// </summary>
public sealed class Laboratory : IDisposable
{
    private static readonly string[] NeededPrograms =
        ["qemu-system-x86_64", "ip", "tcpdump", "tshark"];

    private string? _folder;
    private NetworkSegment? _segment;
    private Guest? _guest;

    /// <summary>
    /// 6.1 or 6.12: which of Debian 12's kernels; from the environment variable BLOCKREPL_INTEROP_KERNEL.
    /// </summary>
    public static string Series { get; } = Environment.GetEnvironmentVariable("BLOCKREPL_INTEROP_KERNEL") ?? "6.1";

    internal string Folder => _folder!;

    internal NetworkSegment Segment => _segment!;

    internal Guest Guest => _guest!;

    internal BlockReplHost BlockRepl { get; private set; } = null!;

    internal KernelHost Kernel { get; private set; } = null!;

    /// <summary>Skips the test if a tool, a privilege or the network is missing.</summary>
    internal void Open()
    {
        if (_guest is not null)
        {
            return;
        }

        if (Environment.UserName != "root")
        {
            Assert.Skip("needs root: network namespaces and taps");
        }

        foreach (string program in NeededPrograms)
        {
            if (Tool.Find(program) is null)
            {
                Assert.Skip("needs " + program);
            }
        }

        GuestImage image = GuestImage.Get(Series);
        _folder = Directory.CreateTempSubdirectory("interop-").FullName;
        _segment = new NetworkSegment();
        var theirs = new Disks(_folder, "kernel");
        _guest = new Guest(_segment, image, _folder, theirs.Paths);
        Kernel = new KernelHost(_guest, theirs);
        BlockRepl = new BlockReplHost(_segment, _folder, new Disks(_folder, "ours"));
    }

    /// <summary>Ends what it started.</summary>
    public void Dispose()
    {
        BlockRepl?.Dispose();
        _guest?.Dispose();
        _segment?.Dispose();
        if (_folder is not null)
        {
            Directory.Delete(_folder, recursive: true);
        }
    }
}
