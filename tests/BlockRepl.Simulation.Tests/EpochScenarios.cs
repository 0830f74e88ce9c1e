using BlockRepl.Core.Options;
using BlockRepl.Core.Protocol;
using BlockRepl.Simulation.Net;
using BlockRepl.Simulation.Nodes;
using BlockRepl.Simulation.Scenarios;
using Xunit;

namespace BlockRepl.Simulation.Tests;

/// <summary>When the Primary ends an epoch, and that nothing is lost because it waits with that.</summary>
public sealed class EpochScenarios
{
    private const int Writes = 24;

    [Theory]
    [InlineData(ReplicationProtocol.A)]
    [InlineData(ReplicationProtocol.B)]
    public void With_A_and_B_each_write_that_comes_alone_is_an_epoch(ReplicationProtocol protocol)
    {
        Scenario s = InSync(protocol);
        long epochs = Epochs(s);
        OneByOne(s).Wait(Duration.Second);
        Assert.Equal(epochs + Writes, Epochs(s));
    }

    [Fact]
    public void With_C_writes_that_come_alone_share_an_epoch_and_none_stays_open()
    {
        Scenario s = InSync(ReplicationProtocol.C);
        long epochs = Epochs(s);
        OneByOne(s).Wait(Duration.Second);
        Assert.InRange(Epochs(s) - epochs, 1, Writes / 3);
        s.Disconnect(s.A).Until(() => s.A.Status[0].OutOfSyncKiB == 0, "all epochs were confirmed");
    }

    [Fact]
    public void With_C_an_epoch_of_many_bytes_ends_before_its_time()
    {
        Scenario s = InSync(ReplicationProtocol.C);
        long epochs = Epochs(s);
        for (ulong i = 0; i < 24; i++)
        {
            s.StartWrite(s.A, i * 2048, 1 << 20);
        }

        s.Until(() => s.A.FrontEnd.RunningCount == 0, "all writes are answered").Wait(Duration.Second);
        Assert.Equal(epochs + 2, Epochs(s));
    }

    [Fact]
    public void A_flush_ends_the_epoch_at_once()
    {
        Scenario s = InSync(ReplicationProtocol.C);
        long epochs = Epochs(s);
        s.Write(s.A, 800, 4096).Flush(s.A);
        Assert.Equal(epochs + 1, Epochs(s));
    }

    [Fact]
    public void What_an_open_epoch_holds_is_resynchronised_after_the_secondary_lost_its_cache()
    {
        Scenario s = InSync(ReplicationProtocol.C);
        OneByOne(s).PowerLoss(s.B).UntilApart(s.A);
        Assert.True(s.A.Status[0].OutOfSyncKiB > 0, "the writes of the open epoch are marked");
        s.Restart(s.B).UntilInSync();
    }

    [Fact]
    public void What_was_flushed_is_on_the_secondary_after_all_lost_power()
    {
        Scenario s = InSync(ReplicationProtocol.C);
        OneByOne(s).Flush(s.A).PowerLoss(s.A).PowerLoss(s.B).Up(s.B).Promote(s.B, force: true).ReadAll(s.B);
    }

    [Fact]
    public void An_open_epoch_does_not_keep_a_full_activity_log_waiting_for_the_clock()
    {
        // 67 extents is the smallest log; a write to each of 90 needs those of others before it.
        Scenario s = new(new SimOptions
        {
            DeviceBytes = 384L << 20,
            Disk = new DiskOptions { ActivityLogExtents = 67 },
            Network = new NetworkSettings { MaxLatencyNs = 50 * Duration.Microsecond },
            MaxDiskLatencyNs = 50 * Duration.Microsecond,
        });
        s.InSync();
        long began = s.Cluster.Queue.NowNs;
        for (int i = 0; i < 20; i++)
        {
            s.WriteEverywhere(s.A, 90);
        }

        long took = s.Cluster.Queue.NowNs - began;
        Assert.True(took < 100 * Duration.Millisecond, $"{took / Duration.Microsecond} us");
    }

    private static Scenario InSync(ReplicationProtocol protocol)
    {
        SimOptions options = new()
        {
            Net = new NetOptions { Protocol = protocol },
            Network = new NetworkSettings { MaxLatencyNs = 100 * Duration.Microsecond },
            MaxDiskLatencyNs = 100 * Duration.Microsecond,
        };
        return new Scenario(options).InSync();
    }

    private static Scenario OneByOne(Scenario s)
    {
        for (int i = 0; i < Writes; i++)
        {
            s.Write(s.A, (ulong)i * 64, 4096);
        }

        return s;
    }

    private static long Epochs(Scenario s) => s.Cluster.Wire.Counts.GetValueOrDefault(Command.BarrierAck);
}
