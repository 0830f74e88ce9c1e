using BlockRepl.Iscsi.Protocol;
using BlockRepl.Iscsi.Tests.Simulated;
using Xunit;

namespace BlockRepl.Iscsi.Tests;

public sealed class DiskTests
{
    public static TheoryData<int, bool, bool, int, int, int> Targets()
    {
        var data = new TheoryData<int, bool, bool, int, int, int>();
        foreach (int sectorSize in new[] { 512, 4096 })
        {
            foreach (bool digests in new[] { false, true })
            {
                data.Add(sectorSize, digests, true, 8192, 65536, 32);
                data.Add(sectorSize, digests, false, 8192, 65536, 1);
                data.Add(sectorSize, digests, true, 512, 512, 1);
                data.Add(sectorSize, digests, false, 1000, 3000, 2);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void What_is_written_is_read_back_however_the_target_wants_it_cut(
        int sectorSize, bool digests, bool immediate, int segment, int burst, int window)
    {
        SimulatedDisk disk = SimulatedDisk.Opened(
            new TargetOptions
            {
                Digests = digests,
                ImmediateData = immediate,
                Segment = segment,
                Burst = burst,
                Window = window,
            },
            sectorSize);
        Assert.Equal((sectorSize, 2048), (disk.Disk.SectorSize, disk.Disk.SectorCount));
        byte[] one = disk.WriteRandom(2047, 1, seed: 1);
        byte[] many = disk.WriteRandom(3, 20, seed: 2);
        Assert.Equal(one, disk.Read(2047));
        Assert.Equal(many, disk.Read(3, 20));
        Assert.Equal(new byte[sectorSize], disk.Read(2));
        Assert.Equal(new byte[sectorSize], disk.Read(23));
        disk.Disk.Dispose();
        Assert.True(disk.Network.Targets.Single().LoggedOut);
        Assert.True(disk.Network.Streams.Single().IsDisposed);
    }

    [Fact]
    public void The_longest_transfer_is_one_command()
    {
        SimulatedDisk disk = SimulatedDisk.Opened(new TargetOptions());
        int sectors = IscsiDisk.MaxTransferBytes / 512;
        Assert.Equal(disk.WriteRandom(0, sectors, seed: 3), disk.Read(0, sectors));
        Assert.Single(disk.Network.Targets[0].Commands, cdb => cdb[0] == 0x2a);
        Assert.Throws<ArgumentException>(() => disk.Read(0, sectors + 1));
        Assert.Throws<ArgumentException>(() => disk.Disk.Read(0, new byte[511], SimulatedDisk.Timeout));
        Assert.Throws<ArgumentException>(() => disk.Disk.Read(0, [], SimulatedDisk.Timeout));
    }

    [Theory]
    [InlineData(-1, 1)]
    [InlineData(2048, 1)]
    [InlineData(2047, 2)]
    [InlineData(long.MaxValue, 1)]
    public void Beyond_the_end_nothing_is_sent(long sector, int sectors)
    {
        SimulatedDisk disk = SimulatedDisk.Opened(new TargetOptions());
        int commands = disk.Network.Targets[0].Commands.Count;
        SimulatedDisk.Fails(IscsiError.OutOfRange, "the disk has 2048", () => disk.Read(sector, sectors));
        Assert.Equal(commands, disk.Network.Targets[0].Commands.Count);
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, false)]
    [InlineData(false, true)]
    public void A_write_is_on_the_medium_when_it_returns(bool hasFua, bool hasNoCache)
    {
        var lun = new SimulatedLun(64, 512);
        var network = new SimulatedNetwork(lun)
        {
            Options = _ => new TargetOptions { HasFua = hasFua, Unknown = hasNoCache ? [0x35] : [] },
        };
        SimulatedDisk disk = SimulatedDisk.Opened(network);
        disk.WriteRandom(1, 1, seed: 4);
        disk.WriteRandom(2, 1, seed: 5);
        Assert.Equal(hasNoCache, lun.UnflushedSectors.Count > 0);
        Assert.Equal(
            hasFua ? 0 : hasNoCache ? 1 : 2, network.Targets[0].Commands.Count(cdb => cdb[0] == 0x35));
    }

    [Fact]
    public void The_short_form_of_read_capacity_will_do()
    {
        SimulatedDisk disk = SimulatedDisk.Opened(new TargetOptions { Unknown = [0x9e, 0x1a] });
        Assert.Equal(2048, disk.Disk.SectorCount);
    }

    [Fact]
    public void A_write_protected_disk_is_read_and_not_written()
    {
        SimulatedDisk disk = SimulatedDisk.Opened(new TargetOptions { IsWriteProtected = true });
        disk.Read(0);
        SimulatedDisk.Fails(
            IscsiError.WriteProtected, "make the logical unit writable", () => disk.WriteRandom(0, 1, seed: 1));
        Assert.DoesNotContain(disk.Network.Targets[0].Commands, cdb => cdb[0] == 0x2a);
    }

    [Theory]
    [InlineData(0x18, 0, 0, IscsiError.ReservationConflict, "another initiator holds a reservation")]
    [InlineData(2, 7, 0x2700, IscsiError.WriteProtected, "write protected")]
    [InlineData(2, 3, 0x0c00, IscsiError.DeviceError, "WRITE(10): medium error, 0x0c00 (write error)")]
    [InlineData(2, 2, 0x3a00, IscsiError.NotReady, "no medium")]
    [InlineData(2, 5, 0x2100, IscsiError.OutOfRange, "beyond the end")]
    [InlineData(2, 5, 0x2500, IscsiError.LunNotFound, "no logical unit")]
    [InlineData(2, 5, 0x2000, IscsiError.DeviceError, "does not know the command")]
    [InlineData(0x30, 0, 0, IscsiError.DeviceError, "status 0x30")]
    public void What_the_target_refuses_is_said_in_words_and_the_session_stays(
        byte status, byte key, int code, IscsiError error, string words)
    {
        SimulatedDisk disk = SimulatedDisk.Opened(new TargetOptions
        {
            Fail = cdb => cdb[0] == 0x2a ? (status, key, (ushort)code) : null,
        });
        SimulatedDisk.Fails(error, words, () => disk.WriteRandom(0, 1, seed: 1));
        disk.Read(0);
        Assert.Single(disk.Network.Targets);
    }

    [Theory]
    [InlineData(8, 0, 0, IscsiError.Busy, "the target is busy")]
    [InlineData(0x28, 0, 0, IscsiError.Busy, "queue is full")]
    [InlineData(2, 2, 0x0401, IscsiError.NotReady, "becoming ready")]
    [InlineData(2, 0xb, 0x4700, IscsiError.DeviceError, "aborted command")]
    public void A_busy_target_is_asked_again_until_the_deadline(
        byte status, byte key, int code, IscsiError error, string words)
    {
        int left = 5;
        SimulatedDisk disk = SimulatedDisk.Opened(new TargetOptions
        {
            Fail = cdb => cdb[0] == 0x28 && left-- > 0 ? (status, key, (ushort)code) : null,
        });
        disk.Read(0);
        left = int.MaxValue;
        long start = disk.Network.NowMs;
        SimulatedDisk.Fails(error, words, () => disk.Read(0));
        Assert.InRange(disk.Network.NowMs - start, 2500, 3000);
    }

    [Fact]
    public void After_a_unit_attention_the_disk_is_looked_at_again()
    {
        bool attention = false;
        var lun = new SimulatedLun(64, 512);
        var network = new SimulatedNetwork(lun)
        {
            Options = _ => new TargetOptions
            {
                Fail = cdb =>
                {
                    bool now = attention && cdb[0] == 0x28;
                    attention &= !now;
                    return now ? ((byte)2, (byte)6, (ushort)0x2a09) : null;
                },
            },
        };
        SimulatedDisk disk = SimulatedDisk.Opened(network);
        lun.Content = new byte[128 * 512];
        attention = true;
        disk.Read(0);
        Assert.Equal(128, disk.Disk.SectorCount);

        lun.Content = new byte[127 * 512];
        attention = true;
        SimulatedDisk.Fails(
            IscsiError.CapacityChanged, "had 128 sectors of 512 bytes and now has 127", () => disk.Read(0));
        SimulatedDisk.Fails(IscsiError.CapacityChanged, "now has 127", () => disk.Read(0));
    }

    [Fact]
    public void A_target_that_only_ever_reports_attentions_is_given_up() =>
        SimulatedDisk.Fails(
            IscsiError.NotReady, "again and again",
            () => SimulatedDisk.Opened(new TargetOptions { Fail = _ => (2, 6, 0x2900) }));

    [Theory]
    [InlineData(0x60, IscsiError.LunNotFound, "no logical unit 1")]
    [InlineData(0x7f, IscsiError.LunNotFound, "no logical unit 1")]
    [InlineData(0x0c, IscsiError.NotADisk, "controller")]
    [InlineData(0x01, IscsiError.NotADisk, "type 0x01")]
    public void What_is_not_a_disk_is_refused(byte first, IscsiError error, string words) =>
        SimulatedDisk.Fails(error, words, () => SimulatedDisk.Opened(new TargetOptions
        {
            Tamper = pdu =>
            {
                if (pdu.Opcode == 0x25 && pdu.Data.Length == 36)
                {
                    pdu.Data[0] = first;
                }

                return [pdu];
            },
        }));

    [Fact]
    public void Sectors_of_another_size_are_refused()
    {
        var network = new SimulatedNetwork(new SimulatedLun(64, 520));
        SimulatedDisk.Fails(
            IscsiError.NotADisk, "520 bytes; only 512 and 4096", () => SimulatedDisk.Opened(network));
    }

    [Fact]
    public void Luns_beyond_255_are_addressed_flat()
    {
        var disk = new SimulatedDisk(
            new SimulatedNetwork(new SimulatedLun(64, 512)), address: SimulatedDisk.Address[..^1] + "300");
        disk.Disk.Open(SimulatedDisk.Timeout);
        TargetPdu command = disk.Network.Targets[0].Heard.First(pdu => pdu.Opcode == 1);
        Assert.Equal([0x41, 0x2c, 0, 0, 0, 0, 0, 0], command.Header[8..16]);
    }
}
