using System.Diagnostics;
using BlockRepl.Iscsi.Protocol;
using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.Iscsi.Tests;

/// <summary>Our initiator and Debian's tgtd; libiscsi's tools and tshark as witnesses.</summary>
public sealed class TgtdTests
{
    // Generous: a busy machine must not fail these tests. Deadlines as such are tested on the simulated network.
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData(512)]
    [InlineData(4096)]
    public void What_is_written_is_in_the_luns_file_and_is_read_back(int sectorSize)
    {
        using var tgtd = new Tgtd(sectorSize);
        using IscsiDisk disk = IscsiDisk.Open(IscsiAddress.Parse(tgtd.Url), Timeout);
        Assert.Equal((sectorSize, (2 << 20) / sectorSize), (disk.SectorSize, disk.SectorCount));
        byte[] one = WriteRandom(disk, 7, 1);
        byte[] many = WriteRandom(disk, 8, IscsiDisk.MaxTransferBytes / sectorSize);
        Assert.Equal(one, Read(disk, 7, 1));
        Assert.Equal(many, Read(disk, 8, IscsiDisk.MaxTransferBytes / sectorSize));
        byte[] file = File.ReadAllBytes(tgtd.LunFile);
        Assert.True(file.AsSpan(7 * sectorSize, sectorSize).SequenceEqual(one));
        Assert.True(file.AsSpan(8 * sectorSize, many.Length).SequenceEqual(many));
    }

    [Fact]
    public void One_way_chap_is_enough_for_the_target()
    {
        using var tgtd = new Tgtd();
        using IscsiDisk disk = IscsiDisk.Open(IscsiAddress.Parse(tgtd.Url.Split('?')[0]), Timeout);
        Assert.Equal(new byte[512], Read(disk, 0, 1));
    }

    [Fact]
    public void Whatever_is_wrong_is_said_in_words()
    {
        using var tgtd = new Tgtd();
        Refused(tgtd.Url.Replace(Tgtd.Secret, "wrong secret 1", StringComparison.Ordinal),
            IscsiError.AuthenticationFailed, "refused CHAP user initiator-user");
        Refused(tgtd.Url.Replace(Tgtd.TargetSecret, "wrong secret 2", StringComparison.Ordinal),
            IscsiError.AuthenticationFailed, "its secret is not ours");
        Refused($"iscsi://127.0.0.1:{tgtd.Port}/{Tgtd.Name}/1",
            IscsiError.AuthenticationFailed, "no user and password are known");
        Refused(tgtd.Url.Replace("disk/1", "disc/1", StringComparison.Ordinal),
            IscsiError.TargetNotFound, "knows no target iqn.2020-01.org.example:disc");
        Refused(tgtd.Url.Replace("disk/1", "disk/2", StringComparison.Ordinal),
            IscsiError.LunNotFound, "no logical unit");
        Refused(tgtd.Url.Replace("disk/1", "disk/0", StringComparison.Ordinal),
            IscsiError.NotADisk, "controller");
    }

    [Fact]
    public void A_write_protected_lun_is_refused_before_it_is_written()
    {
        using var tgtd = new Tgtd();
        tgtd.Administer(
            "--mode", "logicalunit", "--op", "update", "--tid", "1", "--lun", "1", "--params", "readonly=1");
        using IscsiDisk disk = IscsiDisk.Open(IscsiAddress.Parse(tgtd.Url), Timeout);
        Read(disk, 0, 1);
        IscsiException failure = Assert.Throws<IscsiException>(() => WriteRandom(disk, 0, 1));
        Assert.Equal(IscsiError.WriteProtected, failure.Error);
    }

    [Fact]
    public void A_target_that_is_killed_and_started_again_is_found_again_within_the_io()
    {
        using var tgtd = new Tgtd();
        var notices = new List<string>();
        using IscsiDisk disk = IscsiDisk.Open(
            IscsiAddress.Parse(tgtd.Url), Timeout, new IscsiDiskOptions { Notice = notices.Add });
        byte[] data = WriteRandom(disk, 3, 1);
        tgtd.Kill();
        Assert.Equal(
            IscsiError.Unreachable,
            Assert.Throws<IscsiException>(() => disk.Read(3, new byte[512], TimeSpan.FromMilliseconds(400))).Error);

        // The read is under way before the target is there.
        byte[] read = new byte[512];
        var reader = new Thread(() => disk.Read(3, read, Timeout));
        reader.Start();
        tgtd.Start();
        Assert.True(reader.Join(Timeout));
        Assert.Equal(data, read);
        Assert.EndsWith("connected again", notices[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void A_target_that_is_stopped_costs_no_more_than_the_timeout()
    {
        using var tgtd = new Tgtd();
        using IscsiDisk disk = IscsiDisk.Open(IscsiAddress.Parse(tgtd.Url), Timeout);
        byte[] data = WriteRandom(disk, 3, 1);
        tgtd.Signal("STOP");
        var clock = Stopwatch.StartNew();
        foreach (string words in new[] { "did not answer READ(10)", "did not answer the login" })
        {
            clock.Restart();
            IscsiException failure = Assert.Throws<IscsiException>(() =>
                disk.Read(3, new byte[512], TimeSpan.FromMilliseconds(500)));
            Assert.Equal(IscsiError.TimedOut, failure.Error);
            Assert.Contains(words, failure.Message, StringComparison.Ordinal);
            Assert.InRange(clock.ElapsedMilliseconds, 450, 30000);
        }

        tgtd.Signal("CONT");
        Assert.Equal(data, Read(disk, 3, 1));
    }

    /// <summary>
    /// The target finds the write in its socket when it runs again, and our new login beside it: the session of the
    /// write must end with that login.
    /// </summary>
    [Fact]
    public void A_write_that_was_given_up_does_not_come_after_the_next_one()
    {
        using var tgtd = new Tgtd();
        using IscsiDisk disk = IscsiDisk.Open(IscsiAddress.Parse(tgtd.Url), Timeout);
        for (int round = 0; round < 10; round++)
        {
            tgtd.Signal("STOP");
            byte[] old = new byte[512];
            old.AsSpan().Fill(0xee);
            IscsiException failure = Assert.Throws<IscsiException>(() =>
                disk.Write(3, old, TimeSpan.FromMilliseconds(100)));
            Assert.Equal(IscsiError.TimedOut, failure.Error);
            tgtd.Signal("CONT");
            byte[] data = WriteRandom(disk, 3, 1);
            for (int i = 0; i < 20; i++)
            {
                Assert.Equal(data, Read(disk, 3, 1));
            }
        }
    }

    [Fact]
    public void A_connection_that_is_cut_all_the_time_carries_every_read_and_write()
    {
        const int Operations = 300;
        using var tgtd = new Tgtd();
        using var proxy = new CuttingProxy(tgtd.Port, seed: 11, longestLife: 30000);
        string url = tgtd.Url.Replace($":{tgtd.Port}/", $":{proxy.Port}/", StringComparison.Ordinal);
        using IscsiDisk disk = OpenSomehow(url);
        var random = new Random(12);
        byte[][] model = [.. Enumerable.Range(0, 16).Select(_ => new byte[512])];
        for (int i = 0; i < Operations; i++)
        {
            int sector = random.Next(model.Length);
            if (random.Next(2) == 0)
            {
                random.NextBytes(model[sector]);
                disk.Write(sector, model[sector], Timeout);
            }
            else
            {
                Assert.Equal(model[sector], Read(disk, sector, 1));
            }
        }

        Assert.InRange(proxy.Connections, 5, Operations);
    }

    [Fact]
    public void Libiscsi_sees_the_same_disk()
    {
        Need("iscsi-inq", "libiscsi-bin");
        using var tgtd = new Tgtd();
        using IscsiDisk disk = IscsiDisk.Open(IscsiAddress.Parse(tgtd.Url), Timeout);
        WriteRandom(disk, 0, 1);
        Assert.Contains(
            "Peripheral Device Type:DIRECT_ACCESS", Tool.Run("iscsi-inq", tgtd.Url).OrThrow().Output,
            StringComparison.Ordinal);
        string capacity = Tool.Run("iscsi-readcapacity16", tgtd.Url).OrThrow().Output;
        Assert.Contains($"LOGICAL BLOCK ADDRESS:{disk.SectorCount - 1}", capacity, StringComparison.Ordinal);
        Assert.Contains($"LENGTH IN BYTES:{disk.SectorSize}", capacity, StringComparison.Ordinal);

        // Its test writes sectors and leaves them so; we read the same as the file has.
        Tool.Run("iscsi-test-cu", "--dataloss", "--test=SCSI.Write10.Simple", tgtd.Url).OrThrow();
        byte[] file = File.ReadAllBytes(tgtd.LunFile);
        for (int sector = 0; sector < disk.SectorCount; sector += 256)
        {
            Assert.True(file.AsSpan(sector * 512, 256 * 512).SequenceEqual(Read(disk, sector, 256)));
        }
    }

    [Theory]
    [InlineData("None")]
    [InlineData("CRC32C")]
    public void Tshark_finds_nothing_malformed_in_a_whole_conversation(string digest)
    {
        Need("tcpdump", "tcpdump");
        Need("tshark", "tshark");
        using var tgtd = new Tgtd();
        foreach (string name in new[] { "HeaderDigest", "DataDigest" })
        {
            tgtd.Administer("--mode", "target", "--op", "update", "--tid", "1", "--name", name, "--value", digest);
        }

        string folder = Directory.CreateTempSubdirectory("blockrepl-iscsi-").FullName;
        try
        {
            string capture = Path.Combine(folder, "capture.pcap");
            using PacketRecorder? recorder = PacketRecorder.Start(Tool.Start, "lo", capture, tgtd.Port);
            Assert.SkipWhen(recorder is null, "tcpdump cannot capture on lo here");
            using (IscsiDisk disk = IscsiDisk.Open(IscsiAddress.Parse(tgtd.Url), Timeout))
            {
                byte[] data = WriteRandom(disk, 3, 1);
                WriteRandom(disk, 4, IscsiDisk.MaxTransferBytes / 512);
                Assert.Equal(data, Read(disk, 3, 1));
            }

            recorder.Stop();
            Assert.Equal(0, recorder.Missing);
            string[] decode = ["-r", capture, "-d", $"tcp.port=={tgtd.Port},iscsi", .. PacketRecorder.Decoding];
            Assert.Equal("", Tool.Run("tshark", [.. decode, "-Y", "_ws.malformed"]).OrThrow().Output);
            string keys = Tool.Run("tshark", [.. decode, "-T", "fields", "-e", "iscsi.keyvalue"]).OrThrow().Output;
            Assert.Contains($"HeaderDigest={digest},DataDigest={digest},", keys, StringComparison.Ordinal);
            string all = Tool.Run("tshark", [.. decode, "-Y", "iscsi"]).OrThrow().Output;
            string[] expected =
            [
                "Login Command", "Login Response (Success)", "Test Unit Ready", "Inquiry", "Mode Sense(6)",
                "READCAPACITY16", "Write(10)", "Ready To Transfer", "Data Out", "Read(10)", "Data In",
                "Logout Command", "Logout Response",
            ];
            Assert.All(expected, name => Assert.Contains(name, all, StringComparison.Ordinal));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void Need(string program, string package)
    {
        if (Tool.Find(program) is null)
        {
            Assert.Skip($"needs {program} (Debian package {package})");
        }
    }

    /// <summary>Opening is tried once only, and the proxy cuts at any time.</summary>
    private static IscsiDisk OpenSomehow(string url)
    {
        while (true)
        {
            try
            {
                return IscsiDisk.Open(IscsiAddress.Parse(url), Timeout);
            }
            catch (IscsiException e) when (e.Error == IscsiError.ConnectionLost)
            {
                // The next connection lives for another while.
            }
        }
    }

    private static void Refused(string url, IscsiError error, string words)
    {
        IscsiException failure = Assert.Throws<IscsiException>(() => IscsiDisk.Open(IscsiAddress.Parse(url), Timeout));
        Assert.Contains(words, failure.Message, StringComparison.Ordinal);
        Assert.Equal(error, failure.Error);
        Assert.DoesNotContain("secret 1", failure.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain(Tgtd.Secret, failure.ToString(), StringComparison.Ordinal);
    }

    private static byte[] WriteRandom(IscsiDisk disk, long sector, int sectors)
    {
        byte[] data = new byte[sectors * disk.SectorSize];
        new Random((int)sector).NextBytes(data);
        disk.Write(sector, data, Timeout);
        return data;
    }

    private static byte[] Read(IscsiDisk disk, long sector, int sectors)
    {
        byte[] data = new byte[sectors * disk.SectorSize];
        disk.Read(sector, data, Timeout);
        return data;
    }
}
