using BlockRepl.Core;
using BlockRepl.Core.MetaData;
using BlockRepl.Core.Protocol;
using BlockRepl.Simulation.Disk;

namespace BlockRepl.Simulation.Nodes;

/// <summary>The host's disks and buffers.</summary>
public sealed partial class SimHost
{
    public void ReadDisk(int volume, IoToken token, ulong sector, int byteCount, BufferHandle buffer)
    {
        Note(TraceKind.Disk, sector, (ulong)byteCount, () => $"read {volume}:{sector}+{byteCount / 512}");
        byte[] bytes = Buffers.Pin(buffer);
        Data(volume).Read((long)sector * 512, byteCount, bytes, error => Done(volume, token, error, buffer));
    }

    public void WriteDisk(
        int volume, IoToken token, ulong sector, int byteCount, BufferHandle buffer, bool forceUnitAccess)
    {
        Note(
            TraceKind.Disk,
            sector,
            (ulong)byteCount,
            () => $"write {volume}:{sector}+{byteCount / 512} fua={forceUnitAccess}");
        byte[] bytes = Buffers.Pin(buffer);
        _cluster.Coverage.OnDataWrite(Node, volume, sector, byteCount, buffer);
        Data(volume).Write(
            (long)sector * 512,
            byteCount,
            bytes,
            forceUnitAccess,
            NoteFailure(volume, sector, byteCount, error => Done(volume, token, error, buffer)));
    }

    public void ZeroDisk(int volume, IoToken token, ulong sector, int byteCount, ZeroMode mode)
    {
        Note(TraceKind.Disk, sector, (ulong)byteCount, () => $"zero {volume}:{sector}+{byteCount / 512} {mode}");
        Data(volume).Zero(
            (long)sector * 512,
            byteCount,
            mode,
            NoteFailure(volume, sector, byteCount, error => Done(volume, token, error, BufferHandle.None)));
    }

    public BackingDisk? DiskFacts(int volume) => Node.Volume(volume).Device;

    public void FlushDisk(int volume, IoToken token)
    {
        Note(TraceKind.Disk, 0, token.Value, () => $"flush {volume}");
        Data(volume).Flush(error => Done(volume, token, error, BufferHandle.None));
    }

    public void ReadMeta(int volume, IoToken token, long byteOffset, int byteCount)
    {
        CheckMeta(byteOffset, byteCount);
        byte[] bytes = new byte[byteCount];
        Meta(volume).Read(byteOffset, byteCount, bytes, error => MetaDone(volume, token, error, bytes));
    }

    public void WriteMeta(int volume, IoToken token, long byteOffset, ReadOnlySpan<byte> data)
    {
        CheckMeta(byteOffset, data.Length);
        Note(TraceKind.Meta, (ulong)byteOffset, (ulong)data.Length, () => $"write meta {volume}:{byteOffset:x}");
        byte[] bytes = data.ToArray();
        Meta(volume).Write(byteOffset, bytes.Length, bytes, false, error =>
        {
            Node.Volume(volume).OnWritten(byteOffset);
            MetaDone(volume, token, error, []);
        });
    }

    public void FlushMeta(int volume, IoToken token)
    {
        Note(TraceKind.Meta, 0, token.Value, () => $"flush meta {volume}");
        Meta(volume).Flush(error => MetaDone(volume, token, error, []));
    }

    public void CloseDisk(int volume)
    {
        Note(TraceKind.Disk, 1, (ulong)volume, () => $"close disk {volume}");
        if (Data(volume).RunningCount + Meta(volume).RunningCount > 0)
        {
            throw new SimulationException($"disk {volume} was closed with operations under way");
        }

        Node.Volume(volume).IsOpen = false;
        Node.Volume(volume).Record = null;
    }

    public void BeginRecord(int volume) => Node.Volume(volume).Record = new SimRecord();

    public void RecordFacts(int volume, in RecordFacts facts)
    {
        if (Node.Volume(volume).Record is { } record)
        {
            record.Facts = facts;
        }
    }

    public void RecordWrite(int volume, int slot, in WriteRange write) =>
        Node.Volume(volume).Record?.Put(slot, write);

    public void ForgetWrite(int volume, int slot) => Node.Volume(volume).Record?.Remove(slot);

    public BufferHandle RentBuffer(int byteCount) => Buffers.Rent(byteCount, byCore: true);

    public void ReleaseBuffer(BufferHandle buffer) => Buffers.Release(buffer);

    public void CopyBuffer(BufferHandle from, BufferHandle to, int byteCount) =>
        Buffers.Bytes(from).AsSpan(0, byteCount).CopyTo(Buffers.Bytes(to));

    public bool IsZero(BufferHandle buffer, int byteCount) =>
        !Buffers.Bytes(buffer).AsSpan(0, byteCount).ContainsAnyExcept((byte)0);

    public void Hash(IoToken token, DigestAlgorithm algorithm, BufferHandle buffer, int byteCount)
    {
        byte[] digest = new byte[algorithm.Size()];
        Buffers.Pin(buffer);
        After(_rng.Between(5, 60) * Duration.Microsecond, core =>
        {
            Digests.Compute(algorithm, Buffers.Bytes(buffer).AsSpan(0, byteCount), digest);
            Buffers.Unpin(buffer);
            core.OnHashDone(NowNs, token, digest);
        });
    }

    /// <summary>A write of the application that this node's own disk refuses is not promised to be on it.</summary>
    private Action<IoError> NoteFailure(int volume, ulong sector, int byteCount, Action<IoError> done)
    {
        Checks.AppWrite? write = Node.FrontEnd.FindStarting(volume, sector, byteCount);
        return error =>
        {
            if (error != IoError.None && write is not null)
            {
                write.FailedOn |= 1 << Node.Index;
            }

            done(error);
        };
    }

    private void Done(int volume, IoToken token, IoError error, BufferHandle buffer)
    {
        if (IsDead)
        {
            return;
        }

        if (!buffer.IsNone)
        {
            Buffers.Unpin(buffer);
        }

        if (error != IoError.None)
        {
            Note(TraceKind.Disk, token.Value, (ulong)error, () => $"disk {volume} answers {error}");
        }

        Deliver(core => core.OnDiskDone(NowNs, volume, token, error));
    }

    private void MetaDone(int volume, IoToken token, IoError error, byte[] data)
    {
        if (error != IoError.None)
        {
            Note(TraceKind.Meta, token.Value, (ulong)error, () => $"meta {volume} answers {error}");
        }

        Deliver(core => core.OnMetaDone(NowNs, volume, token, error, error == IoError.None ? data : []));
    }

    private SimDisk Data(int volume)
    {
        SimVolume target = Node.Volume(volume);
        return target.IsOpen ? target.Data : throw new SimulationException($"I/O on disk {volume}, which is not open");
    }

    private SimDisk Meta(int volume)
    {
        SimVolume target = Node.Volume(volume);
        return target.IsOpen
            ? target.Meta
            : throw new SimulationException($"meta I/O on disk {volume}, which is not open");
    }

    private static void CheckMeta(long byteOffset, int byteCount)
    {
        if (byteOffset % 4096 != 0 || byteCount % 4096 != 0 || byteCount is <= 0 or > 1 << 20)
        {
            throw new SimulationException($"meta-data I/O of {byteCount} bytes at {byteOffset}");
        }
    }
}
