namespace BlockRepl.Core.MetaData;

/// <summary>
/// One step of an offline change of meta data: a write at a byte offset of the meta-data device, or a flush (empty
/// data). Steps are done in order; what stands before a flush must be durable before what stands after it is written.
/// </summary>
public readonly record struct MetaDataStep(long Offset, ReadOnlyMemory<byte> Data)
{
    public static readonly MetaDataStep Flush = new(-1, default);

    public bool IsFlush => Data.IsEmpty;
}
