using BlockRepl.Core;
using BlockRepl.Core.State;
using BlockRepl.Simulation.Disk;
using BlockRepl.Simulation.Nodes;
using BlockRepl.Simulation.Scenarios;
using Xunit;

namespace BlockRepl.Simulation.Tests;

/// <summary>Backing disks with internal meta data grow while the device is in use.</summary>
public sealed class ResizeScenarios
{
    private static readonly SimOptions Options = new() { DeviceBytes = 48L << 20, GrowthBytes = 16L << 20 };

    private static readonly AdminCommand Resize = new AdminCommand.Resize(0, 0, false, false);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Both_grow_and_the_new_space_is_resynced(bool byPrimary)
    {
        Scenario s = Grown(Options);
        s.WriteEverywhere(s.A, 30);
        StartWrites(s);
        s.Do(byPrimary ? s.A : s.B, Resize);
        s.Until(() => HasGrown(s.A) && HasGrown(s.B), "both nodes have the new size").UntilInSync().ReadAll(s.A);
        s.PowerLoss(s.A).Until(() => s.B.Status[0].Connection < ConnectionState.Connected, "b is alone");
        s.Restart(s.A).UntilInSync().Promote(s.A).ReadAll(s.A);
        Assert.True(HasGrown(s.A));
    }

    [Fact]
    public void New_space_that_is_known_to_be_clean_is_not_resynced()
    {
        Scenario s = Grown(Options);
        s.Do(s.A, new AdminCommand.Resize(0, 0, false, true));
        s.Until(() => HasGrown(s.A) && HasGrown(s.B), "both nodes have the new size");
        Assert.Equal(0ul, s.A.Status[0].OutOfSyncKiB);
        s.UntilInSync();
    }

    /// <summary>Alone the size stays, but the meta data must be found at the new end.</summary>
    [Fact]
    public void Alone_only_the_meta_data_move()
    {
        Scenario s = Grown(Options);
        ulong before = s.A.Status[0].SizeSectors;
        s.LinkDown().UntilApart(s.A).Write(s.A, 4096, 8192).Do(s.A, Resize);
        Assert.Equal(before, s.A.Status[0].SizeSectors);
        Assert.Equal(Options.GrownFacts, s.A.Volumes[0].Facts);
        s.Write(s.A, 16384, 8192).PowerLoss(s.A).LinkUp().Restart(s.A).UntilInSync().Promote(s.A).ReadAll(s.A);
    }

    /// <summary>The old meta data are there, or new ones that trust no bitmap.</summary>
    [Fact]
    public void A_power_failure_in_the_move_loses_nothing()
    {
        for (ulong seed = 1; seed <= 60; seed++)
        {
            Scenario s = Grown(Options, seed);
            StartWrites(s);
            s.A.Command(Resize);
            s.Wait((long)seed * Duration.Millisecond / 2).PowerLoss(s.A);
            s.A.Volumes[0].FindMetaData(Options.Facts);
            s.Until(() => s.B.Status[0].Connection < ConnectionState.Connected, "b is alone");
            s.Restart(s.A).UntilInSync().Promote(s.A).ReadAll(s.A);
        }
    }

    private static Scenario Grown(SimOptions options, ulong seed = 1)
    {
        Scenario s = new Scenario(options, seed).InSync();
        foreach (SimNode node in s.Cluster.Nodes)
        {
            node.Volumes[0].Grow(options.GrownFacts);
        }

        return s;
    }

    private static void StartWrites(Scenario s)
    {
        for (ulong i = 0; i < 20; i++)
        {
            s.StartWrite(s.A, i * 2500 / 8 * 8, 4096);
        }
    }

    private static bool HasGrown(SimNode node) => node.Status[0].SizeSectors > (ulong)(40L << 20) / 512;
}
