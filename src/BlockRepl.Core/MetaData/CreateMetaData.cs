using BlockRepl.Core.ActivityLog;
using BlockRepl.Core.Generations;

namespace BlockRepl.Core.MetaData;

/// <summary>What create-md and wipe-md write.</summary>
public static class CreateMetaData
{
    private const int ChunkBytes = 1 << 20;

    /// <summary>Largest --peer-max-bio-size in bytes.</summary>
    public const uint MaxPeerMaxBioBytes = 1 << 20;

    /// <summary>The superblock of new meta data: just created, nothing agreed on, an empty log.</summary>
    public static SuperBlock NewSuperBlock(MetaDataLayout layout, uint peerMaxBioBytes = 0) => new SuperBlock
    {
        Uuids = new UuidSet(UuidSet.JustCreated, 0, 0, 0),
        Flags = SuperBlockFlags.ActivityLogClean,
        Magic = SuperBlock.MagicNormal,
        PeerMaxBioBytes = peerMaxBioBytes,
    }.WithLayout(layout);

    /// <summary>
    /// The steps of create-md. The superblock comes last, so that a crash leaves no valid meta data over a half-made
    /// log. The whole bitmap area is zeroed, since whoever later declares the data in sync would trust what lies there.
    /// </summary>
    public static IEnumerable<MetaDataStep> Steps(MetaDataLayout layout, SuperBlock superBlock)
    {
        foreach (MetaDataStep step in InitialiseLog(layout))
        {
            yield return step;
        }

        var zeroes = new byte[ChunkBytes];
        for (long done = 0; done < layout.BitmapBytes; done += ChunkBytes)
        {
            int length = (int)Math.Min(ChunkBytes, layout.BitmapBytes - done);
            yield return new MetaDataStep(layout.BitmapOffset + done, zeroes.AsMemory(0, length));
        }

        yield return MetaDataStep.Flush;
        yield return WriteSuperBlock(layout, superBlock);
        yield return MetaDataStep.Flush;
    }

    /// <summary>The writes that make the whole log an empty one; no flush.</summary>
    public static IEnumerable<MetaDataStep> InitialiseLog(MetaDataLayout layout)
    {
        var chunk = new byte[Math.Min(ChunkBytes, layout.ActivityLogBytes)];
        for (int offset = 0; offset < chunk.Length; offset += ActivityLogBlock.Bytes)
        {
            ActivityLogBlock.BuildInitialised(chunk.AsSpan(offset));
        }

        for (int done = 0; done < layout.ActivityLogBytes; done += chunk.Length)
        {
            int length = Math.Min(chunk.Length, layout.ActivityLogBytes - done);
            yield return new MetaDataStep(layout.ActivityLogOffset + done, chunk.AsMemory(0, length));
        }
    }

    public static MetaDataStep WriteSuperBlock(MetaDataLayout layout, SuperBlock superBlock)
    {
        var block = new byte[SuperBlock.Bytes];
        superBlock.Encode(block);
        return new MetaDataStep(layout.SuperBlockOffset, block);
    }

    /// <summary>The step of wipe-md: only the superblock is zeroed; log and bitmap mean nothing without it.</summary>
    public static MetaDataStep Wipe(long superBlockOffset) => new(superBlockOffset, new byte[SuperBlock.Bytes]);
}
