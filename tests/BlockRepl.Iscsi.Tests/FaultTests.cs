using BlockRepl.Core.Tests;
using BlockRepl.Iscsi.Protocol;
using BlockRepl.Iscsi.Protocol.Login;
using BlockRepl.Iscsi.Tests.Simulated;
using Xunit;

namespace BlockRepl.Iscsi.Tests;

/// <summary>Honest targets on a network that cuts, stalls and changes bits.</summary>
public sealed class FaultTests
{
    private static readonly ChapCredentials Mutual =
        new(new ChapAccount("us", "our secret"), new ChapAccount("them", "their secret"));

    private static readonly TargetOptions Guarded = new()
    {
        Incoming = ("us", "our secret"),
        Outgoing = ("them", "their secret"),
        ImmediateData = false,
        Segment = 600,
    };

    /// <summary>How many bytes and PDUs a whole life takes, each way.</summary>
    private static SimulatedStream WholeLife()
    {
        SimulatedDisk disk = Opened(_ => Faults.None);
        ReadAndWrite(disk);
        return disk.Network.Streams.Single();
    }

    [Fact]
    public void A_connection_cut_at_any_byte_we_send_is_made_again()
    {
        int bytes = WholeLife().SentBytes;
        Assert.InRange(bytes, 1000, 10000);
        for (int cut = 0; cut < bytes; cut++)
        {
            IsMadeAgain(new Faults { CutSentAt = cut }, $"cut at {cut} of what we send");
        }
    }

    [Fact]
    public void A_connection_cut_at_any_byte_we_receive_is_made_again()
    {
        int bytes = WholeLife().ReceivedBytes;
        Assert.InRange(bytes, 1000, 10000);
        for (int cut = 0; cut < bytes; cut++)
        {
            IsMadeAgain(new Faults { CutReceivedAt = cut }, $"cut at {cut} of what we receive");
        }
    }

    [Fact]
    public void A_pdu_that_is_late_is_waited_for_until_the_deadline_and_not_longer()
    {
        int pdus = WholeLife().ReceivedPdus;
        Assert.InRange(pdus, 10, 100);
        for (int late = 0; late < pdus; late++)
        {
            IsMadeAgain(new Faults { DelayedPdu = late, DelayMs = 2900 }, $"PDU {late} within the deadline", 1);
            IsMadeAgain(new Faults { DelayedPdu = late, DelayMs = 3100 }, $"PDU {late} beyond the deadline");
        }
    }

    [Fact]
    public void One_byte_at_a_time_is_enough()
    {
        SimulatedDisk disk = Opened(_ => new Faults { LargestPiece = 1 });
        ReadAndWrite(disk);
        Assert.Single(disk.Network.Streams);
    }

    /// <summary>Digests come with the session; a bit that changes in the login is a failed login.</summary>
    [Fact]
    public void With_digests_a_changed_bit_never_becomes_data() => Seeded.Run(1, 600, random =>
    {
        var network = new SimulatedNetwork(new SimulatedLun(64, 512), random.Next())
        {
            Options = _ => Guarded with { Digests = true },
        };
        SimulatedDisk disk = SimulatedDisk.Opened(network, Mutual);
        byte[] data = disk.WriteRandom(3, 2, random.Next());
        long first = 8L * network.Streams[0].ReceivedBytes;
        network.FaultsOf = number => number == 1
            ? new Faults { FlippedBit = first + random.Next(8 * 1300) }
            : new Faults();
        network.Targets[0].Sent.Enqueue(new byte[100]);
        for (int i = 0; i < 4; i++)
        {
            Assert.Equal(data, disk.Read(3, 2));
        }

        Assert.InRange(network.Streams.Count, 2, 3);
    });

    [Fact]
    public void Pauses_between_attempts_grow_to_a_limit_and_end_with_the_first_io()
    {
        bool isDown = false;
        SimulatedDisk disk = Opened(_ => isDown ? new Faults { Refused = true } : Faults.None);
        isDown = true;
        disk.Network.Targets[0].Sent.Enqueue(new byte[48]);
        long start = disk.Network.NowMs;
        IscsiException failure = SimulatedDisk.Fails(IscsiError.Unreachable, "connection refused", () => disk.Read(0));
        Assert.StartsWith(
            "iscsi://10.0.0.1:3260/iqn.2020-01.org.example:disk/1: ", failure.Message, StringComparison.Ordinal);
        SimulatedDisk.Fails(IscsiError.Unreachable, "connection refused", () => disk.Read(0));
        Assert.Equal(
            [50, 150, 350, 750, 1550, 2550],
            disk.Network.ConnectTimes.Skip(1).Select(t => t - start).TakeWhile(t => t < 3000));
        isDown = false;
        disk.Network.Pause(5000);
        disk.Read(0);
        Assert.Equal(
            2 + disk.Network.ConnectTimes.Count(t => t > start && t < disk.Network.NowMs - 4000),
            disk.Network.ConnectTimes.Count);
        Assert.EndsWith("connected again", disk.Notices[^1], StringComparison.Ordinal);
        Assert.Equal(2, disk.Notices.Count(n => !n.EndsWith("again", StringComparison.Ordinal)));
    }

    /// <summary>A target that is restarted has no accounts, targets and units for a moment.</summary>
    [Fact]
    public void A_login_that_is_refused_for_a_while_is_tried_again()
    {
        int[] refusals = [0x0203, 0x0201, 0x0301, 0];
        SimulatedDisk disk = Opened(_ => Faults.None);
        disk.Network.Options = number =>
            Guarded with { LoginStatus = _ => refusals[Math.Min(number - 1, refusals.Length - 1)] };
        disk.Network.Targets[0].Sent.Enqueue(new byte[48]);
        disk.Read(0);
        Assert.Equal(5, disk.Network.ConnectTimes.Count);
    }

    [Fact]
    public void The_first_time_a_refusal_is_final()
    {
        var network = new SimulatedNetwork(new SimulatedLun(16, 512)) { FaultsOf = _ => new Faults { Refused = true } };
        long start = network.NowMs;
        SimulatedDisk.Fails(IscsiError.Unreachable, "refused", () => SimulatedDisk.Opened(network));
        Assert.Equal(start, network.NowMs);
    }

    [Fact]
    public void A_disk_that_shrank_while_we_were_away_is_refused()
    {
        var lun = new SimulatedLun(64, 512);
        var network = new SimulatedNetwork(lun);
        SimulatedDisk disk = SimulatedDisk.Opened(network);
        network.Targets[0].Sent.Enqueue(new byte[48]);
        lun.Content = new byte[63 * 512];
        SimulatedDisk.Fails(IscsiError.CapacityChanged, "had 64 sectors", () => disk.Read(0));
        SimulatedDisk.Fails(IscsiError.CapacityChanged, "had 64 sectors", () => disk.WriteRandom(0, 1, 1));
    }

    [Fact]
    public void All_logins_of_a_disk_have_one_isid_and_other_disks_have_others()
    {
        SimulatedDisk disk = Opened(number => new Faults { CutReceivedAt = number == 0 ? 2500 : int.MaxValue });
        ReadAndWrite(disk);
        ReadAndWrite(disk);
        string[] isids = [.. disk.Network.Targets.Select(t => Convert.ToHexString(t.Heard[0].Header[8..14]))];
        Assert.Equal(2, isids.Length);
        Assert.Equal(isids[0], isids[1]);
        var other = new SimulatedNetwork(new SimulatedLun(16, 512), seed: 2);
        SimulatedDisk.Opened(other);
        Assert.NotEqual(isids[0], Convert.ToHexString(other.Targets[0].Heard[0].Header[8..14]));
    }

    [Fact]
    public void A_silent_target_is_pinged_and_given_up_when_it_does_not_answer()
    {
        SimulatedDisk disk = Opened(_ => Faults.None);
        for (int i = 0; i < 60; i++)
        {
            disk.Network.Pause(IscsiDisk.TickMs);
            disk.Disk.Tick();
        }

        int pings = disk.Network.Targets[0].Heard.Count(pdu => pdu.Opcode == 0);
        Assert.InRange(pings, 8, 12);
        Assert.False(disk.Network.Streams[0].IsDisposed);

        // From here on nothing comes any more.
        disk.Network.Streams[0].IsSilent = true;
        for (int i = 0; i < 12; i++)
        {
            disk.Network.Pause(IscsiDisk.TickMs);
            disk.Disk.Tick();
        }

        Assert.True(disk.Network.Streams[0].IsDisposed);
        Assert.EndsWith("answers no ping", disk.Notices.Single(), StringComparison.Ordinal);
        disk.Read(0);
        Assert.Equal(2, disk.Network.Streams.Count);
    }

    [Fact]
    public void A_ping_of_the_target_is_answered_while_nothing_else_happens()
    {
        SimulatedDisk disk = Opened(_ => Faults.None);
        disk.Network.Targets[0].Send(
            new TargetPdu(0x20) { [8] = 0x00010000, [16] = uint.MaxValue, [20] = 0x4711 }, countsStatus: false);
        disk.Disk.Tick();
        TargetPdu answer = disk.Network.Targets[0].Heard[^1];
        Assert.Equal(
            (0x40, 0x00010000u, uint.MaxValue, 0x4711u), (answer.Header[0], answer[8], answer[16], answer[20]));
        disk.Read(0);
        Assert.Single(disk.Network.Streams);
    }

    [Fact]
    public void A_closed_disk_is_of_no_use()
    {
        SimulatedDisk disk = Opened(_ => Faults.None);
        disk.Disk.Dispose();
        disk.Disk.Dispose();
        Assert.Throws<ObjectDisposedException>(() => disk.Read(0));
        disk.Disk.Tick();
        Assert.Single(disk.Network.Streams);
    }

    private static SimulatedDisk Opened(Func<int, Faults> faults) => SimulatedDisk.Opened(
        new SimulatedNetwork(new SimulatedLun(64, 512)) { Options = _ => Guarded, FaultsOf = faults }, Mutual);

    private static void ReadAndWrite(SimulatedDisk disk)
    {
        byte[] data = disk.WriteRandom(5, 2, seed: 9);
        Assert.Equal(data, disk.Read(5, 2));
    }

    /// <summary>
    /// The first connection has the faults and the next has none. Whatever fails does so within its deadline, and with
    /// the next attempt all is as it should be.
    /// </summary>
    private static void IsMadeAgain(Faults faults, string what, int connections = 2)
    {
        var network = new SimulatedNetwork(new SimulatedLun(64, 512))
        {
            Options = _ => Guarded,
            FaultsOf = number => number == 0 ? faults : Faults.None,
        };
        var disk = new SimulatedDisk(network, Mutual);
        Retry(() => disk.Disk.Open(SimulatedDisk.Timeout));
        byte[] data = new byte[2 * 512];
        new Random(9).NextBytes(data);
        Retry(() => disk.Disk.Write(5, data, SimulatedDisk.Timeout));
        byte[] read = new byte[2 * 512];
        Retry(() => disk.Disk.Read(5, read, SimulatedDisk.Timeout));
        Assert.True(read.AsSpan().SequenceEqual(data), what);
        Assert.True(network.Streams.Count == connections, $"{what}: {network.Streams.Count} connections");
        Assert.All(network.Streams.SkipLast(1), stream => Assert.True(stream.IsDisposed));

        void Retry(Action action)
        {
            long start = network.NowMs;
            try
            {
                action();
            }
            catch (IscsiException e)
            {
                Assert.True(network.NowMs - start <= 3000, $"{what}: {network.NowMs - start} ms");
                Assert.True(e.Error is IscsiError.TimedOut or IscsiError.ConnectionLost, $"{what}: {e.Message}");
                action();
            }
        }
    }
}
