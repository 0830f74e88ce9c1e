using BlockRepl.Core.ActivityLog;
using BlockRepl.Core.Bitmap;
using Xunit;

namespace BlockRepl.Core.Tests.ActivityLog;

/// <summary>The rules of the active set one by one.</summary>
public sealed class ActivityLogSetTests
{
    private readonly ActivityLogSet _set = new(67, ActivityLogRing.Default);
    private readonly byte[] _block = new byte[ActivityLogBlock.Bytes];

    [Fact]
    public void A_new_extent_waits_for_its_transaction_and_is_hot_afterwards()
    {
        Assert.Equal(AcquireResult.Pending, _set.TryAcquire(5, 6, hitsOnly: false));
        Assert.Equal(2, _set.PendingChanges);
        Assert.True(_set.IsReferenced(5));
        Assert.False(_set.IsHot(5));
        Commit();
        Assert.True(_set.IsHot(5) && _set.IsHot(6));
        Assert.Equal(AcquireResult.Hot, _set.TryAcquire(5, 6, hitsOnly: true));
        Assert.Equal([5u, 6u], _set.HotExtents.Order());
        Assert.Equal(2, _set.HotCount);
    }

    [Fact]
    public void A_released_extent_stays_hot()
    {
        Acquire(5, 5);
        Commit();
        _set.Release(5, 5);
        Assert.True(_set.IsHot(5));
        Assert.False(_set.IsReferenced(5));
        Assert.Equal(0, _set.ReferencedCount);
    }

    [Fact]
    public void Only_hits_are_given_to_those_who_want_only_hits()
    {
        Acquire(1, 1);
        Assert.Equal(AcquireResult.Miss, _set.TryAcquire(1, 1, hitsOnly: true));
        Commit();
        Assert.Equal(AcquireResult.Hot, _set.TryAcquire(1, 1, hitsOnly: true));
        Assert.Equal(AcquireResult.Miss, _set.TryAcquire(1, 2, hitsOnly: true));
        Assert.Equal(1, _set.ReferencedCount);
        Assert.Equal(0, _set.PendingChanges);
    }

    [Fact]
    public void Requests_join_a_pending_transaction_but_not_one_that_is_being_written()
    {
        Acquire(1, 1);
        Assert.Equal(AcquireResult.Pending, _set.TryAcquire(1, 1, hitsOnly: false));
        _set.BuildTransaction(_block);
        Assert.Equal(AcquireResult.RetryAfterCommit, _set.TryAcquire(1, 1, hitsOnly: false));
        Assert.Equal(AcquireResult.RetryAfterCommit, _set.TryAcquire(9, 9, hitsOnly: false));
        _set.Commit();
        Assert.Equal(AcquireResult.Hot, _set.TryAcquire(1, 1, hitsOnly: false));
    }

    [Fact]
    public void Hits_go_on_while_a_transaction_is_being_written()
    {
        Acquire(1, 1);
        Commit();
        Acquire(2, 2);
        _set.BuildTransaction(_block);
        Assert.Equal(AcquireResult.Hot, _set.TryAcquire(1, 1, hitsOnly: false));
    }

    [Fact]
    public void A_transaction_takes_64_changes_and_a_request_is_never_split()
    {
        Acquire(0, 32);
        Acquire(100, 129);
        Assert.Equal(63, _set.PendingChanges);
        Assert.Equal(AcquireResult.RetryAfterCommit, _set.TryAcquire(200, 201, hitsOnly: false));
        Assert.Equal(63, _set.PendingChanges);
        Assert.False(_set.IsReferenced(200));
        Acquire(200, 200);
        Commit();
        Acquire(201, 203);
    }

    [Fact]
    public void The_extent_whose_last_release_is_longest_ago_goes_first()
    {
        for (uint extent = 0; extent < 67; extent++)
        {
            Acquire(extent, extent);
            Commit();
        }

        // 0 was used first but released last; 1 is the oldest release.
        for (uint extent = 1; extent < 67; extent++)
        {
            _set.Release(extent, extent);
        }

        _set.Release(0, 0);
        Acquire(1000, 1001);
        Span<uint> evicted = stackalloc uint[64];
        int count = _set.EvictedExtents(evicted);
        Assert.Equal([1u, 2u], evicted[..count].ToArray());
        Assert.False(_set.IsHot(1));
        Commit();
        Assert.True(_set.IsHot(0));
        Assert.Equal(0, _set.EvictedExtents(evicted));
    }

    [Fact]
    public void A_request_never_evicts_an_extent_that_it_hits_itself()
    {
        FillAndRelease();
        // 0 is the next to go, and this request wants it together with a new one.
        _set.TryAcquire(66, 67, hitsOnly: false);
        Span<uint> evicted = stackalloc uint[64];
        Assert.Equal(1, _set.EvictedExtents(evicted));
        Assert.Equal(0u, evicted[0]);
        Commit();
        Assert.True(_set.IsHot(66) && _set.IsHot(67));
    }

    [Fact]
    public void When_every_slot_is_in_use_nobody_gets_a_reference_until_one_is_free()
    {
        for (uint extent = 0; extent < 67; extent++)
        {
            Acquire(extent, extent);
            Commit();
        }

        Assert.Equal(AcquireResult.Starving, _set.TryAcquire(100, 100, hitsOnly: false));
        Assert.Equal(AcquireResult.Starving, _set.TryAcquire(5, 5, hitsOnly: true));
        _set.Release(7, 7);
        Assert.Equal(AcquireResult.Pending, _set.TryAcquire(100, 100, hitsOnly: false));
        Assert.Equal(AcquireResult.Hot, _set.TryAcquire(5, 5, hitsOnly: true));
    }

    [Fact]
    public void Changes_that_wait_make_a_large_request_wait_for_them_and_not_starve()
    {
        for (uint extent = 0; extent < 40; extent++)
        {
            Acquire(extent, extent);
        }

        Assert.Equal(AcquireResult.RetryAfterCommit, _set.TryAcquire(100, 132, hitsOnly: false));
        Assert.False(_set.IsStarving);
        Commit();
        Assert.Equal(AcquireResult.Starving, _set.TryAcquire(100, 132, hitsOnly: false));
    }

    [Fact]
    public void An_extent_can_come_back_in_the_transaction_that_threw_it_out()
    {
        FillAndRelease();
        Acquire(1000, 1000);
        Acquire(0, 0);
        Span<uint> evicted = stackalloc uint[64];
        Assert.Equal(2, _set.EvictedExtents(evicted));
        Assert.Equal([0u, 1u], evicted[..2].ToArray());
        Assert.False(_set.IsHot(0));
        Commit();
        Assert.True(_set.IsHot(0) && _set.IsHot(1000) && !_set.IsHot(1));
    }

    [Fact]
    public void A_request_given_up_before_the_commit_leaves_its_extent_hot_and_unused()
    {
        Acquire(3, 3);
        _set.Release(3, 3);
        Assert.Equal(1, _set.PendingChanges);
        Commit();
        Assert.True(_set.IsHot(3));
        Assert.True(_set.Reset());
    }

    [Fact]
    public void The_set_is_forgotten_only_when_nobody_uses_it()
    {
        Acquire(3, 3);
        Assert.False(_set.Reset());
        Commit();
        Assert.False(_set.Reset());
        _set.Release(3, 3);
        Assert.True(_set.Reset());
        Assert.Equal(0, _set.HotCount);
        Assert.Empty(_set.HotExtents);
        Assert.Equal(AcquireResult.Pending, _set.TryAcquire(3, 3, hitsOnly: false));
    }

    [Fact]
    public void Without_log_updates_changes_become_hot_without_a_number()
    {
        Acquire(3, 3);
        _set.InstallWithoutTransaction();
        Assert.True(_set.IsHot(3));
        Assert.Equal(0u, _set.TransactionNumber);
    }

    [Fact]
    public void Releasing_what_was_not_acquired_is_a_defect()
    {
        Assert.Throws<InvariantException>(() => _set.Release(1, 1));
        Assert.Throws<InvariantException>(() => _set.Commit());
        Assert.Throws<InvariantException>(() => _set.TryAcquire(0, 33, hitsOnly: false));
    }

    [Fact]
    public void The_hot_path_allocates_nothing()
    {
        var bitmap = new OutOfSyncBitmap(1 << 20);
        var evicted = new uint[64];
        uint extent = 0;
        AllocationCheck.AssertNone(() =>
        {
            for (int i = 0; i < 300; i++)
            {
                extent += 7;
                _set.TryAcquire(extent, extent + 2, hitsOnly: true);
                _set.TryAcquire(extent, extent + 2, hitsOnly: false);
                _set.EvictedExtents(evicted);
                _set.BuildTransaction(_block);
                _set.Commit();
                _set.Release(extent, extent + 2);
                bitmap.SetRange(extent * 100, 9000);
                bitmap.AnySet(extent * 100, 9000);
                bitmap.FindNextSet(extent * 3);
                bitmap.ClearRange(extent * 100, 9000);
                bitmap.CopyPage(0, _block);
            }
        });
    }

    private void FillAndRelease()
    {
        for (uint extent = 0; extent < 67; extent++)
        {
            Acquire(extent, extent);
            Commit();
            _set.Release(extent, extent);
        }
    }

    private void Acquire(uint first, uint last) =>
        Assert.Equal(AcquireResult.Pending, _set.TryAcquire(first, last, hitsOnly: false));

    private void Commit()
    {
        _set.BuildTransaction(_block);
        _set.Commit();
    }
}
