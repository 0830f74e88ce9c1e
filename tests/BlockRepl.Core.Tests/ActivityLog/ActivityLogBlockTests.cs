using System.Buffers.Binary;
using System.Text;
using BlockRepl.Core.ActivityLog;
using Xunit;

namespace BlockRepl.Core.Tests.ActivityLog;

/// <summary>The block's bytes, with checksums that DRBD's tools accept.</summary>
public sealed class ActivityLogBlockTests
{
    private readonly byte[] _block = new byte[ActivityLogBlock.Bytes];

    [Fact]
    public void The_checksum_starts_at_zero_and_is_not_inverted()
    {
        Assert.Equal(0x58E3FA20u, ActivityLogBlock.RawCrc32C(0, Encoding.ASCII.GetBytes("123456789")));
    }

    [Fact]
    public void An_initialised_block_has_its_known_checksum()
    {
        ActivityLogBlock.BuildInitialised(_block);
        Assert.Equal(0x709CC651u, Checksum());
        Assert.True(ActivityLogBlock.IsValid(_block));
        Assert.False(ActivityLogBlock.IsUpdate(_block));
    }

    [Fact]
    public void A_session_writes_the_blocks_with_the_known_checksums()
    {
        var set = new ActivityLogSet(1237, ActivityLogRing.Default);
        uint[] empty = new uint[8];
        for (int i = 0; i < 8; i++)
        {
            set.BuildEmptyTransaction(_block);
            empty[i] = Checksum();
        }

        Assert.Equal([0xEF0DEF24u, 0x3A823141u, 0xA1400921u, 0x74CFD744u], empty[4..]);
        Assert.Equal(0x5165295Fu, Write(set, 0, 2));
        Assert.Equal(0x55E27CF8u, Write(set, 5));
        Assert.Equal(0x25BC448Bu, Write(set, 9, 15));
    }

    [Fact]
    public void A_block_with_one_wrong_bit_anywhere_is_invalid()
    {
        var set = new ActivityLogSet(1237, ActivityLogRing.Default);
        Write(set, 1, 2, 3);
        Assert.True(ActivityLogBlock.IsValid(_block));
        for (int bit = 0; bit < ActivityLogBlock.Bytes * 8; bit += 7)
        {
            _block[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(ActivityLogBlock.IsValid(_block));
            _block[bit / 8] ^= (byte)(1 << (bit % 8));
        }

        Assert.False(ActivityLogBlock.IsValid(_block.AsSpan(0, 4095)));
    }

    [Theory]
    [InlineData(1, 8, 0u, 0)]
    [InlineData(1, 8, 7u, 7)]
    [InlineData(1, 8, 8u, 0)]
    [InlineData(1, 8, 0xFFFFFFFFu, 7)]
    [InlineData(4, 4, 0u, 0)]
    [InlineData(4, 4, 1u, 4)]
    [InlineData(4, 4, 4u, 1)]
    [InlineData(4, 4, 15u, 15)]
    [InlineData(3, 5, 16u, 5)]
    public void Consecutive_transactions_go_to_different_stripes(int stripes, int size, uint number, int block)
    {
        Assert.Equal(block, new ActivityLogRing(stripes, size).BlockOf(number));
    }

    [Theory]
    [InlineData(1, 8)]
    [InlineData(3, 5)]
    [InlineData(1, 12)]
    [InlineData(7, 11)]
    public void The_ring_goes_on_by_one_position_when_the_number_wraps(int stripes, int size)
    {
        var ring = new ActivityLogRing(stripes, size);
        uint number = 0xFFFFFFF0;
        for (int i = 0; i < 100; i++)
        {
            uint next = ring.NumberAfter(number);
            Assert.True(unchecked((int)(next - number)) > 0);
            Assert.Equal((number % (uint)ring.Blocks + 1) % (uint)ring.Blocks, next % (uint)ring.Blocks);
            number = next;
        }
    }

    [Theory]
    [InlineData(1, 8, 1237, 1237)]
    [InlineData(1, 8, 65534, 6433)]
    [InlineData(1, 8, 5, 67)]
    [InlineData(1, 72, 65534, 65249)]
    [InlineData(1, 73, 65534, 65534)]
    [InlineData(4, 64, 65535, 65534)]
    public void Slots_are_limited_to_what_the_ring_describes(int stripes, int size, int configured, int slots)
    {
        Assert.Equal(slots, new ActivityLogRing(stripes, size).ClipSlots(configured));
    }

    private uint Write(ActivityLogSet set, params uint[] extents)
    {
        foreach (uint extent in extents)
        {
            set.TryAcquire(extent, extent, hitsOnly: false);
        }

        set.BuildTransaction(_block);
        set.Commit();
        return Checksum();
    }

    private uint Checksum() => BinaryPrimitives.ReadUInt32BigEndian(_block.AsSpan(8));
}
