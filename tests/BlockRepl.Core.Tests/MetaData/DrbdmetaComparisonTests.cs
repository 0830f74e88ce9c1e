using System.Buffers.Binary;
using System.Globalization;
using BlockRepl.Core.ActivityLog;
using BlockRepl.Core.Bitmap;
using BlockRepl.Core.Generations;
using BlockRepl.Core.MetaData;
using Xunit;

namespace BlockRepl.Core.Tests.MetaData;

/// <summary>DRBD's own offline tool as the referee, on files.</summary>
public sealed class DrbdmetaComparisonTests
{
    [Theory]
    [InlineData(136, 1, 8, 0u)]
    [InlineData(131072, 1, 8, 0u)]
    [InlineData(131071, 1, 8, 131072u)]
    [InlineData(131073, 4, 16, 1048576u)]
    [InlineData(262145, 1, 8, 0u)]
    [InlineData(2097152, 3, 5, 4096u)]
    [InlineData(20971520, 1, 8192, 0u)]
    public void Internal_meta_data_are_made_byte_for_byte_alike(long sectors, int stripes, int size, uint peerMaxBio)
    {
        Compare(Disks.Internal((ulong)sectors), "internal", stripes, size, peerMaxBio);
    }

    [Theory]
    [InlineData(136, 1, 8)]
    [InlineData(2048, 2, 8)]
    [InlineData(2051, 1, 8)]
    [InlineData(40960, 1, 100)]
    public void External_meta_data_are_made_byte_for_byte_alike(long sectors, int stripes, int size)
    {
        Compare(Disks.Flexible(1 << 20, (ulong)sectors), "flex-external", stripes, size, 0);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void Indexed_meta_data_are_made_byte_for_byte_alike(int index)
    {
        BackingDisk disk = Disks.Indexed(1 << 20, 3 * 262144, index);
        Compare(disk, index.ToString(CultureInfo.InvariantCulture), 1, 8, 0);
    }

    [Fact]
    public void Our_disks_are_accepted_dumped_and_edited_alike()
    {
        for (int seed = 0; seed < 8; seed++)
        {
            var random = new Random(seed);
            using var image = new Drbdmeta(Disks.Internal((ulong)random.Next(100_000, 900_000)));
            SuperBlock written = Scribble(image, random, SuperBlock.MagicNormal, SuperBlockFlags.ActivityLogClean);
            MetaDataLayout layout = Disks.Layout(image.Disk);

            Assert.Equal(GenerationInfo.Format(written) + "\n", image.Run("get-gi").Output);
            Assert.StartsWith(
                written.DiskStates().Disk.ToString(), image.Run("dstate").Output, StringComparison.Ordinal);
            (int exitCode, string dump, string errors) = image.Run("dump-md");
            Assert.True(exitCode == 0, errors);
            IEnumerable<string> ours = DumpMetaData
                .Lines(written with { Flags = 0, Magic = SuperBlock.MagicNormal }, layout, Pages(image, layout))
                .Where(line => !line.StartsWith("This_is", StringComparison.Ordinal)
                    && !line.StartsWith("# You should", StringComparison.Ordinal));
            Assert.Equal(Squeeze(dump.Split('\n')), Squeeze(ours));

            Edit(image, ["outdate"], sb => sb.Outdate() ?? sb);
            Edit(
                image,
                ["set-gi", "12::34:56:1:1:0:1::1"],
                sb => GenerationInfo.Apply(sb, "12::34:56:1:1:0:1::1", out _)!);
            Edit(image, ["outdate"], sb => sb.Outdate() ?? sb);
            Edit(image, ["invalidate"], sb => sb.Invalidate());
            Assert.Equal(0, image.Run("wipe-md").ExitCode);
            Assert.False(image.Read(layout.SuperBlockOffset, 4096).AsSpan().ContainsAnyExcept((byte)0), $"seed {seed}");
        }
    }

    public static TheoryData<int> Seeds => [.. Enumerable.Range(0, 12)];

    /// <summary>Random logs, also damaged ones: our replay and apply-al leave the same bytes.</summary>
    [Theory]
    [MemberData(nameof(Seeds))]
    public void Random_logs_are_replayed_byte_for_byte_alike(int group)
    {
        (int Stripes, int Size)[] shapes = [(1, 8), (2, 4), (4, 4), (1, 12), (3, 5)];
        for (int seed = group * 5; seed < group * 5 + 5; seed++)
        {
            var random = new Random(seed);
            (int stripes, int size) = shapes[random.Next(shapes.Length)];
            using var image = new Drbdmeta(Disks.Internal((ulong)random.Next(100_000, 2_200_000)));
            MetaDataLayout layout = Disks.Layout(image.Disk, stripes, size);
            SuperBlockFlags flags = SuperBlockFlags.Consistent
                | (random.Next(4) == 0 ? SuperBlockFlags.None : SuperBlockFlags.PrimaryIndicator)
                | (random.Next(2) == 0 ? SuperBlockFlags.None : SuperBlockFlags.ActivityLogClean);
            uint magic = random.Next(3) == 0 ? SuperBlock.MagicNormal : SuperBlock.MagicUnclean;
            SuperBlock before = Scribble(image, random, magic, flags, layout);
            byte[] ring = RandomRing(random, layout.Ring);
            image.Write([new MetaDataStep(layout.ActivityLogOffset, ring)]);

            OfflineReplay plan = OfflineReplay.Plan(before, ring);
            byte[] expected = AfterSteps(image, layout, plan.Steps(layout, Pages(image, layout)));
            (int exitCode, _, string errors) = image.Run("apply-al");
            if (plan.Action == ReplayAction.MarkEverything)
            {
                // The tool gives up here; we ask for a full sync, so that the node can be used again.
                Assert.True(exitCode != 0, $"seed {seed}");
                continue;
            }

            byte[] actual = image.Area(layout);
            Assert.True(exitCode == 0, $"seed {seed}: apply-al failed, we planned {plan.Action}: {errors}");
            if (plan is { Action: ReplayAction.CleanLog, Log: { Status: ReplayStatus.NothingToDo, InvalidBlocks: 1 } })
            {
                // The tool leaves a damaged first block where it is; we make the whole log valid.
                CreateMetaData.InitialiseLog(layout).First().Data.Span[..4096].CopyTo(
                    actual.AsSpan((int)layout.BitmapBytes));
            }

            Assert.True(expected.AsSpan().SequenceEqual(actual), $"seed {seed}: {plan.Action}");
        }
    }

    [Theory]
    [InlineData(1, false, false)]
    [InlineData(2, true, false)]
    [InlineData(3, false, true)]
    public void Crafted_logs_are_replayed_byte_for_byte_alike(int seed, bool tear, bool wrap)
    {
        var random = new Random(seed);
        using var image = new Drbdmeta(Disks.Internal(1 << 21));
        MetaDataLayout layout = Disks.Layout(image.Disk, 2, 6);
        SuperBlock before = Scribble(image, random, SuperBlock.MagicUnclean, SuperBlockFlags.PrimaryIndicator, layout);
        var disk = new ActivityLog.RingOnDisk(layout.Ring);
        var set = new ActivityLogSet(1237, layout.Ring, wrap ? 0xFFFFFFE0 : 0);
        disk.Fill(set);
        for (int i = 0; i < 60; i++)
        {
            uint extent = (uint)random.Next(250);
            AcquireResult result = set.TryAcquire(extent, extent + 3, hitsOnly: false);
            if (result == AcquireResult.Pending)
            {
                disk.Write(set);
            }

            set.Release(extent, extent + 3);
        }

        if (tear)
        {
            disk.Block(layout.Ring.BlockOf(set.TransactionNumber - 1))[3000] ^= 0xFF;
        }

        image.Write([new MetaDataStep(layout.ActivityLogOffset, disk.Bytes)]);
        OfflineReplay plan = OfflineReplay.Plan(before, disk.Bytes);
        Assert.Equal(ReplayAction.MarkExtents, plan.Action);
        byte[] expected = AfterSteps(image, layout, plan.Steps(layout, Pages(image, layout)));
        Assert.Equal(0, image.Run("apply-al").ExitCode);
        Assert.Equal(expected, image.Area(layout));
    }

    private static void Compare(BackingDisk disk, string index, int stripes, int size, uint peerMaxBio)
    {
        using var theirs = new Drbdmeta(disk, index);
        string[] options =
        [
            "--al-stripes", stripes.ToString(CultureInfo.InvariantCulture),
            "--al-stripe-size-kB", (size * 4).ToString(CultureInfo.InvariantCulture),
            "--peer-max-bio-size", peerMaxBio.ToString(CultureInfo.InvariantCulture),
        ];
        (int exitCode, _, string errors) = theirs.Run(options, ["create-md"]);
        Assert.True(exitCode == 0, errors);
        MetaDataLayout layout = Disks.Layout(disk, stripes, size);
        using var ours = new Drbdmeta(disk, index);
        ours.Write(CreateMetaData.Steps(layout, CreateMetaData.NewSuperBlock(layout, peerMaxBio)));
        Assert.True(theirs.Area(layout).AsSpan().SequenceEqual(ours.Area(layout)));
        (exitCode, string dump, errors) = ours.Run("dump-md");
        Assert.True(exitCode == 0, errors);
        SuperBlock superBlock = ours.SuperBlock(out MetaDataLayout found);
        Assert.Equal(layout, found);
        IEnumerable<string> lines = DumpMetaData.Lines(superBlock, layout, Pages(ours, layout))
            .Select(line => line.Replace("flags 0x00000080", "flags 0x00000000", StringComparison.Ordinal));
        Assert.Equal(Squeeze(dump.Split('\n')), Squeeze(lines));
    }

    /// <summary>Puts a superblock with random numbers and a random bitmap on the image, and an empty log.</summary>
    private static SuperBlock Scribble(
        Drbdmeta image, Random random, uint magic, SuperBlockFlags flags, MetaDataLayout? at = null)
    {
        MetaDataLayout layout = at ?? Disks.Layout(image.Disk);
        SuperBlock superBlock = new SuperBlock
        {
            Uuids = new UuidSet(Number(random), Number(random), 0, Number(random)),
            SizeSectors = random.Next(4) == 0
                ? (ulong)random.NextInt64((long)layout.MaxCapacitySectors)
                : layout.MaxCapacitySectors,
            DeviceUuid = Number(random),
            Flags = flags | (SuperBlockFlags)(random.Next(2) * 0x11),
            Magic = magic,
            AlExtents = (uint)random.Next(67, 6000),
            PeerMaxBioBytes = 1 << 20,
        }.WithLayout(layout);
        var bitmap = new byte[layout.BitmapBytes];
        for (int i = random.Next(200); i > 0; i--)
        {
            Span<byte> part = bitmap.AsSpan(random.Next(bitmap.Length - 300), random.Next(300));
            part.Fill((byte)(random.Next(3) switch { 0 => 0xFF, 1 => 0, _ => random.Next(256) }));
        }

        image.Write(CreateMetaData.Steps(layout, superBlock));
        image.Write([new MetaDataStep(layout.BitmapOffset, bitmap)]);
        return superBlock;
    }

    private static ulong Number(Random random) => (ulong)random.NextInt64();

    private static byte[] RandomRing(Random random, ActivityLogRing shape)
    {
        var disk = new ActivityLog.RingOnDisk(shape);
        uint start = random.Next(3) == 0 ? 0xFFFFFFF8 : (uint)random.Next(1000);
        int transactions = random.Next(0, shape.Blocks + 5);
        for (uint i = 0; i < transactions; i++)
        {
            uint number = unchecked(start + i);
            Span<byte> block = disk.Block(shape.BlockOf(number));
            ActivityLogBlock.Begin(block, number, random.Next(67, 1300), random.Next(3) == 0 ? 919 : 0);
            int updates = random.Next(0, 65);
            for (int k = 0; k < updates; k++)
            {
                ActivityLogBlock.SetUpdate(block, k, random.Next(1300), (uint)random.Next(300));
            }

            for (int k = random.Next(919); k > 0; k--)
            {
                ActivityLogBlock.SetContext(
                    block, k, random.Next(3) == 0 ? (uint)random.Next(600) : ActivityLogBlock.Free);
            }

            ActivityLogBlock.Finish(block, updates);
        }

        for (int i = random.Next(3); i > 0; i--)
        {
            disk.Bytes[random.Next(disk.Bytes.Length)] ^= 0x40;
        }

        return disk.Bytes;
    }

    private static byte[] AfterSteps(Drbdmeta image, MetaDataLayout layout, IEnumerable<MetaDataStep> steps)
    {
        byte[] area = image.Area(layout);
        long start = Math.Min(layout.SuperBlockOffset, layout.BitmapOffset);
        foreach (MetaDataStep step in steps)
        {
            if (!step.IsFlush)
            {
                step.Data.Span.CopyTo(area.AsSpan((int)(step.Offset - start)));
            }
        }

        return area;
    }

    private static void Edit(Drbdmeta image, string[] command, Func<SuperBlock, SuperBlock> ours)
    {
        SuperBlock expected = ours(image.SuperBlock(out _));
        image.Run(command);
        Assert.Equal(expected, image.SuperBlock(out _));
    }

    private static Func<int, byte[]> Pages(Drbdmeta image, MetaDataLayout layout) =>
        page => image.Read(layout.BitmapOffset + page * 4096L, OutOfSyncBitmap.PageBytes);

    /// <summary>Without empty lines and the lines with date, host and command.</summary>
    private static IEnumerable<string> Squeeze(IEnumerable<string> lines) => lines.Where(line =>
        line.Length > 0
        && !line.StartsWith("# 20", StringComparison.Ordinal)
        && !line.Contains("> drbdmeta", StringComparison.Ordinal));
}
