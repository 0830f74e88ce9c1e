using BlockRepl.Core;
using BlockRepl.Core.Options;
using BlockRepl.Core.Protocol;
using BlockRepl.Core.State;
using BlockRepl.Simulation.Checks;
using BlockRepl.Simulation.Disk;
using BlockRepl.Simulation.Net;
using BlockRepl.Simulation.Nodes;
using BlockRepl.Simulation.Scenarios;
using Xunit;

namespace BlockRepl.Simulation.Tests;

/// <summary>Resync in its situations; the checkers of the cluster look on in each.</summary>
public sealed class ResyncScenarios
{
    [Fact]
    public void First_full_sync_copies_everything_from_the_forced_primary()
    {
        Scenario s = new();
        byte[] block = new byte[4096];
        for (ulong i = 0; i < 40; i++)
        {
            int node = (int)(i % 2);
            AppWrite write = s.Cluster.Content.Preset(node, 0, i * 800, 8);
            Pattern.Fill(block, write.Id, 0, i * 800);
            s.Cluster.Nodes[node].Volumes[0].Data.Preset((long)i * 800 * 512, block);
        }

        s.BothConnected().Promote(s.A, force: true).UntilInSync().ReadAll(s.A);
        Assert.Equal(0UL, s.B.Status[0].OutOfSyncKiB);
    }

    [Fact]
    public void First_sync_skipped_moves_no_data()
    {
        Scenario s = new Scenario().InSync();
        s.UntilInSync();
        Assert.False(s.Cluster.Wire.Counts.ContainsKey(Command.RsDataRequest));
    }

    [Fact]
    public void Link_loss_then_writes_resyncs_by_bitmap_only()
    {
        Scenario s = new Scenario().InSync().LinkDown();
        s.UntilApart(s.A).UntilApart(s.B).WriteEverywhere(s.A, 20);
        s.LinkUp().UntilInSync();
        Assert.InRange(s.Cluster.Wire.Counts[Command.RsDataReply], 1, 20);
    }

    [Fact]
    public void Resync_interrupted_resumes_where_the_bitmap_says()
    {
        Scenario s = new Scenario(new SimOptions { MaxDiskLatencyNs = 20 * Duration.Millisecond }).InSync().LinkDown();
        s.UntilApart(s.A).UntilApart(s.B).WriteEverywhere(s.A, 600);
        s.LinkUp().UntilConnection(s.B, ConnectionState.SyncTarget).Wait(50 * Duration.Millisecond).LinkDown();
        s.UntilApart(s.A).UntilApart(s.B).LinkUp().UntilInSync();
    }

    [Fact]
    public void Writes_during_a_resync_reach_both()
    {
        Scenario s = new Scenario(new SimOptions { MaxDiskLatencyNs = 10 * Duration.Millisecond }).InSync().LinkDown();
        s.UntilApart(s.A).UntilApart(s.B).WriteEverywhere(s.A, 500);
        s.LinkUp().UntilConnection(s.A, ConnectionState.SyncSource);
        s.WriteEverywhere(s.A, 300).UntilInSync().ReadAll(s.A);
    }

    [Theory]
    [InlineData(250, true)]
    [InlineData(0, false)]
    public void The_source_slows_a_resync_down_to_min_rate_while_its_application_works(int minRate, bool slower)
    {
        ResyncOptions resync =
            new() { PlanAheadDeciseconds = 0, RateKiBPerSecond = 1024, MinRateKiBPerSecond = minRate };
        SimOptions options = new() { Disk = new DiskOptions { Resync = resync } };
        Scenario s = new Scenario(options).InSync().LinkDown();
        s.UntilApart(s.A).UntilApart(s.B).WriteEverywhere(s.A, 1500);
        s.LinkUp().UntilConnection(s.A, ConnectionState.SyncSource);
        long began = s.Cluster.Queue.NowNs;
        for (ulong i = 0; s.A.Status[0].Connection == ConnectionState.SyncSource; i++)
        {
            s.Read(s.A, i % 100 * 8, 65536);
        }

        long took = s.Cluster.Queue.NowNs - began;
        Assert.InRange(took, (slower ? 12 : 0) * Duration.Second, (slower ? 100 : 8) * Duration.Second);
        s.UntilInSync();
    }

    [Fact]
    public void Sync_uuid_lost_is_repaired_by_the_next_connection()
    {
        Scenario s = new Scenario().InSync().LinkDown();
        s.UntilApart(s.A).UntilApart(s.B).WriteEverywhere(s.A, 50);
        bool cut = false;
        s.Cluster.BatchEnded = node =>
        {
            if (!cut && node == s.A && node.Status[0].Connection == ConnectionState.SyncSource)
            {
                cut = true;
                foreach (SimSocket socket in s.Cluster.Network.OpenSockets.Where(o => o.Node == 0))
                {
                    socket.CutAfterBytes = 0;
                }
            }
        };
        s.LinkUp().UntilInSync();
        Assert.True(cut);
    }

    [Fact]
    public void Late_attach_of_the_secondary_syncs_it()
    {
        Scenario s = new Scenario().InSync();
        s.Detach(s.B).WriteEverywhere(s.A, 10).Attach(s.B).UntilInSync();
    }

    /// <summary>The source's start waits behind its superblock; what it starts on is over by then.</summary>
    [Fact]
    public void A_target_that_comes_back_while_the_source_is_slow_to_start_gets_its_own_exchange_of_bitmaps()
    {
        Scenario s = new Scenario(new SimOptions { ExternalMetaData = true }).InSync();
        s.Detach(s.B).WriteEverywhere(s.A, 600).Attach(s.B).UntilConnection(s.B, ConnectionState.SyncTarget);
        s.Detach(s.B, force: true).Wait(Duration.Second);
        s.A.Volumes[0].Meta.Faults.Add(new DiskFault(DiskFaultKind.Stall) { Times = 1, StallNs = 5 * Duration.Second });
        s.Attach(s.B).UntilConnection(s.A, ConnectionState.WFBitMapS).Wait(Duration.Second);
        Assert.Equal(ConnectionState.WFBitMapS, s.A.Status[0].Connection);
        s.Detach(s.B, force: true).UntilConnection(s.A, ConnectionState.Connected);
        s.Attach(s.B).UntilInSync();
        Assert.Equal(2, s.Cluster.Wire.Counts[Command.ConnectionFeatures]);
    }

    [Fact]
    public void Invalidated_secondary_gets_everything_again()
    {
        Scenario s = new Scenario(new SimOptions { DeviceBytes = 9 << 20 }).InSync();
        s.WriteEverywhere(s.A, 20).Do(s.B, new AdminCommand.Invalidate(0, false)).UntilInSync();
        Assert.True(s.Cluster.Wire.Counts[Command.RsDataReply] > 0);
    }

    [Fact]
    public void Verify_marks_a_planted_difference_and_a_new_connection_repairs_it()
    {
        SimOptions options = new()
        {
            DeviceBytes = 9 << 20,
            Net = new NetOptions { VerifyAlgorithm = DigestAlgorithm.Crc32c },
        };
        Scenario s = new Scenario(options).InSync().UntilInSync();
        byte[] garbage = new byte[4096];
        garbage.AsSpan().Fill(0x55);
        s.B.Volumes[0].Data.Preset(4096 * 100, garbage);
        s.Do(s.A, new AdminCommand.Verify(0, 0, ulong.MaxValue));
        s.Until(
            () => s.A.Status[0] is { Connection: ConnectionState.Connected, OutOfSyncKiB: 4 }
                && s.B.Status[0] is { Connection: ConnectionState.Connected, OutOfSyncKiB: 4 },
            "both know of one block");
        s.Disconnect(s.A).Connect(s.A).UntilInSync();
    }
}

/// <summary>What a crash leaves, and who has which data afterwards.</summary>
public sealed class CrashScenarios
{
    [Fact]
    public void Crashed_primary_comes_back_and_marks_its_hot_extents()
    {
        Scenario s = new Scenario().InSync();
        s.WriteEverywhere(s.A, 30);
        for (ulong i = 0; i < 20; i++)
        {
            s.StartWrite(s.A, i * 1000, 8192);
        }

        s.Wait(500 * Duration.Microsecond).PowerLoss(s.A).UntilApart(s.B).Restart(s.A).UntilInSync();
        s.Promote(s.A).ReadAll(s.A);
    }

    [Fact]
    public void Crashed_secondary_gets_what_it_lost()
    {
        Scenario s = new Scenario().InSync();
        s.WriteEverywhere(s.A, 30).PowerLoss(s.B).UntilApart(s.A).WriteEverywhere(s.A, 10);
        s.Restart(s.B).UntilInSync().ReadAll(s.A);
    }

    [Fact]
    public void Both_crash_and_the_flushed_data_are_there()
    {
        Scenario s = new Scenario().InSync();
        s.WriteEverywhere(s.A, 30).Flush(s.A).WriteEverywhere(s.A, 30);
        s.PowerLoss(s.A).PowerLoss(s.B).Restart(s.A).Restart(s.B).UntilInSync();
        s.Promote(s.A).ReadAll(s.A);
    }

    [Fact]
    public void Failover_and_failback_lose_nothing()
    {
        Scenario s = new Scenario().InSync();
        s.WriteEverywhere(s.A, 30).PowerLoss(s.A).UntilApart(s.B).Promote(s.B).ReadAll(s.B).WriteEverywhere(s.B, 25);
        s.Restart(s.A).UntilInSync().Demote(s.B).Promote(s.A).ReadAll(s.A);
    }

    [Fact]
    public void Killed_process_of_the_primary_recovers_in_place()
    {
        Scenario s = new Scenario().InSync();
        s.WriteEverywhere(s.A, 30).Kill(s.A).UntilApart(s.B).Restart(s.A).UntilInSync();
        s.Promote(s.A).ReadAll(s.A);
    }

    [Theory]
    [InlineData(ReplicationProtocol.A)]
    [InlineData(ReplicationProtocol.B)]
    [InlineData(ReplicationProtocol.C)]
    public void Switchover_with_each_protocol_keeps_every_write(ReplicationProtocol protocol)
    {
        Scenario s = new Scenario(new SimOptions { Net = new NetOptions { Protocol = protocol } }).InSync();
        s.WriteEverywhere(s.A, 40).Demote(s.A).Promote(s.B).ReadAll(s.B).WriteEverywhere(s.B, 40).UntilInSync();
    }
}

/// <summary>A Primary without a disk of its own.</summary>
public sealed class DisklessScenarios
{
    [Fact]
    public void Detached_primary_works_over_the_peer_and_takes_its_disk_back()
    {
        Scenario s = new Scenario().InSync();
        s.WriteEverywhere(s.A, 10).Detach(s.A).WriteEverywhere(s.A, 10).Read(s.A, 0, 65536);
        s.Attach(s.A).UntilInSync().ReadAll(s.A);
    }
}

/// <summary>Both nodes were Primary apart from each other.</summary>
public sealed class SplitBrainScenarios
{
    [Fact]
    public void Split_brain_is_refused_and_solved_by_hand()
    {
        Scenario s = Split(new NetOptions(), writesOnB: 10);
        s.LinkUp().Until(() => s.A.Status[0].Connection == ConnectionState.StandAlone, "a refuses");
        s.Wait(5 * Duration.Second);
        Assert.DoesNotContain(s.Cluster.Nodes, n => n.Status[0].Connection >= ConnectionState.Connected);
        s.Demote(s.B);
        if (s.B.Status[0].Connection != ConnectionState.StandAlone)
        {
            s.Disconnect(s.B);
        }

        s.Cluster.Content.Model(1, 0).IsCurrent = false;
        s.Connect(s.B, discardMyData: true).Connect(s.A).UntilInSync().ReadAll(s.A);
    }

    /// <summary>
    /// Handlers take from 1 to 50 ms. Who is through first closes the connection, and the other gives up all the same.
    /// </summary>
    [Fact]
    public void Both_call_their_handlers_and_give_up_whoever_is_faster()
    {
        HandlerKind[] expected = [HandlerKind.InitialSplitBrain, HandlerKind.SplitBrain];
        for (ulong seed = 1; seed <= 20; seed++)
        {
            Scenario s = Split(new NetOptions(), writesOnB: 10, seed);
            Dictionary<SimNode, List<(HandlerKind Handler, long AtNs)>> called = [];
            foreach (SimNode node in s.Cluster.Nodes)
            {
                called[node] = [];
                node.HandlerExitCode = handler =>
                {
                    called[node].Add((handler, s.Cluster.Queue.NowNs));
                    return 0;
                };
            }

            s.LinkUp().Until(
                () => s.Cluster.Nodes.All(n => n.Status[0].Connection == ConnectionState.StandAlone), "both give up");
            Assert.All(called.Values, calls =>
            {
                Assert.Equal(expected, calls.Select(c => c.Handler));
                Assert.True(calls[1].AtNs > calls[0].AtNs, "decided before initial-split-brain had ended");
            });
        }
    }

    [Theory]
    [InlineData(AfterSplitBrain.DiscardZeroChanges, 0)]
    [InlineData(AfterSplitBrain.DiscardLeastChanges, 5)]
    [InlineData(AfterSplitBrain.DiscardYoungerPrimary, 5)]
    [InlineData(AfterSplitBrain.DiscardOlderPrimary, 5)]
    public void Policy_without_primaries_chooses_a_side(AfterSplitBrain policy, int writesOnB)
    {
        Scenario s = Split(new NetOptions { AfterSplitBrain0Primaries = policy }, writesOnB);
        s.Demote(s.A).Demote(s.B).LinkUp().UntilInSync();
    }

    [Theory]
    [InlineData(AfterSplitBrain.DiscardSecondary)]
    [InlineData(AfterSplitBrain.Consensus)]
    public void Policy_with_one_primary_keeps_its_data(AfterSplitBrain policy)
    {
        NetOptions net = new()
        {
            AfterSplitBrain0Primaries = AfterSplitBrain.DiscardLeastChanges,
            AfterSplitBrain1Primary = policy,
        };
        Scenario s = Split(net, writesOnB: 5);
        s.Demote(s.B).LinkUp().UntilInSync().ReadAll(s.A);
    }

    [Fact]
    public void A_primary_to_be_sacrificed_hears_of_the_split_brain_first_and_once()
    {
        NetOptions net = new()
        {
            AfterSplitBrain0Primaries = AfterSplitBrain.DiscardLeastChanges,
            AfterSplitBrain1Primary = AfterSplitBrain.CallPrimaryLostAfterSplitBrain,
        };
        Scenario s = Split(net, writesOnB: 40);
        List<HandlerKind> called = [];
        s.A.HandlerExitCode = handler =>
        {
            called.Add(handler);
            return 0;
        };
        s.Demote(s.B).LinkUp();
        s.Until(() => called.Contains(HandlerKind.PrimaryLostAfterSplitBrain), "a is told that it lost");
        Assert.Equal(HandlerKind.InitialSplitBrain, called[0]);
        Assert.Single(called, HandlerKind.InitialSplitBrain);
    }

    /// <summary>
    /// b comes back while it cannot say so, and the Primary gives its own disk up: what b has is all there is, by the
    /// rules.
    /// </summary>
    [Fact]
    public void Late_attach_of_another_history_is_refused_until_somebody_chooses()
    {
        Scenario s = new Scenario().InSync();
        s.Detach(s.B).WriteEverywhere(s.A, 20);
        s.Cluster.Network.SetLink(1, up: false);
        s.Attach(s.B).Detach(s.A, force: true).Demote(s.A);
        s.Until(() => s.B.Status[0].Disk == DiskState.UpToDate, "b takes its disk for the only one");
        s.Cluster.Network.SetLink(1, up: true);
        s.Wait(Duration.Second);
        for (int i = 0; i < 3; i++)
        {
            s.Attach(s.A).Until(() => s.A.Status[0].Disk == DiskState.Diskless, "a's disk is refused");
            Assert.Equal(ConnectionState.Connected, s.A.Status[0].Connection);
        }

        s.Disconnect(s.A).Attach(s.A).Connect(s.A).Wait(30 * Duration.Second);
        Assert.Contains(s.Cluster.Nodes, n => n.Status[0].Connection == ConnectionState.StandAlone);
        s.Cluster.Content.IsForked = true;
        foreach (SimNode node in s.Cluster.Nodes.Where(n => n.Status[0].Connection != ConnectionState.StandAlone))
        {
            s.Disconnect(node);
        }

        s.Connect(s.B, discardMyData: true).Connect(s.A).UntilInSync().Promote(s.A).ReadAll(s.A);
    }

    private static Scenario Split(NetOptions net, int writesOnB, ulong seed = 1)
    {
        Scenario s = new Scenario(new SimOptions { Net = net }, seed).InSync().LinkDown();
        s.UntilApart(s.A).UntilApart(s.B);
        s.Cluster.Content.IsForked = true;
        s.Promote(s.B).WriteEverywhere(s.A, 20);
        return writesOnB > 0 ? s.WriteEverywhere(s.B, writesOnB) : s;
    }
}

/// <summary>A disk that comes while the nodes are connecting.</summary>
public sealed class LateAttachScenarios
{
    [Fact]
    public void An_attach_may_end_in_the_middle_of_the_handshake()
    {
        for (ulong seed = 1; seed <= 10; seed++)
        {
            // The same seed brings the handshake at the same time.
            Scenario rehearsal = ConnectWithoutDisk(seed);
            long began = rehearsal.Cluster.Queue.NowNs;
            rehearsal.Until(
                () => rehearsal.A.Status[0].Connection >= ConnectionState.WFReportParams, "the handshake has begun");
            long handshake = rehearsal.Cluster.Queue.NowNs - began;

            Scenario s = ConnectWithoutDisk(seed).Wait(handshake - (5 * Duration.Millisecond));
            s.A.Command(new AdminCommand.Attach(0, s.A.Volume(0).Facts));
            s.UntilInSync();
        }
    }

    /// <summary>The target has noted that the resync is over, the source has not: the source corrects itself.</summary>
    [Fact]
    public void A_disk_that_went_as_its_resync_ended_gets_what_it_missed_when_it_comes_back()
    {
        Scenario s = new Scenario(new SimOptions { ExternalMetaData = true }).InSync().LinkDown();
        s.UntilApart(s.A).WriteEverywhere(s.A, 40);
        s.Cluster.BatchEnded = node =>
        {
            VolumeStatus status = s.B.Status[0];
            if (status.Connection == ConnectionState.SyncTarget && status.OutOfSyncKiB == 0)
            {
                s.B.Volumes[0].Meta.Faults.Add(new DiskFault(DiskFaultKind.FlushError));
                s.Cluster.BatchEnded = null;
            }
        };
        s.LinkUp().Until(() => s.B.Status[0].Disk == DiskState.Diskless, "b loses its disk as the resync ends");
        s.B.Volumes[0].Meta.Faults.Clear();

        s.Write(s.A, 800, 4096).Attach(s.B).UntilInSync();
    }

    /// <summary>What the target-to-be has is old: it does not stand in for the disk that has just gone.</summary>
    [Fact]
    public void A_source_whose_disk_goes_before_the_resync_does_not_go_on_with_the_target_s_data()
    {
        Scenario s = new Scenario(new SimOptions { ExternalMetaData = true }).InSync().LinkDown();
        s.UntilApart(s.A).WriteEverywhere(s.A, 40);
        s.Cluster.BatchEnded = node =>
        {
            if (s.A.Status[0].Connection == ConnectionState.WFBitMapS)
            {
                s.A.Volumes[0].Meta.Faults.Add(new DiskFault(DiskFaultKind.FlushError));
                s.Cluster.BatchEnded = null;
            }
        };
        s.LinkUp().Until(() => s.A.Status[0].Disk == DiskState.Diskless, "a loses its disk as the resync begins");
        s.A.Volumes[0].Meta.Faults.Clear();
        s.Wait(Duration.Second);
        Assert.Equal(DiskState.Inconsistent, s.A.Status[0].PeerDisk);

        RequestError? answer = null;
        s.A.FrontEnd.Submit(RequestKind.Write, 0, 800, 4096, false, error => answer = error);
        s.Until(() => answer is not null, "the write is answered");
        Assert.Equal(RequestError.InputOutput, answer);
        s.Attach(s.A).UntilInSync().ReadAll(s.A);
    }

    private static Scenario ConnectWithoutDisk(ulong seed)
    {
        SimOptions options = new()
        {
            Network = new NetworkSettings
            {
                MinLatencyNs = 80 * Duration.Millisecond,
                MaxLatencyNs = 120 * Duration.Millisecond,
            },
        };
        Scenario s = new Scenario(options, seed).InSync();
        s.WriteEverywhere(s.A, 5).Demote(s.A).Disconnect(s.A).Disconnect(s.B).Detach(s.A);
        return s.Connect(s.A).Connect(s.B);
    }
}

/// <summary>Protocol A when the peer is too slow.</summary>
public sealed class CongestionScenarios
{
    [Fact]
    public void Congested_primary_pulls_ahead_and_catches_up()
    {
        SimOptions options = new()
        {
            Net = new NetOptions
            {
                Protocol = ReplicationProtocol.A,
                OnCongestion = OnCongestion.PullAhead,
                CongestionFillSectors = 256,
            },
            Network = new NetworkSettings { PicosecondsPerByte = 500_000, SendBufferBytes = 64 << 10 },
        };
        Scenario s = new Scenario(options).InSync();
        bool ahead = false;
        s.Cluster.BatchEnded = node => ahead |= node == s.A && node.Status[0].Connection == ConnectionState.Ahead;
        for (ulong i = 0; i < 100; i++)
        {
            s.StartWrite(s.A, i * 128, 65536);
        }

        s.Until(() => ahead, "a pulls ahead").UntilInSync();
    }
}
