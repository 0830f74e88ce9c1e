using System.Buffers.Binary;
using BlockRepl.Core.ActivityLog;
using Xunit;

namespace BlockRepl.Core.Tests.ActivityLog;

/// <summary>Rings made by hand, the cases that were also tried on drbdmeta.</summary>
public sealed class ActivityLogReplayTests
{
    private readonly RingOnDisk _disk = new(ActivityLogRing.Default);

    [Fact]
    public void An_initialised_ring_has_nothing_to_do() => Expect(ReplayStatus.NothingToDo);

    [Fact]
    public void Updates_put_extents_into_the_set()
    {
        Update(0, [(0, 0), (1, 2)]);
        Expect(ReplayStatus.Replayed, 0, 2);
    }

    [Fact]
    public void A_later_update_replaces_a_slot_and_the_context_keeps_the_others()
    {
        Update(0, [(0, 1), (1, 3)]);
        Update(1, [(0, 5)], context: [1, 3]);
        Expect(ReplayStatus.Replayed, 3, 5);
    }

    [Fact]
    public void A_free_context_entry_takes_an_extent_out()
    {
        Update(0, [(0, 1), (1, 3)]);
        Update(1, [], context: [ActivityLogBlock.Free, ActivityLogBlock.Free]);
        Expect(ReplayStatus.Replayed);
    }

    [Fact]
    public void A_free_entry_past_the_writers_slots_is_padding_but_an_extent_there_counts()
    {
        Update(0, [(90, 7)], slots: 67);
        Update(1, [], slots: 67);
        Expect(ReplayStatus.Replayed, 7);
        Update(2, [], context: [.. Enumerable.Repeat(ActivityLogBlock.Free, 80), 44u], slots: 67);
        Expect(ReplayStatus.Replayed, 7, 44);
    }

    [Fact]
    public void A_full_ring_starts_at_its_oldest_block()
    {
        for (uint number = 1; number <= 8; number++)
        {
            Update(number, [(0, number + 1)]);
        }

        Expect(ReplayStatus.Replayed, 9);
    }

    [Theory]
    [InlineData(0xFFFFFFFFu)]
    [InlineData(0x7FFFFFFFu)]
    [InlineData(0xFFFFFFFEu)]
    [InlineData(0x7FFFFFFEu)]
    public void The_later_of_two_numbers_wins_across_a_wrap(uint number)
    {
        Update(number, [(0, 1)]);
        Update(unchecked(number + 1), [(0, 2)], context: [1]);
        Expect(ReplayStatus.Replayed, 2);
    }

    [Fact]
    public void A_newest_block_with_a_wrong_checksum_counts_as_not_there()
    {
        Update(0, [(0, 1)]);
        Update(1, [(0, 2)], context: [1]);
        _disk.Block(1)[2000] ^= 1;
        ReplayResult result = Expect(ReplayStatus.Replayed, 1);
        Assert.Equal(1, result.InvalidBlocks);
        Assert.Equal(0u, result.NewestTransaction);
    }

    [Fact]
    public void A_ring_of_noise_tells_nothing()
    {
        new Random(1).NextBytes(_disk.Bytes);
        Assert.True(Expect(ReplayStatus.NoValidBlocks).IsActiveSetUnknown);
    }

    [Fact]
    public void A_torn_first_transaction_of_a_session_is_nothing()
    {
        _disk.Block(0).Fill(0x5A);
        Expect(ReplayStatus.NothingToDo);
    }

    [Fact]
    public void Initialised_blocks_with_another_block_damaged_leave_the_set_unknown()
    {
        _disk.Block(3).Fill(0x5A);
        Assert.True(Expect(ReplayStatus.Damaged).IsActiveSetUnknown);
        _disk.Block(0).Fill(0x5A);
        Expect(ReplayStatus.Damaged);
    }

    [Fact]
    public void Slot_numbers_that_no_log_has_are_ignored()
    {
        Update(0, [(65533, 1), (65534, 2)]);
        Expect(ReplayStatus.Replayed, 1);
    }

    [Fact]
    public void Updates_past_the_count_are_used_unless_their_slot_is_empty()
    {
        Update(0, [(0, 1), (1, 2)]);
        BinaryPrimitives.WriteUInt16BigEndian(_disk.Block(0)[14..], 1);
        ActivityLogBlock.Seal(_disk.Block(0));
        Expect(ReplayStatus.Replayed, 1, 2);
    }

    [Fact]
    public void A_log_of_8_3_is_recognised()
    {
        _disk.Bytes.AsSpan().Clear();
        Assert.False(ActivityLogReplay.IsVersion83Log(_disk.Bytes));
        BinaryPrimitives.WriteUInt32BigEndian(_disk.Bytes.AsSpan(1024), ActivityLogBlock.Version83Magic);
        BinaryPrimitives.WriteUInt32BigEndian(_disk.Bytes.AsSpan(1024 + 12), 77);
        BinaryPrimitives.WriteUInt32BigEndian(_disk.Bytes.AsSpan(1024 + 504), 77);
        Assert.True(ActivityLogReplay.IsVersion83Log(_disk.Bytes));
        ActivityLogBlock.BuildInitialised(_disk.Block(1));
        Assert.False(ActivityLogReplay.IsVersion83Log(_disk.Bytes));
    }

    [Fact]
    public void Rings_of_any_content_are_survived()
    {
        for (int seed = 0; seed < 200; seed++)
        {
            var random = new Random(seed);
            var shape = new ActivityLogRing(random.Next(1, 5), random.Next(8, 12));
            var bytes = new byte[shape.Blocks * ActivityLogBlock.Bytes];
            random.NextBytes(bytes);
            for (int block = 0; block < shape.Blocks; block++)
            {
                Span<byte> span = bytes.AsSpan(block * ActivityLogBlock.Bytes, ActivityLogBlock.Bytes);
                if (random.Next(3) != 0)
                {
                    BinaryPrimitives.WriteUInt32BigEndian(span, ActivityLogBlock.Magic);
                    BinaryPrimitives.WriteUInt16BigEndian(
                        span[12..], (ushort)(random.Next(4) == 0 ? random.Next(65536) : 0));
                    ActivityLogBlock.Seal(span);
                }
            }

            ReplayResult result = ActivityLogReplay.Replay(bytes, shape.Stripes, shape.StripeSize4k);
            Assert.True(result.Extents.SequenceEqual(result.Extents.Distinct().Order()), $"seed {seed}");
            Assert.DoesNotContain(ActivityLogBlock.Free, result.Extents);
        }
    }

    [Fact]
    public void A_part_of_a_ring_is_not_taken_for_one()
    {
        Assert.Throws<ArgumentException>(() => ActivityLogReplay.Replay(new byte[4096], 1, 8));
        Assert.Throws<ArgumentException>(() => ActivityLogReplay.Replay(new byte[4096], 0, 0));
    }

    private void Update(uint number, (int Slot, uint Extent)[] updates, uint[]? context = null, int slots = 1237)
    {
        Span<byte> block = _disk.Block(_disk.Shape.BlockOf(number));
        ActivityLogBlock.Begin(block, number, slots, 0);
        for (int i = 0; i < updates.Length; i++)
        {
            ActivityLogBlock.SetUpdate(block, i, updates[i].Slot, updates[i].Extent);
        }

        for (int i = 0; i < context?.Length; i++)
        {
            ActivityLogBlock.SetContext(block, i, context[i]);
        }

        ActivityLogBlock.Finish(block, updates.Length);
    }

    private ReplayResult Expect(ReplayStatus status, params uint[] extents)
    {
        ReplayResult result = _disk.Replay();
        Assert.Equal(status, result.Status);
        Assert.Equal(extents, result.Extents);
        return result;
    }
}
