using BlockRepl.Core.ActivityLog;

namespace BlockRepl.Core.Tests.ActivityLog;

/// <summary>A log's ring as it lies on disk, and an active set that writes to it.</summary>
internal sealed class RingOnDisk
{
    private readonly byte[] _block = new byte[ActivityLogBlock.Bytes];

    public RingOnDisk(ActivityLogRing shape)
    {
        Shape = shape;
        Bytes = new byte[shape.Blocks * ActivityLogBlock.Bytes];
        for (int block = 0; block < shape.Blocks; block++)
        {
            ActivityLogBlock.BuildInitialised(Block(block));
        }
    }

    public ActivityLogRing Shape { get; }

    public byte[] Bytes { get; }

    public Span<byte> Block(int block) => Bytes.AsSpan(block * ActivityLogBlock.Bytes, ActivityLogBlock.Bytes);

    /// <summary>What the start of a session does: the whole ring is filled with empty transactions.</summary>
    public void Fill(ActivityLogSet set)
    {
        for (int i = 0; i < Shape.Blocks; i++)
        {
            int position = set.NextTransactionBlock;
            set.BuildEmptyTransaction(_block);
            _block.CopyTo(Block(position));
        }
    }

    /// <summary>Writes the pending transaction and commits it.</summary>
    public void Write(ActivityLogSet set)
    {
        int position = set.NextTransactionBlock;
        set.BuildTransaction(Block(position));
        set.Commit();
    }

    public ReplayResult Replay() => ActivityLogReplay.Replay(Bytes, Shape.Stripes, Shape.StripeSize4k);

    public ReplayResult ReplayWith(int block, byte[] content)
    {
        byte[] copy = [.. Bytes];
        content.CopyTo(copy.AsSpan(block * ActivityLogBlock.Bytes));
        return ActivityLogReplay.Replay(copy, Shape.Stripes, Shape.StripeSize4k);
    }
}
