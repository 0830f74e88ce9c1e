using System.Buffers.Binary;
using BlockRepl.Core.ActivityLog;
using BlockRepl.Core.Generations;
using BlockRepl.Core.MetaData;
using BlockRepl.Core.Options;
using BlockRepl.Core.State;
using Xunit;

namespace BlockRepl.Core.Tests.MetaData;

/// <summary>Reading and writing the superblock: every check, and what hostile bytes do.</summary>
public sealed class SuperBlockTests
{
    private static readonly BackingDisk Disk = Disks.Internal(64 * Disks.MiB);

    private readonly byte[] _block = new byte[SuperBlock.Bytes];

    public SuperBlockTests() => CreateMetaData.NewSuperBlock(Disks.Layout(Disk)).Encode(_block);

    [Fact]
    public void New_meta_data_have_the_known_bytes()
    {
        Assert.Equal(
            "0000000000000000000000000000000400000000000000000000000000000000"
            + "000000000000000000000000000000000000000000000000000000808374026B"
            + "00000050FFFFFFC000000101FFFFFFB800001000000000000000000100000008",
            Convert.ToHexString(_block.AsSpan(0, 96)));
        Assert.False(_block.AsSpan(96).ContainsAnyExcept((byte)0));
    }

    [Theory]
    [InlineData(0x8374026Bu, 0x80u, false)]
    [InlineData(0x8374026Bu, 0x00u, true)]
    [InlineData(0x8374026Cu, 0x80u, true)]
    [InlineData(0x8374026Cu, 0x00u, true)]
    public void Both_magics_are_read_and_only_a_normal_clean_disk_needs_no_replay(uint magic, uint flags, bool replay)
    {
        Put(60, magic);
        Put(56, flags);
        Assert.Equal(MetaDataError.None, Decode(out SuperBlock? superBlock));
        Assert.Equal(replay, superBlock!.NeedsReplay);
    }

    [Theory]
    [InlineData(60, 0x8374026Du, MetaDataError.Version09)]
    [InlineData(60, 0x8374026Au, MetaDataError.Version07)]
    [InlineData(60, 0x83740267u, MetaDataError.NoMetaData)]
    [InlineData(60, 0u, MetaDataError.NoMetaData)]
    [InlineData(80, 8192u, MetaDataError.BadBitsPerBit)]
    [InlineData(80, 0u, MetaDataError.BadBitsPerBit)]
    [InlineData(88, 0u, MetaDataError.BadStripes)]
    [InlineData(92, 0u, MetaDataError.BadStripes)]
    [InlineData(92, 7u, MetaDataError.BadStripes)]
    [InlineData(92, 0xFFFFFFFFu, MetaDataError.BadStripes)]
    [InlineData(88, 2u, MetaDataError.BadOffsets)]
    [InlineData(68, 8u, MetaDataError.BadOffsets)]
    [InlineData(68, 0xFFFFFFC8u, MetaDataError.BadOffsets)]
    [InlineData(76, 0xFFFFFFC0u, MetaDataError.BadOffsets)]
    [InlineData(76, 0xFFFFFFB9u, MetaDataError.BadOffsets)]
    [InlineData(76, 0x80000000u, MetaDataError.BadOffsets)]
    [InlineData(76, 72u, MetaDataError.BadOffsets)]
    [InlineData(64, 0xFFFFFFFFu, MetaDataError.BadOffsets)]
    [InlineData(64, 131072u, MetaDataError.BadOffsets)]
    [InlineData(0, 0x00000001u, MetaDataError.BitmapTooSmall)]
    [InlineData(0, 0xFFFFFFFFu, MetaDataError.DeviceTooLarge)]
    public void A_wrong_number_is_refused_by_name(int offset, uint value, MetaDataError error)
    {
        Put(offset, value);
        Assert.Equal(error, Decode(out SuperBlock? superBlock));
        Assert.Null(superBlock);
    }

    [Theory]
    [InlineData(262144u, MetaDataError.None)]
    [InlineData(262145u, MetaDataError.BitmapTooSmall)]
    public void The_recorded_size_must_fit_the_bitmap_to_the_last_bit(uint sectors, MetaDataError error)
    {
        Put(4, sectors);
        Assert.Equal(error, Decode(out _));
    }

    [Fact]
    public void A_magic_of_0_7_is_found_at_its_own_place()
    {
        Put(60, 0);
        Put(28, 0x8374026A);
        Assert.Equal(MetaDataError.Version07, Decode(out _));
    }

    [Fact]
    public void Old_superblocks_without_stripes_mean_the_default_log()
    {
        Put(88, 0);
        Put(92, 0);
        Assert.Equal(MetaDataError.None, Decode(out SuperBlock? superBlock));
        Assert.Equal(ActivityLogRing.Default, superBlock!.Ring);
    }

    [Fact]
    public void Unknown_flags_survive_and_unknown_bytes_do_not()
    {
        Put(56, 0xABCD0080);
        _block[48] = 7;
        _block[100] = 7;
        Decode(out SuperBlock? superBlock);
        superBlock!.Encode(_block);
        Assert.Equal(0xABCD0080u, BinaryPrimitives.ReadUInt32BigEndian(_block.AsSpan(56)));
        Assert.Equal((0, 0), (_block[48], _block[100]));
    }

    [Fact]
    public void External_meta_data_are_checked_by_their_own_rules()
    {
        BackingDisk flexible = Disks.Flexible(1 << 22, 2048);
        CreateMetaData.NewSuperBlock(Disks.Layout(flexible)).Encode(_block);
        Assert.Equal(MetaDataError.None, SuperBlock.TryDecode(_block, flexible, out _, out _));
        Assert.Equal(MetaDataError.BadOffsets, SuperBlock.TryDecode(_block, Disk, out _, out _));
        Put(76, 80);
        Assert.Equal(MetaDataError.BadOffsets, SuperBlock.TryDecode(_block, flexible, out _, out _));

        BackingDisk indexed = Disks.Indexed(1 << 22, 262144 * 2, 1);
        CreateMetaData.NewSuperBlock(Disks.Layout(indexed)).Encode(_block);
        Assert.Equal(MetaDataError.None, SuperBlock.TryDecode(_block, indexed, out _, out _));
        Put(64, 262143);
        Assert.Equal(MetaDataError.BadOffsets, SuperBlock.TryDecode(_block, indexed, out _, out _));
    }

    [Fact]
    public void A_device_grown_by_less_than_a_block_is_read_with_its_stored_layout()
    {
        // 262145 sectors ask for a second page of bitmap, but the superblock of 262144 is still where it was.
        CreateMetaData.NewSuperBlock(Disks.Layout(Disks.Internal(262144))).Encode(_block);
        BackingDisk grown = Disks.Internal(262145);
        Assert.Equal(MetaDataError.None, SuperBlock.TryDecode(_block, grown, out _, out MetaDataLayout? layout));
        Assert.Equal(80u, layout!.MdSizeSectors);
        Assert.Equal(88u, Disks.Layout(grown).MdSizeSectors);
    }

    [Fact]
    public void Random_and_damaged_blocks_never_throw()
    {
        int decoded = 0;
        for (int seed = 0; seed < 20000; seed++)
        {
            var random = new Random(seed);
            CreateMetaData.NewSuperBlock(Disks.Layout(Disk)).Encode(_block);
            int damage = random.Next(1, 4);
            for (int i = 0; i < damage; i++)
            {
                Put(
                    random.Next(24) * 4,
                    random.Next(3) == 0 ? (uint)random.Next(300) : (uint)random.NextInt64(1L << 32));
            }

            Put(60, random.Next(2) == 0 ? SuperBlock.MagicNormal : SuperBlock.MagicUnclean);
            BackingDisk disk = random.Next(3) switch
            {
                0 => Disk,
                1 => Disks.Flexible(1 << 20, (ulong)random.NextInt64(1 << 20)),
                _ => Disks.Indexed(1 << 20, (ulong)random.NextInt64(1 << 20), random.Next(-1, 300)),
            };
            MetaDataError error =
                SuperBlock.TryDecode(_block, disk, out SuperBlock? superBlock, out MetaDataLayout? layout);
            Assert.NotEqual(error == MetaDataError.None, superBlock is null);
            Assert.NotEqual("x", MetaDataErrors.Describe(error, disk, "/dev/x", _block));
            if (layout is not null)
            {
                decoded++;
                long end = Math.Max(
                    layout.BitmapOffset + layout.BitmapBytes, layout.ActivityLogOffset + layout.ActivityLogBytes);
                Assert.True(layout.BitmapOffset >= 0 && layout.ActivityLogOffset >= 0, $"seed {seed}");
                Assert.True(end <= (long)disk.MetaDeviceSectors * 512, $"seed {seed}");
            }
        }

        Assert.InRange(decoded, 100, 19999);
        Assert.Equal(MetaDataError.NoMetaData, SuperBlock.TryDecode([], Disk, out _, out _));
        Assert.Equal(MetaDataError.NoMetaData, SuperBlock.TryDecode(new byte[100], Disk, out _, out _));
    }

    [Fact]
    public void Every_error_is_said_in_a_sentence_of_its_own()
    {
        MetaDataError[] errors = [.. Enum.GetValues<MetaDataError>().Where(error => error != MetaDataError.None)];
        string[] sentences = [.. errors.Select(error => MetaDataErrors.Describe(error, Disk, "/dev/vg/data", _block))];
        Assert.Equal(errors.Length, sentences.Distinct().Count());
        Assert.All(sentences, sentence => Assert.True(sentence.Length > 30, sentence));
    }

    [Fact]
    public void DRBD_9_meta_data_are_refused_with_the_way_out()
    {
        Golden sample = Golden.Load("08-v09-internal-64MiB-3-peers");
        byte[] block = sample.Read(MetaDataLayout.FindSuperBlock(sample.Disk()), 4096);
        string sentence = MetaDataErrors.Describe(MetaDataError.Version09, sample.Disk(), "/dev/sda3", block);
        Assert.Contains("max-peers 3, node-id -1", sentence, StringComparison.Ordinal);
        Assert.Contains("at byte 67104768 of /dev/sda3", sentence, StringComparison.Ordinal);
        Assert.Contains("create-md --force", sentence, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0x00u, FencingPolicy.DontCare, DiskState.Inconsistent, DiskState.DUnknown)]
    [InlineData(0x01u, FencingPolicy.DontCare, DiskState.Outdated, DiskState.DUnknown)]
    [InlineData(0x11u, FencingPolicy.DontCare, DiskState.UpToDate, DiskState.DUnknown)]
    [InlineData(0x11u, FencingPolicy.ResourceOnly, DiskState.Consistent, DiskState.DUnknown)]
    [InlineData(0x31u, FencingPolicy.ResourceOnly, DiskState.UpToDate, DiskState.Outdated)]
    public void The_flags_tell_the_disk_states(uint flags, FencingPolicy fencing, DiskState disk, DiskState peer)
    {
        Assert.Equal((disk, peer), new SuperBlock { Flags = (SuperBlockFlags)flags }.DiskStates(fencing));
    }

    [Fact]
    public void Outdate_needs_consistent_data()
    {
        Assert.Null(new SuperBlock { Flags = SuperBlockFlags.WasUpToDate }.Outdate());
        SuperBlock? outdated = new SuperBlock { Flags = (SuperBlockFlags)0x93 }.Outdate();
        Assert.Equal((SuperBlockFlags)0x83, outdated!.Flags);
    }

    [Fact]
    public void Invalidate_asks_for_a_full_sync()
    {
        Assert.Equal((SuperBlockFlags)0x8A, new SuperBlock { Flags = (SuperBlockFlags)0x93 }.Invalidate().Flags);
    }

    [Fact]
    public void A_generation_line_is_applied_as_set_gi_does()
    {
        var old = new SuperBlock { Uuids = new UuidSet(1, 2, 3, 4), Flags = (SuperBlockFlags)0x91 };
        SuperBlock? set = GenerationInfo.Apply(
            old, "A1B2C3D4E5F60719::8070605040302010:0x1122334455667788:1:0:1::1", out string problem);
        Assert.Equal("", problem);
        Assert.Equal(new UuidSet(0xA1B2C3D4E5F60719, 2, 0x8070605040302010, 0x1122334455667788), set!.Uuids);
        Assert.Equal((SuperBlockFlags)0x8B, set.Flags);
        Assert.Equal(old, GenerationInfo.Apply(old, GenerationInfo.Format(old), out _));
        Assert.Equal(old, GenerationInfo.Apply(old, "", out _));
        Assert.Equal(5UL, GenerationInfo.Apply(old, "5", out _)!.Uuids.Current);
    }

    [Theory]
    [InlineData("xyz")]
    [InlineData("11112222333344445")]
    [InlineData("1:2:3:4:2")]
    [InlineData("1:2:3:4:1:1:1:1:1:1:1:1")]
    [InlineData("-1")]
    public void A_bad_generation_line_is_refused_with_a_reason(string text)
    {
        Assert.Null(GenerationInfo.Apply(new SuperBlock(), text, out string problem));
        Assert.NotEmpty(problem);
    }

    private MetaDataError Decode(out SuperBlock? superBlock) =>
        SuperBlock.TryDecode(_block, Disk, out superBlock, out _);

    private void Put(int offset, uint value) => BinaryPrimitives.WriteUInt32BigEndian(_block.AsSpan(offset), value);
}
