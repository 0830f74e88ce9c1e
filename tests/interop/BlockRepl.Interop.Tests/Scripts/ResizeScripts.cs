using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.Interop.Tests;

/// <summary>
/// Backing disks that grow while the device is in use, and ranges that are zeroed without sending zeroes.
/// </summary>
[Trait("Category", "Interop")]
public sealed class ResizeScripts(Laboratory laboratory)
{
    private const long SmallBytes = 40L << 20;
    private const long GrownBytes = 56L << 20;

    /// <summary>Either node's administrator may say it, whatever its role.</summary>
    public static TheoryData<Side, Side, Setup> Initiators { get; } = new()
    {
        { Side.BlockRepl, Side.BlockRepl, Setup.Boards },
        { Side.BlockRepl, Side.Kernel, Setup.Careful },
        { Side.Kernel, Side.Kernel, Setup.Boards },
        { Side.Kernel, Side.BlockRepl, Setup.Careful },
    };

    [Theory]
    [MemberData(nameof(Initiators))]
    public void The_device_grows_with_its_disks_while_it_is_written_to(Side primary, Side initiator, Setup setup) =>
        Scenario.Play(laboratory, primary, new Configuration { Setup = setup }, s =>
        {
            s.CreateInSync();
            using Load load = s.StartLoadAndSeeIt();
            Grow(s, initiator);
            s.WaitForWrites(load);
            load.MustEndWithoutError();
            s.MustBeEqual();
            s.Write();
            s.MustBeEqual();
            MustBeTheSameWhenStartedAnew(s);
        });

    [Theory]
    [MemberData(nameof(Initiators))]
    public void Growth_that_is_known_to_be_clean_is_not_copied(Side primary, Side initiator, Setup setup) =>
        Scenario.Play(laboratory, primary, new Configuration { Setup = setup }, s =>
        {
            s.CreateInSync();
            long before = Grow(s, initiator, "--assume-clean");
            s.Write();

            // All but the place of the old meta data was known to be equal.
            s.Primary.WriteZeroes(before, (int)(SmallBytes - before), mayUnmap: false);
            s.MustBeEqual();
            MustBeTheSameWhenStartedAnew(s);
        });

    [Theory]
    [InlineData(Side.BlockRepl, Setup.Boards, true)]
    [InlineData(Side.Kernel, Setup.Boards, true)]
    [InlineData(Side.BlockRepl, Setup.Careful, true)]
    [InlineData(Side.Kernel, Setup.Careful, true)]
    [InlineData(Side.BlockRepl, Setup.Careful, false)]
    [InlineData(Side.Kernel, Setup.Careful, false)]
    public void Zeroed_ranges_read_as_zero_on_both(Side primary, Setup setup, bool withoutDigest)
    {
        var configuration = new Configuration { Setup = setup, WithoutDigest = withoutDigest };
        Scenario.Play(laboratory, primary, configuration, s =>
        {
            if (withoutDigest)
            {
                s.Expect("P_ZEROES", "P_TRIM");
            }

            s.CreateInSync();
            s.Write(count: 30, largestBytes: 1 << 20);
            ZeroAndSee(s, 4 << 20, 3 << 20, mayUnmap: true);
            ZeroAndSee(s, 12 << 20, 2 << 20, mayUnmap: false);
            ZeroAndSee(s, (20 << 20) + 512, 4096 + 1024, mayUnmap: false);
            ZeroAndSee(s, (24 << 20) + 512, 4096 + 1024, mayUnmap: true);
            s.Primary.Discard(28 << 20, 1 << 20);
            s.MustBeEqual();
            s.Secondary.Disconnect();
            ZeroAndSee(s, 30 << 20, 1 << 20, mayUnmap: true);
            s.Secondary.Connect();
            s.WaitConnected();
            s.MustBeEqual();
        });
    }

    /// <summary>Both disks grow, and the device when the initiator says so.</summary>
    /// <returns>What its size was.</returns>
    private static long Grow(Scenario s, Side initiator, params string[] options)
    {
        long before = s.DeviceBytes();
        foreach (Host host in s.Both)
        {
            host.ResizeDisk(Disks.Small, GrownBytes);
        }

        (initiator == Side.BlockRepl ? s.BlockRepl : s.Kernel).Do("resize", options);
        foreach (Host host in s.Both)
        {
            host.WaitForSize(bytes => bytes > before + (15 << 20));
        }

        s.Note($"grown from {before} to {s.DeviceBytes()}");
        Assert.Equal(s.Primary.DeviceBytes(), s.Secondary.DeviceBytes());
        return before;
    }

    /// <summary>The meta data were moved on both, and say the same.</summary>
    private static void MustBeTheSameWhenStartedAnew(Scenario s)
    {
        long size = s.DeviceBytes();
        s.Primary.Secondary();
        s.Reconfigure(c => c);
        s.WaitInSync();
        Assert.Equal(size, s.Primary.DeviceBytes());
        Assert.Equal(size, s.Secondary.DeviceBytes());
        s.Primary.Primary();
        s.Write();
        s.MustBeEqual();
    }

    /// <summary>The answer says that the zeroes are there; with protocol B the other disk has them later.</summary>
    private static void ZeroAndSee(Scenario s, long offset, int bytes, bool mayUnmap)
    {
        s.Primary.WriteZeroes(offset, bytes, mayUnmap);
        foreach (Host host in s.Both.Where(h => h == s.Primary || h.Status().IsConnected))
        {
            bool IsZero() => host.Disks.Read(Disks.Small, offset, bytes).AsSpan().IndexOfAnyExcept((byte)0) < 0;
            if (host == s.Secondary && s.Configuration.Setup == Setup.Boards)
            {
                Poll.Until(IsZero, $"{bytes} zeroes at {offset} on {host.Name}");
            }

            Assert.True(IsZero(), $"{bytes} bytes at {offset} are not zero on {host.Name}");
        }
    }
}
