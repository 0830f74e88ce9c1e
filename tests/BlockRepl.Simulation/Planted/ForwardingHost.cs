using BlockRepl.Core;
using BlockRepl.Core.MetaData;
using BlockRepl.Core.Protocol;
using BlockRepl.Simulation.Nodes;

namespace BlockRepl.Simulation.Planted;

/// <summary>A layer between core and host that changes nothing; planted defects override what they break.</summary>
public class ForwardingHost(ICoreHost inner) : ICoreHost
{
    /// <summary>The real host below all layers.</summary>
    protected SimHost Host { get; } = inner as SimHost
        ?? throw new ArgumentException("a layer goes directly over a host");

    public virtual ulong NextRandom() => Host.NextRandom();

    public virtual void ReadDisk(int volume, IoToken token, ulong sector, int byteCount, BufferHandle buffer) =>
        Host.ReadDisk(volume, token, sector, byteCount, buffer);

    public virtual void WriteDisk(
        int volume, IoToken token, ulong sector, int byteCount, BufferHandle buffer, bool forceUnitAccess) =>
        Host.WriteDisk(volume, token, sector, byteCount, buffer, forceUnitAccess);

    public virtual void ZeroDisk(int volume, IoToken token, ulong sector, int byteCount, ZeroMode mode) =>
        Host.ZeroDisk(volume, token, sector, byteCount, mode);

    public virtual BackingDisk? DiskFacts(int volume) => Host.DiskFacts(volume);

    public virtual void FlushDisk(int volume, IoToken token) => Host.FlushDisk(volume, token);

    public virtual void ReadMeta(int volume, IoToken token, long byteOffset, int byteCount) =>
        Host.ReadMeta(volume, token, byteOffset, byteCount);

    public virtual void WriteMeta(int volume, IoToken token, long byteOffset, ReadOnlySpan<byte> data) =>
        Host.WriteMeta(volume, token, byteOffset, data);

    public virtual void FlushMeta(int volume, IoToken token) => Host.FlushMeta(volume, token);

    public virtual void CloseDisk(int volume) => Host.CloseDisk(volume);

    public virtual void BeginRecord(int volume) => Host.BeginRecord(volume);

    public virtual void RecordFacts(int volume, in RecordFacts facts) => Host.RecordFacts(volume, facts);

    public virtual void RecordWrite(int volume, int slot, in WriteRange write) =>
        Host.RecordWrite(volume, slot, write);

    public virtual void ForgetWrite(int volume, int slot) => Host.ForgetWrite(volume, slot);

    public virtual void Listen(bool on) => Host.Listen(on);

    public virtual StreamId OpenStream() => Host.OpenStream();

    public virtual void CloseStream(StreamId stream, bool sendFirst) => Host.CloseStream(stream, sendFirst);

    public virtual void SetFraming(StreamId stream, in Framing framing) => Host.SetFraming(stream, framing);

    public virtual void Send(StreamId stream, ReadOnlySpan<byte> packet) => Host.Send(stream, packet);

    public virtual void SendPayload(
        StreamId stream, ReadOnlySpan<byte> head, DigestAlgorithm digest, BufferHandle buffer, int byteCount,
        SendToken token) =>
        Host.SendPayload(stream, head, digest, buffer, byteCount, token);

    public virtual StreamBacklog GetBacklog(StreamId stream) => Host.GetBacklog(stream);

    public virtual BufferHandle RentBuffer(int byteCount) => Host.RentBuffer(byteCount);

    public virtual void ReleaseBuffer(BufferHandle buffer) => Host.ReleaseBuffer(buffer);

    public virtual void CopyBuffer(BufferHandle from, BufferHandle to, int byteCount) =>
        Host.CopyBuffer(from, to, byteCount);

    public virtual bool IsZero(BufferHandle buffer, int byteCount) => Host.IsZero(buffer, byteCount);

    public virtual void Hash(IoToken token, DigestAlgorithm algorithm, BufferHandle buffer, int byteCount) =>
        Host.Hash(token, algorithm, buffer, byteCount);

    public virtual void CompleteRequest(FrontEndToken token, RequestError error) => Host.CompleteRequest(token, error);

    public virtual void DeviceChanged(int volume) => Host.DeviceChanged(volume);

    public virtual void CompleteCommand(CommandToken token, in CommandResult result) =>
        Host.CompleteCommand(token, result);

    public virtual void RunHandler(IoToken token, HandlerKind handler, int volume) =>
        Host.RunHandler(token, handler, volume);

    public virtual void Log(CoreLogLevel level, int volume, string message) => Host.Log(level, volume, message);
}
