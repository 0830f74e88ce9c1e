using BlockRepl.Core;

namespace BlockRepl.FrontEnd;

/// <summary>
/// The buffers that one client of a volume holds: of limited size, so that several share the front ends' part of the
/// pool. On the loop's thread.
/// </summary>
internal sealed class BufferShare(IVolumeDevice device, IVolumeClient client, int maxBytes)
{
    public long Held { get; private set; }

    /// <summary>
    /// False: not now. Either a completion of the client gives some back, or the pool tells it when it has more.
    /// </summary>
    public bool TryRent(int bytes, out BufferHandle buffer)
    {
        buffer = BufferHandle.None;
        if (Held > 0 && Held + bytes > maxBytes)
        {
            return false;
        }

        if (!device.TryRentBuffer(bytes, out buffer))
        {
            device.NotifyWhenBuffersReturn(client);
            return false;
        }

        Held += bytes;
        return true;
    }

    public void Return(BufferHandle buffer, int bytes)
    {
        Held -= bytes;
        device.ReturnBuffer(buffer);
    }

    /// <summary>A write that carried its buffer away is done.</summary>
    public void Forget(int bytes) => Held -= bytes;
}
