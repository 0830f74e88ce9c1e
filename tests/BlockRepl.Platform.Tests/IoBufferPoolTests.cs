using BlockRepl.Core;
using BlockRepl.Platform.Buffers;
using Xunit;

namespace BlockRepl.Platform.Tests;

public class IoBufferPoolTests
{
    [Theory]
    [InlineData(1, 4096)]
    [InlineData(4096, 4096)]
    [InlineData(4097, 8192)]
    [InlineData(512 << 10, 512 << 10)]
    [InlineData((512 << 10) + 1, 1 << 20)]
    [InlineData(1 << 20, 1 << 20)]
    public void A_size_is_rounded_up_to_a_power_of_two_and_aligned(int bytes, int capacity)
    {
        using var pool = new IoBufferPool(new IoBufferPoolOptions { TotalBytes = 2 << 20 });

        Assert.True(pool.TryRent(bytes, out var buffer));

        Assert.Equal(capacity, pool.GetCapacity(buffer));
        Assert.Equal(0, pool.GetAddress(buffer) % 4096);
        Assert.Equal(capacity, pool.RentedBytes);
    }

    [Fact]
    public void A_full_pool_refuses_and_serves_again_after_a_return()
    {
        using var pool = new IoBufferPool(new IoBufferPoolOptions { TotalBytes = 2 << 20 });
        Assert.True(pool.TryRent(1 << 20, out var first));
        Assert.True(pool.TryRent(4096, out _));

        Assert.False(pool.TryRent(1 << 20, out _));
        pool.Return(first);
        Assert.True(pool.TryRent(1 << 20, out _));
    }

    [Fact]
    public void Returning_twice_and_using_after_return_are_found()
    {
        using var pool = new IoBufferPool(new IoBufferPoolOptions { TotalBytes = 1 << 20 });
        Assert.True(pool.TryRent(4096, out var buffer));
        pool.Return(buffer);

        Assert.Throws<InvariantException>(() => pool.Return(buffer));
        Assert.Throws<InvariantException>(() => pool.GetAddress(buffer));
        Assert.True(pool.TryRent(4096, out var again));
        Assert.NotEqual(buffer, again);
        Assert.Throws<InvariantException>(() => pool.Return(buffer));
        Assert.Throws<InvariantException>(() => pool.Return(BufferHandle.None));
    }

    [Fact]
    public void The_diagnostic_pool_finds_a_write_after_the_return()
    {
        using var pool = new IoBufferPool(new IoBufferPoolOptions { TotalBytes = 1 << 20, Diagnostic = true });
        Assert.True(pool.TryRent(4096, out var buffer));
        var stale = pool.GetAddress(buffer);
        pool.Return(buffer);

        System.Runtime.InteropServices.Marshal.WriteByte(stale, 100, 1);

        Assert.Throws<InvariantException>(() =>
        {
            while (pool.TryRent(4096, out _))
            {
            }
        });
    }

    [Fact]
    public void Random_rents_and_returns_never_overlap_and_end_with_everything_free()
    {
        for (var seed = 1; seed <= 20; seed++)
        {
            var random = new Random(seed);
            using var pool = new IoBufferPool(new IoBufferPoolOptions { TotalBytes = 8 << 20 });
            var rented = new List<(BufferHandle Handle, byte Mark)>();
            for (var step = 0; step < 4000; step++)
            {
                if (random.Next(2) == 0 && pool.TryRent(random.Next(1, 1 << random.Next(1, 21)), out var handle))
                {
                    var mark = (byte)random.Next(256);
                    pool.GetSpan(handle, pool.GetCapacity(handle)).Fill(mark);
                    rented.Add((handle, mark));
                }
                else if (rented.Count > 0)
                {
                    var victim = random.Next(rented.Count);
                    var (old, mark) = rented[victim];
                    Assert.False(pool.GetSpan(old, pool.GetCapacity(old)).ContainsAnyExcept(mark), $"seed {seed}");
                    pool.Return(old);
                    rented.RemoveAt(victim);
                }
            }

            rented.ForEach(r => pool.Return(r.Handle));
            Assert.Equal((0L, 0), (pool.RentedBytes, pool.RentedCount));
            for (var i = 0; i < 8; i++)
            {
                Assert.True(pool.TryRent(1 << 20, out _), $"seed {seed}");
            }
        }
    }

    [Fact]
    public void Renting_and_returning_allocate_nothing()
    {
        using var pool = new IoBufferPool(new IoBufferPoolOptions { TotalBytes = 1 << 20 });
        Cycle(pool, 10);
        var before = GC.GetAllocatedBytesForCurrentThread();

        Cycle(pool, 1000);

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    private static void Cycle(IoBufferPool pool, int rounds)
    {
        for (var i = 0; i < rounds; i++)
        {
            pool.TryRent(4096, out var small);
            pool.TryRent(100_000, out var large);
            pool.Return(small);
            pool.Return(large);
        }
    }
}
