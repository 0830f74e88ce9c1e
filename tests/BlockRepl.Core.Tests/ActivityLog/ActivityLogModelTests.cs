using BlockRepl.Core.ActivityLog;
using Xunit;

namespace BlockRepl.Core.Tests.ActivityLog;

/// <summary>
/// Random requests against the active set, a naive list, and the ring on disk, cut at every transaction.
/// </summary>
public sealed class ActivityLogModelTests
{
    public static TheoryData<int, int, int, int, uint> Cases => new()
    {
        { 1, 1, 8, 67, 0 },
        { 2, 1, 8, 67, 0xFFFFFFC0 },
        { 3, 1, 8, 67, 0x7FFFFFC0 },
        { 4, 4, 4, 67, 0xFFFFFFC0 },
        { 5, 3, 5, 100, 0x7FFFFFC0 },
        { 6, 3, 5, 100, 0xFFFFFFC0 },
        { 7, 1, 8, 1237, 0 },
        { 8, 2, 4, 2000, 0xFFFFFFF0 },
        { 9, 1, 8, 6433, 0x7FFFFFF0 },
        { 10, 1, 12, 700, 12345 },
        { 11, 1, 12, 3000, 0xFFFFFFC0 },
        { 12, 1, 9, 7352, 0xFFFFFFE0 },
    };

    /// <summary>
    /// At every moment: what is referenced and committed is in the set that a replay of the disk yields, whether the
    /// block being written arrived whole, was torn, or was not written at all.
    /// </summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void A_crash_at_any_transaction_finds_every_extent_that_may_be_written_to(
        int seed, int stripes, int stripeSize, int slots, uint firstNumber)
    {
        var random = new Random(seed);
        var disk = new RingOnDisk(new ActivityLogRing(stripes, stripeSize));
        var set = new ActivityLogSet(slots, disk.Shape, firstNumber);
        var held = new List<(uint First, uint Last)>();
        var model = new NaiveSet(slots);
        disk.Fill(set);
        for (int step = 0; step < 250; step++)
        {
            Requests(random, set, model, held);
            if (set.PendingChanges > 0)
            {
                CheckCuts(random, disk, set, $"seed {seed}, step {step}");
                disk.Write(set);
                model.Commit();
            }

            Assert.True(
                set.HotExtents.ToHashSet().SetEquals(model.Hot), $"seed {seed}, step {step}: the model differs");
            Assert.Equal(set.HotExtents.Order(), disk.Replay().Extents);
            foreach ((uint first, uint last) in held)
            {
                for (uint extent = first; extent <= last; extent++)
                {
                    Assert.True(set.IsHot(extent) && set.IsReferenced(extent), $"seed {seed}, step {step}: {extent}");
                }
            }
        }
    }

    private static void Requests(Random random, ActivityLogSet set, NaiveSet model, List<(uint First, uint Last)> held)
    {
        for (int i = random.Next(1, 20); i > 0; i--)
        {
            if (held.Count > 0 && random.Next(3) == 0)
            {
                int index = random.Next(held.Count);
                (uint first, uint last) = held[index];
                held.RemoveAt(index);
                set.Release(first, last);
                model.Release(first, last);
                continue;
            }

            uint start = (uint)(random.Next(2) == 0 ? random.Next(60) : random.Next(9000));
            uint end = start + (uint)(random.Next(4) == 0 ? random.Next(33) : random.Next(2));
            bool hitsOnly = random.Next(4) == 0;
            AcquireResult expected = model.TryAcquire(start, end, hitsOnly);
            Assert.Equal(expected, set.TryAcquire(start, end, hitsOnly));
            if (expected is AcquireResult.Hot or AcquireResult.Pending)
            {
                held.Add((start, end));
            }
        }
    }

    /// <summary>
    /// The block is torn at a random byte, or replaced by noise: everything committed before must still be found.
    /// </summary>
    private static void CheckCuts(Random random, RingOnDisk disk, ActivityLogSet set, string context)
    {
        int position = set.NextTransactionBlock;
        uint[] committed = [.. set.HotExtents];
        var whole = new byte[ActivityLogBlock.Bytes];
        random.NextBytes(whole);
        Require(disk.ReplayWith(position, whole), committed, context + ", noise");

        byte[] torn = [.. disk.Block(position)];
        random.NextBytes(torn.AsSpan(random.Next(4000), 32));
        Require(disk.ReplayWith(position, torn), committed, context + ", torn");
    }

    private static void Require(ReplayResult result, uint[] committed, string context)
    {
        Assert.Equal(ReplayStatus.Replayed, result.Status);
        Assert.True(committed.All(new HashSet<uint>(result.Extents).Contains), context + ": an extent is lost");
    }

    /// <summary>The rules of the set in their simplest form: lists and dictionaries.</summary>
    private sealed class NaiveSet(int slots)
    {
        private readonly List<uint> _idle = [];
        private readonly Dictionary<uint, int> _references = [];
        private readonly HashSet<uint> _pending = [];
        private bool _starving;

        public HashSet<uint> Hot { get; } = [];

        public AcquireResult TryAcquire(uint first, uint last, bool hitsOnly)
        {
            if (_starving)
            {
                return AcquireResult.Starving;
            }

            uint[] wanted = [.. Enumerable.Range((int)first, (int)(last - first + 1)).Select(e => (uint)e)];
            uint[] misses = [.. wanted.Where(e => !Hot.Contains(e) && !_pending.Contains(e))];
            if (wanted.All(Hot.Contains))
            {
                Refer(wanted);
                return AcquireResult.Hot;
            }

            if (hitsOnly)
            {
                return AcquireResult.Miss;
            }

            int free = slots - Hot.Count - _pending.Count;
            if (misses.Length > free + _idle.Count(e => !wanted.Contains(e)))
            {
                _starving = _pending.Count == 0;
                return _starving ? AcquireResult.Starving : AcquireResult.RetryAfterCommit;
            }

            if (misses.Length + _pending.Count > 64)
            {
                return AcquireResult.RetryAfterCommit;
            }

            Refer(wanted.Except(misses));
            foreach (uint extent in misses)
            {
                if (Hot.Count + _pending.Count == slots)
                {
                    Hot.Remove(_idle[0]);
                    _idle.RemoveAt(0);
                }

                _pending.Add(extent);
                Refer([extent]);
            }

            return AcquireResult.Pending;
        }

        public void Release(uint first, uint last)
        {
            for (uint extent = first; extent <= last; extent++)
            {
                if (--_references[extent] == 0)
                {
                    _references.Remove(extent);
                    _starving = false;
                    if (Hot.Contains(extent))
                    {
                        _idle.Add(extent);
                    }
                }
            }
        }

        public void Commit()
        {
            Hot.UnionWith(_pending);
            _idle.AddRange(_pending.Where(e => !_references.ContainsKey(e)));
            _pending.Clear();
        }

        private void Refer(IEnumerable<uint> extents)
        {
            foreach (uint extent in extents)
            {
                _references[extent] = _references.GetValueOrDefault(extent) + 1;
                _idle.Remove(extent);
            }
        }
    }
}
