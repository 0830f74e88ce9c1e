using BlockRepl.Nodes;
using Xunit;

[assembly: CollectionBehavior(DisableTestParallelization = true)]
[assembly: AssemblyFixture(typeof(BlockRepl.Interop.Tests.Laboratory))]

namespace BlockRepl.Interop.Tests;

/// <summary>
/// The segment and the two nodes that all scripts of a run use. It is set up by the first script that asks for it; the
/// guest stays on between scripts unless one cut its power. With BLOCKREPL_INTEROP_PEERS=kernels a second guest takes
/// the place of our daemon: what do two kernels do in the same script?
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

    internal static bool HasTwoKernels { get; } =
        Environment.GetEnvironmentVariable("BLOCKREPL_INTEROP_PEERS") == "kernels";

    internal string Folder => _folder!;

    internal NetworkSegment Segment => _segment!;

    internal Guest Guest => _guest!;

    /// <summary>Our daemon, or a second kernel in its place.</summary>
    internal Host BlockRepl { get; private set; } = null!;

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
        _segment = new NetworkSegment(HasTwoKernels);
        Kernel = AddGuest(image, new Guest.Place("kernel", 2, NetworkSegment.Tap));
        _guest = Kernel.Guest;
        BlockRepl = HasTwoKernels
            ? AddGuest(image, new Guest.Place("blockrepl", 1, NetworkSegment.SecondTap))
            : new BlockReplHost(_segment, _folder, new Disks(_folder, "ours"));
    }

    private KernelHost AddGuest(GuestImage image, Guest.Place place)
    {
        var disks = new Disks(_folder!, place.HostName + "-disk");
        var guest = new Guest(_segment!, place, image, Path.Combine(_folder!, place.HostName), disks.Paths);
        return new KernelHost(place.HostName, guest, disks);
    }

    /// <summary>Ends what it started.</summary>
    public void Dispose()
    {
        (BlockRepl as IDisposable)?.Dispose();
        Kernel?.Dispose();
        _segment?.Dispose();
        if (_folder is not null)
        {
            Directory.Delete(_folder, recursive: true);
        }
    }
}
