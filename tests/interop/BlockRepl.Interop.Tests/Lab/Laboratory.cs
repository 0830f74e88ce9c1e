using BlockRepl.Nodes;
using Xunit;

[assembly: CollectionBehavior(MaxParallelThreads = 2)]
[assembly: AssemblyFixture(typeof(BlockRepl.Interop.Tests.Laboratory))]

namespace BlockRepl.Interop.Tests;

/// <summary>
/// The benches of a run, as many as there are scripts at one time: most of a script is waiting for time-outs. With
/// BLOCKREPL_INTEROP_PEERS=kernels a second guest takes the place of our daemon: what do two kernels do in the same
/// script?
/// </summary>
public sealed class Laboratory : IDisposable
{
    private static readonly string[] NeededPrograms =
        ["qemu-system-x86_64", "ip", "tcpdump", "tshark"];

    private readonly Lock _lock = new();
    private readonly Stack<Bench> _idle = [];
    private GuestImage? _image;
    private int _benches;

    /// <summary>
    /// 6.1 or 6.12: which of Debian 12's kernels; from the environment variable BLOCKREPL_INTEROP_KERNEL.
    /// </summary>
    public static string Series { get; } = Environment.GetEnvironmentVariable("BLOCKREPL_INTEROP_KERNEL") ?? "6.1";

    internal static bool HasTwoKernels { get; } =
        Environment.GetEnvironmentVariable("BLOCKREPL_INTEROP_PEERS") == "kernels";

    /// <summary>
    /// A bench that nobody uses. Skips the test if a tool, a privilege or the network is missing.
    /// </summary>
    internal Bench Take()
    {
        lock (_lock)
        {
            _image ??= FindImage();
            return _idle.TryPop(out Bench? bench) ? bench : new Bench(_image, ++_benches);
        }
    }

    internal void Return(Bench bench)
    {
        lock (_lock)
        {
            _idle.Push(bench);
        }
    }

    private static GuestImage FindImage()
    {
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

        if (NetworkSegment.WhyImpossible() is { } reason)
        {
            Assert.Skip("needs network namespaces and taps: " + reason);
        }

        return GuestImage.Get(Series);
    }

    /// <summary>Ends what it started.</summary>
    public void Dispose()
    {
        foreach (Bench bench in _idle)
        {
            bench.Dispose();
        }
    }
}
