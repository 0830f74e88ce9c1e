using BlockRepl.Core;
using BlockRepl.Platform.Buffers;

namespace BlockRepl.Engine.Tests;

public sealed class BufferAccountsTests : IDisposable
{
    private readonly IoBufferPool _pool = new(new IoBufferPoolOptions { TotalBytes = PoolBudget.TotalBytes });
    private readonly BufferAccounts _accounts;

    public BufferAccountsTests() => _accounts = new BufferAccounts(_pool);

    public void Dispose() => _pool.Dispose();

    [Fact]
    public void A_class_that_has_used_up_its_share_leaves_the_others_theirs()
    {
        var frontEnd = RentAll(BufferOwner.FrontEnd, 4096);
        var peer = RentAll(BufferOwner.Peer, 4096);

        Assert.Equal(PoolBudget.FrontEndBytes, frontEnd.Count * 4096L);
        Assert.Equal(PoolBudget.PeerBytes, peer.Count * 4096L);
        for (var i = 0; i < PoolBudget.CoreBytes >> 20; i++)
        {
            Assert.True(_accounts.TryRent(BufferOwner.Core, 1 << 20, out _));
        }
    }

    [Fact]
    public void The_core_gets_large_buffers_although_small_ones_lie_scattered()
    {
        var random = new Random(11);
        var held = RentAll(BufferOwner.FrontEnd, 4096).Concat(RentAll(BufferOwner.Peer, 4096)).ToArray();
        random.Shuffle(held);
        foreach (var buffer in held.Take(held.Length * 9 / 10))
        {
            _accounts.Return(buffer);
        }

        for (var i = 0; i < PoolBudget.CoreBytes >> 20; i++)
        {
            Assert.True(_accounts.TryRent(BufferOwner.Core, 1 << 20, out _), $"the core's buffer {i}");
        }
    }

    [Fact]
    public void A_return_is_booked_to_who_rented()
    {
        Assert.True(_accounts.TryRent(BufferOwner.Peer, 5000, out var buffer));
        Assert.Equal(8192, _accounts.RentedBytes(BufferOwner.Peer));

        _accounts.Return(buffer);

        Assert.Equal(0, _accounts.RentedBytes(BufferOwner.Peer));
        Assert.False(_accounts.FrontEndReturned);
        Assert.Throws<InvariantException>(() => _accounts.Return(buffer));
    }

    private List<BufferHandle> RentAll(BufferOwner owner, int bytes)
    {
        var rented = new List<BufferHandle>();
        while (_accounts.TryRent(owner, bytes, out var buffer))
        {
            rented.Add(buffer);
        }

        return rented;
    }
}
