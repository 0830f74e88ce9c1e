using BlockRepl.Core;
using BlockRepl.Core.Options;
using BlockRepl.Core.Protocol;
using BlockRepl.Core.Resource;
using BlockRepl.Core.State;
using BlockRepl.Simulation.Net;
using BlockRepl.Simulation.Nodes;
using BlockRepl.Simulation.Scenarios;
using Xunit;

namespace BlockRepl.Simulation.Tests;

/// <summary>
/// Both nodes are Primary and write to the same blocks: which write wins is open, that it is the same one is not.
/// </summary>
public sealed class TwoPrimariesScenarios
{
    [Fact]
    public void Concurrent_equal_writes_end_with_the_decider_s_data_on_both()
    {
        Scenario s = Both(new NetworkSettings(), seed: 1);
        s.StartWrite(s.A, 800, 4096).StartWrite(s.B, 800, 4096).Until(() => IsIdle(s), "both writes are answered");
        s.UntilInSync();
        Assert.Equal(1, s.Cluster.Wire.Counts[Command.Superseded]);
        Assert.False(s.Cluster.Wire.Counts.ContainsKey(Command.RetryWrite));
    }

    [Fact]
    public void A_write_that_only_overlaps_the_decider_s_is_sent_again()
    {
        Scenario s = Both(new NetworkSettings(), seed: 2);
        SimNode decider = Decider(s);
        long epochs = s.Cluster.Wire.Counts[Command.BarrierAck];
        s.StartWrite(decider, 800, 4096).StartWrite(decider.Peer, 800, 8192).Until(
            () => IsIdle(s), "both writes are answered");
        s.UntilInSync();
        Assert.Equal(1, s.Cluster.Wire.Counts[Command.RetryWrite]);
        Assert.Equal(epochs + 2, s.Cluster.Wire.Counts[Command.BarrierAck]);
    }

    [Fact]
    public void Writes_one_after_the_other_never_conflict()
    {
        Scenario s = Both(new NetworkSettings { MaxLatencyNs = 5 * Duration.Millisecond }, seed: 3);
        for (int i = 0; i < 200; i++)
        {
            s.Write(i % 2 == 0 ? s.A : s.B, 800, 4096);
        }

        s.UntilInSync();
        Assert.False(s.Cluster.Wire.Counts.ContainsKey(Command.Superseded));
        Assert.False(s.Cluster.Wire.Counts.ContainsKey(Command.RetryWrite));
    }

    [Fact]
    public void Without_the_sequence_a_later_write_is_thrown_away() => Assert.Throws<SimulationException>(
        () => ForSeeds(1, 20, seed => Storm(seed, 101, rounds: 30, f => f.IgnoreSequence = true).UntilInSync()));

    [Fact]
    public void Without_verdicts_a_storm_ends_badly() => Assert.Throws<SimulationException>(
        () => ForSeeds(1, 20, seed => Storm(seed, 101, rounds: 30, f => f.IgnoreConflicts = true).UntilInSync()));

    [Fact]
    public void A_flush_behind_writes_that_all_lost_is_answered()
    {
        Scenario s = Both(new NetworkSettings(), seed: 4);
        SimNode decider = Decider(s);
        for (ulong i = 0; i < 10; i++)
        {
            s.StartWrite(decider, 800 + (i * 8), 4096).StartWrite(decider.Peer, 800 + (i * 8), 4096);
        }

        decider.Peer.FrontEnd.Submit(RequestKind.Flush, 0, 0, 0);
        s.Until(() => IsIdle(s), "the flush is answered").UntilInSync();
    }

    [Theory]
    [InlineData(101)]
    [InlineData(96)]
    public void Storms_of_overlapping_writes_end_equal(int version)
    {
        ForSeeds(1, 41, seed =>
        {
            Storm(seed, version, rounds: 30).UntilInSync();
        });
    }

    [Fact]
    public void A_link_that_breaks_in_a_storm_loses_no_mark()
    {
        ForSeeds(100, 140, seed =>
        {
            Scenario s = Storm(seed, 101, rounds: 6);
            StartRound(s, new Rng(seed));
            s.Wait((long)(seed % 7) * Duration.Millisecond).Demote(s.B);
            StartWritesOf(s, s.A, new Rng(seed));
            s.LinkDown().UntilApart(s.A).UntilApart(s.B).LinkUp().UntilInSync().ReadAll(s.A);
        });
    }

    [Fact]
    public void A_primary_that_dies_in_a_storm_is_resynchronised_from_the_other()
    {
        ForSeeds(200, 240, seed =>
        {
            Scenario s = Storm(seed, 101, rounds: 6);
            StartRound(s, new Rng(seed));
            s.Wait((long)(seed % 11) * Duration.Millisecond);
            (seed % 2 == 0 ? s.PowerLoss(s.B) : s.Kill(s.B)).UntilApart(s.A);
            s.Cluster.Coverage.Check(0, "after the crash");
            s.Restart(s.B).UntilInSync().Promote(s.B);
            StartRound(s, new Rng(seed + 1));
            s.Until(() => IsIdle(s), "the writes after the crash are answered").UntilInSync();
        });
    }

    /// <summary>A failure names its seed.</summary>
    private static void ForSeeds(ulong from, ulong to, Action<ulong> run)
    {
        for (ulong seed = from; seed < to; seed++)
        {
            try
            {
                run(seed);
            }
            catch (SimulationException failure)
            {
                throw new SimulationException($"seed {seed}: {failure.Message}");
            }
        }
    }

    private static Scenario Both(NetworkSettings network, ulong seed, int version = 101)
    {
        SimOptions options = new()
        {
            Net = new NetOptions { Protocol = ReplicationProtocol.C, AllowTwoPrimaries = true },
            Network = network,
            PeerMaxVersion = version,
        };
        Scenario s = new Scenario(options, seed).InSync();

        // The extents that are written to are hot from now on: no log write tells concurrent writes apart.
        return s.Promote(s.B).Write(s.A, 0, 512).Write(s.B, 0, 512).Wait(100 * Duration.Millisecond);
    }

    /// <summary>Rounds of a few writes on each node, into the same few blocks, from a seed.</summary>
    private static Scenario Storm(ulong seed, int version, int rounds, Action<CoreFaults>? plant = null)
    {
        Rng rng = new(seed);
        Scenario s = Both(
            new NetworkSettings
            {
                MaxLatencyNs = rng.Pick(100, 1000, 5000) * Duration.Microsecond,
                TinyChunkPercent = rng.Pick(0, 10),
            },
            seed,
            version);
        Plant(s, plant ?? (_ => { }));
        for (int round = 0; round < rounds; round++)
        {
            StartRound(s, rng);
            s.Wait(rng.Between(0, 10) * Duration.Millisecond);
            s.Cluster.Coverage.Check(0, "in a storm");
        }

        s.Until(() => IsIdle(s), "every write is answered");
        return s;
    }

    private static void Plant(Scenario s, Action<CoreFaults> plant)
    {
        foreach (SimNode node in s.Cluster.Nodes)
        {
            plant(node.RunningHost.Core.Faults);
        }
    }

    private static void StartRound(Scenario s, Rng rng)
    {
        StartWritesOf(s, s.A, rng);
        StartWritesOf(s, s.B, rng);
    }

    private static void StartWritesOf(Scenario s, SimNode node, Rng rng)
    {
        for (int i = rng.Below(5); i >= 0; i--)
        {
            ulong sector = 800 + (ulong)rng.Below(40);
            s.StartWrite(node, sector, 512 * (1 + rng.Below(rng.Pick(2, 16, 64))));
        }
    }

    private static SimNode Decider(Scenario s) =>
        s.Cluster.Nodes.First(n => n.RunningHost.Core.Connection.ResolveConflicts);

    private static bool IsIdle(Scenario s) => s.Cluster.Nodes.All(n => n.FrontEnd.RunningCount == 0);
}
