using System.Globalization;
using BlockRepl.Core.Tests;
using BlockRepl.Iscsi.Protocol;
using BlockRepl.Iscsi.Protocol.Login;
using BlockRepl.Iscsi.Tests.Simulated;
using Xunit;

namespace BlockRepl.Iscsi.Tests;

/// <summary>
/// Long lives with every kind of fault, all from a seed. A model knows what each sector may hold: what was last written
/// and, after a write whose end is not known, either of the two. BLOCKREPL_ISCSI_SEEDS=N: how many seeds (300).
/// </summary>
public sealed class SoakTests
{
    private const int Sectors = 32;
    private const int Operations = 60;

    private static readonly ChapCredentials Mutual =
        new(new ChapAccount("us", "our secret"), new ChapAccount("them", "their secret"));

    private static int Seeds => int.Parse(
        Environment.GetEnvironmentVariable("BLOCKREPL_ISCSI_SEEDS") ?? "300", CultureInfo.InvariantCulture);

    [Fact]
    public void No_sector_ever_holds_what_it_should_not() => Seeded.Run(1, Seeds, random =>
    {
        var network = new SimulatedNetwork(new SimulatedLun(Sectors, 512), random.Next());
        TargetOptions options = RandomOptions(random);
        network.Options = _ => options;
        SimulatedDisk disk = SimulatedDisk.Opened(network, Mutual);
        network.Options = _ => options with
        {
            Fail = cdb => Failure(random, cdb),
            LoginStatus = _ => random.Next(60) == 0 ? 0x0302 : 0,
        };
        network.FaultsOf = _ => RandomFaults(random, options.Digests);
        network.Targets[0].Sent.Enqueue(new byte[48]);

        var model = new SectorModel();
        for (int i = 0; i < Operations; i++)
        {
            Operate(disk, model, random);
            if (random.Next(5) == 0)
            {
                network.Pause(random.Next(8000));
                disk.Disk.Tick();
            }
        }

        network.Options = _ => options;
        network.FaultsOf = _ => Faults.None;
        network.Pause(20000);
        disk.Disk.Tick();
        for (int sector = 0; sector < Sectors; sector++)
        {
            model.Check(sector, ReadAtLast(disk, sector));
        }
    });

    /// <summary>The connection that is still there may have its fault before it; the next one has none.</summary>
    private static byte[] ReadAtLast(SimulatedDisk disk, int sector)
    {
        try
        {
            return disk.Read(sector);
        }
        catch (IscsiException)
        {
            return disk.Read(sector);
        }
    }

    private static void Operate(SimulatedDisk disk, SectorModel model, Random random)
    {
        int sector = random.Next(Sectors);
        byte value = (byte)random.Next(1, 256);
        bool writes = random.Next(2) == 0;
        long start = disk.Network.NowMs;
        try
        {
            if (writes)
            {
                model.Begin(sector, value);
                disk.Disk.Write(sector, Enumerable.Repeat(value, 512).ToArray(), SimulatedDisk.Timeout);
                model.End(sector, value);
            }
            else
            {
                model.Check(sector, disk.Read(sector));
            }
        }
        catch (IscsiException e)
        {
            Assert.True(
                e.Error is IscsiError.TimedOut or IscsiError.ConnectionLost or IscsiError.Unreachable or IscsiError.Busy
                    or IscsiError.LoginRefused or IscsiError.ProtocolViolation or IscsiError.DeviceError,
                e.Message);
        }

        Assert.InRange(disk.Network.NowMs - start, 0, 3000);
    }

    private static TargetOptions RandomOptions(Random random) => new()
    {
        Incoming = ("us", "our secret"),
        Outgoing = ("them", "their secret"),
        Digests = random.Next(2) == 0,
        ImmediateData = random.Next(2) == 0,
        HasFua = random.Next(2) == 0,
        Segment = random.Next(512, 2000),
        Window = random.Next(1, 5),
    };

    private static (byte Status, byte Key, ushort Code)? Failure(Random random, byte[] cdb) =>
        (random.Next(40), cdb[0]) switch
        {
            (0, _) => (8, 0, 0),
            (1, _) => (2, 6, 0x2a01),
            (2, 0x28 or 0x2a) => (2, 0xb, 0),
            _ => null,
        };

    private static Faults RandomFaults(Random random, bool digests) => random.Next(6) switch
    {
        0 => new Faults { Refused = true },
        1 => new Faults { CutSentAt = random.Next(8000) },
        2 => new Faults { CutReceivedAt = random.Next(8000) },
        3 => new Faults
        {
            DelayedPdu = random.Next(40), DelayMs = random.Next(6000), LargestPiece = random.Next(1, 99),
        },
        4 when digests => new Faults { FlippedBit = 8 * 1500 + random.Next(40000) },
        _ => new Faults { CutReceivedAt = random.Next(40000) },
    };

    /// <summary>What each sector may hold.</summary>
    private sealed class SectorModel
    {
        private readonly HashSet<byte>[] _values =
            [.. Enumerable.Range(0, Sectors).Select(_ => new HashSet<byte> { 0 })];

        public void Begin(int sector, byte value) => _values[sector].Add(value);

        public void End(int sector, byte value) => _values[sector] = [value];

        public void Check(int sector, byte[] content)
        {
            Assert.Equal(-1, content.AsSpan().IndexOfAnyExcept(content[0]));
            Assert.Contains(content[0], _values[sector]);

            // What has been seen is what is there: a write that was given up does not come later.
            _values[sector] = [content[0]];
        }
    }
}
