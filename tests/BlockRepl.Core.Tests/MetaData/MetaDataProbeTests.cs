using System.Buffers.Binary;
using System.Text;
using BlockRepl.Core.MetaData;
using Xunit;

namespace BlockRepl.Core.Tests.MetaData;

/// <summary>What create-md finds, and what it may do about it.</summary>
public sealed class MetaDataProbeTests
{
    private static readonly BackingDisk Disk = Disks.Internal(64 * Disks.MiB);

    private readonly byte[] _start = new byte[FoundContent.WindowBytes];
    private readonly byte[] _target = new byte[SuperBlock.Bytes];

    [Fact]
    public void An_empty_device_is_taken_silently()
    {
        ProbeResult result = Examine();
        Assert.Equal(ProbeVerdict.Empty, result.Verdict);
        Assert.False(result.IsRefused);
        Assert.Equal("", result.Message);
        Assert.Equal(Disks.Layout(Disk), result.Layout);
    }

    [Fact]
    public void Unknown_data_need_a_yes()
    {
        _start[70_000 - 1000] = 1;
        ProbeResult result = Examine();
        Assert.Equal(ProbeVerdict.UnknownData, result.Verdict);
        Assert.False(result.IsRefused);
    }

    [Theory]
    [InlineData(65496u, ProbeVerdict.ContentFits)]
    [InlineData(65497u, ProbeVerdict.ContentDoesNotFit)]
    public void A_filesystem_may_fill_the_usable_size_but_not_one_block_more(uint kiB, ProbeVerdict verdict)
    {
        Ext4(kiB);
        ProbeResult result = Examine();
        Assert.Equal(verdict, result.Verdict);
        Assert.Contains("ext4 filesystem", result.Message, StringComparison.Ordinal);
        Assert.Contains("65496 KiB", result.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_filesystem_that_does_not_fit_is_refused_with_the_command_that_shrinks_it()
    {
        Ext4(65536);
        ProbeResult result = Examine();
        Assert.True(result.IsRefused);
        Assert.Contains("resize2fs /dev/x 65496K", result.Message, StringComparison.Ordinal);
        Assert.Contains("external meta data", result.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_filesystem_on_a_device_for_meta_data_is_refused()
    {
        Ext4(100);
        BackingDisk disk = Disks.Flexible(1 << 20, 2048);
        Assert.Equal(ProbeVerdict.ContentOnMetaDevice, Examine(disk).Verdict);
    }

    [Theory]
    [InlineData(null, ProbeVerdict.ContentOfUnknownSize)]
    [InlineData(1UL << 30, ProbeVerdict.ContentDoesNotFit)]
    [InlineData(1UL << 20, ProbeVerdict.ContentFits)]
    public void A_physical_volume_is_as_large_as_LVM_says(ulong? bytes, ProbeVerdict verdict)
    {
        "LVM2"u8.CopyTo(_start.AsSpan(536));
        Assert.Equal(verdict, Examine(Disk, bytes).Verdict);
    }

    [Theory]
    [InlineData(4086, "SWAPSPACE2", "swap space")]
    [InlineData(4086, "SWAP-SPACE", "swap space")]
    [InlineData(8182, "SWAPSPACE2", "swap space")]
    [InlineData(0, "XFSB", "XFS filesystem")]
    [InlineData(32768, "JFS1", "JFS filesystem")]
    [InlineData(65588, "ReIsErFs", "ReiserFS")]
    [InlineData(65588, "ReIsEr2Fs", "ReiserFS")]
    [InlineData(65600, "_BHRfS_M", "btrfs filesystem")]
    public void Content_is_known_by_its_signature(int offset, string signature, string name)
    {
        Encoding.ASCII.GetBytes(signature).CopyTo(_start.AsSpan(offset));
        Assert.Equal(name, FoundContent.Recognise(_start)!.Name);
    }

    [Fact]
    public void The_sizes_of_filesystems_are_read_from_their_own_fields()
    {
        BinaryPrimitives.WriteUInt32BigEndian(_start, 0x58465342);
        BinaryPrimitives.WriteUInt32BigEndian(_start.AsSpan(4), 4096);
        BinaryPrimitives.WriteUInt64BigEndian(_start.AsSpan(8), 25600);
        Assert.Equal(100UL << 20, FoundContent.Recognise(_start)!.Bytes);
        Assert.Null(FoundContent.Recognise(_start)!.CanShrink);
        Assert.Contains("cannot be made smaller", Examine().Message, StringComparison.Ordinal);

        BinaryPrimitives.WriteUInt64BigEndian(_start.AsSpan(8), ulong.MaxValue);
        Assert.Equal(ProbeVerdict.ContentDoesNotFit, Examine().Verdict);
    }

    [Fact]
    public void Meta_data_of_the_same_version_are_shown_before_they_are_overwritten()
    {
        CreateMetaData.NewSuperBlock(Disks.Layout(Disk)).Encode(_target);
        ProbeResult result = Examine();
        Assert.Equal(ProbeVerdict.ExistingMetaData, result.Verdict);
        Assert.Contains("v08 meta data at byte 67104768: 0000000000000004:", result.Message, StringComparison.Ordinal);
        Assert.False(result.IsRefused);
    }

    [Fact]
    public void Existing_meta_data_do_not_excuse_a_filesystem_that_does_not_fit()
    {
        CreateMetaData.NewSuperBlock(Disks.Layout(Disk)).Encode(_target);
        Ext4(65536);
        Assert.Equal(ProbeVerdict.ContentDoesNotFit, Examine().Verdict);
        Ext4(100);
        Assert.Equal(ProbeVerdict.ExistingMetaData, Examine().Verdict);
    }

    [Fact]
    public void Meta_data_of_other_versions_are_named()
    {
        Golden nine = Golden.Load("08-v09-internal-64MiB-3-peers");
        ProbeResult result = MetaDataProbe.Examine(
            nine.Disk(), "/dev/x", 1, 8, _start, nine.Read(MetaDataLayout.FindSuperBlock(nine.Disk()), 4096), []);
        Assert.Equal(ProbeVerdict.ExistingMetaData, result.Verdict);
        Assert.Contains("DRBD 9 (v09)", result.Message, StringComparison.Ordinal);

        Golden seven = Golden.Load("09-v07-internal-256MiB");
        byte[] block = seven.Read(MetaDataProbe.Version07Offset(seven.Disk()), 4096);
        result = MetaDataProbe.Examine(seven.Disk(), "/dev/x", 1, 8, _start, _target, block);
        Assert.Equal(ProbeVerdict.ExistingMetaData, result.Verdict);
        Assert.Contains("v07", result.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Impossible_devices_and_stripes_are_refused_in_words()
    {
        Assert.Equal(ProbeVerdict.Impossible, Examine(Disks.Internal(100)).Verdict);
        ProbeResult result = MetaDataProbe.Examine(Disk, "/dev/x", 3, 1, _start, _target, []);
        Assert.True(result.IsRefused);
        Assert.Contains("3 stripes of 4 KiB", result.Message, StringComparison.Ordinal);
        Assert.Equal(-1, MetaDataProbe.Version07Offset(Disk));
        Assert.Equal(-1, MetaDataProbe.Version07Offset(Disks.Internal(ulong.MaxValue)));
    }

    [Fact]
    public void Any_content_gets_a_verdict()
    {
        for (int seed = 0; seed < 200; seed++)
        {
            var random = new Random(seed);
            random.NextBytes(_start);
            random.NextBytes(_target);
            BinaryPrimitives.WriteUInt16LittleEndian(_start.AsSpan(1080), (ushort)(random.Next(2) * 0xEF53));
            ProbeResult result = Examine();
            Assert.NotEqual(ProbeVerdict.Empty, result.Verdict);
        }

        Assert.Null(FoundContent.Recognise([]));
    }

    private void Ext4(uint kiB)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(_start.AsSpan(1080), 0xEF53);
        BinaryPrimitives.WriteUInt32LittleEndian(_start.AsSpan(1028), kiB);
        BinaryPrimitives.WriteUInt32LittleEndian(_start.AsSpan(1120), 0x40);
    }

    private ProbeResult Examine(BackingDisk? disk = null, ulong? lvmBytes = null) =>
        MetaDataProbe.Examine(disk ?? Disk, "/dev/x", 1, 8, _start, _target, [], lvmBytes);
}
