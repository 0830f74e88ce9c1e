using BlockRepl.Core;
using BlockRepl.Platform.Buffers;
using BlockRepl.Platform.Loop;

namespace BlockRepl.FrontEnd;

/// <summary>What a front end tells its clients about a volume.</summary>
/// <param name="SizeBytes">Size; a multiple of <paramref name="LogicalBlockBytes"/>.</param>
/// <param name="LogicalBlockBytes">Every offset and length is a multiple of it: 512 or 4096.</param>
/// <param name="CanZeroFast">Whether writing zeroes is sure to be faster than sending them.</param>
/// <param name="MaxPartBytes">Largest read or write of one submission; larger requests are submitted in parts.</param>
/// <param name="MaxZeroBytes">The same for discards and zeroes.</param>
public readonly record struct VolumeFacts(
    long SizeBytes,
    int LogicalBlockBytes,
    bool CanZeroFast,
    int MaxPartBytes = CoreLimits.MaxPayloadBytes,
    int MaxZeroBytes = CoreLimits.MaxZeroBytes);

/// <summary>
/// One volume as the front ends see it: NBD now, ublk and FUSE can join. A client opens it, rents buffers, submits
/// requests and gets one <see cref="IVolumeClient.OnCompleted"/> for each. Everything but <see cref="Name"/> and
/// <see cref="Loop"/> belongs to the loop's thread.
/// </summary>
public interface IVolumeDevice
{
    /// <summary>RESOURCE/VOLUME.</summary>
    string Name { get; }

    /// <summary>The loop on which the volume's resource runs; a client's sockets belong there as well.</summary>
    EventLoop Loop { get; }

    /// <summary>
    /// The pool that the buffers of <see cref="TryRentBuffer"/> come from, for sockets that send and receive them.
    /// </summary>
    IoBufferPool Buffers { get; }

    /// <summary>The volume's facts, or false and the reason in words why no client can have it now.</summary>
    bool TryDescribe(out VolumeFacts facts, out string refusal);

    /// <summary>
    /// As <see cref="TryDescribe"/>, and on success the client counts as one that has the device open.
    /// </summary>
    bool TryOpen(IVolumeClient client, out VolumeFacts facts, out string refusal);

    /// <summary>Ends an open. No request of the client may be outstanding.</summary>
    void Close(IVolumeClient client);

    /// <summary>
    /// Starts a request. The token is the client's own (32 bits) and comes back with the completion. A write's buffer
    /// is the volume's from here on; a read's stays the client's and must be kept until the completion.
    /// </summary>
    void Submit(IVolumeClient client, in FrontEndRequest request);

    /// <summary>
    /// Lends a buffer of at least so many bytes (1 to 1 MiB) within the front ends' share of the pool.
    /// </summary>
    bool TryRentBuffer(int byteCount, out BufferHandle buffer);

    /// <summary>Takes back a buffer that no write carried away.</summary>
    void ReturnBuffer(BufferHandle buffer);

    /// <summary>
    /// The payload of a write has begun or ceased to arrive. While one arrives the volume may wait a moment for it, to
    /// do what is cheaper for several requests at once.
    /// </summary>
    void SetArriving(bool arriving);

    /// <summary>
    /// After a failed rent: <see cref="IVolumeClient.OnBuffersAvailable"/> is called once when trying again is worth
    /// it.
    /// </summary>
    void NotifyWhenBuffersReturn(IVolumeClient client);
}

/// <summary>
/// A front end's view of one client; called on the loop's thread, never from inside a call to the device.
/// </summary>
public interface IVolumeClient
{
    void OnCompleted(FrontEndToken token, RequestError error);

    void OnBuffersAvailable();

    /// <summary>The volume's size, role or usability may have changed.</summary>
    void OnVolumeChanged(in VolumeFacts facts);

    /// <summary>
    /// The volume has ended: requests under way are not completed any more, and it is not called any more.
    /// </summary>
    void OnVolumeGone();
}

/// <summary>The volumes of a node by name. Used from any thread.</summary>
public interface IVolumeDirectory
{
    IVolumeDevice? Find(string name);

    /// <summary>Names in a stable order.</summary>
    IReadOnlyList<string> ListNames();
}
